// Prints whether sessions may pass: lookup PATH KEY ...
package main

// #cgo LDFLAGS: -lsluice-lookup
// #include <stdlib.h>
// #include <sluice_lookup.h>
import "C"

import (
	"fmt"
	"os"
	"unsafe"
)

var names = []string{"refused", "allowed", "absent", "stale", "busy"}

const capacity = 256

// Sessions is a shared store, for one goroutine at a time: give each worker its own.
type Sessions struct {
	handle *C.sluice_lookup
	active C.int
	// In memory of C, which C may keep pointers to.
	user *C.struct_sluice_value
}

// Open returns a store. The file need not exist yet: until a worker creates it, all answers are stale.
func Open(path string) (*Sessions, error) {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	handle, err := C.sluice_lookup_open(name)
	if handle == nil {
		return nil, fmt.Errorf("cannot open %s: %w", path, err)
	}
	active, field := C.CString("active"), C.CString("user_id")
	defer C.free(unsafe.Pointer(active))
	defer C.free(unsafe.Pointer(field))
	user := (*C.struct_sluice_value)(C.calloc(1, C.sizeof_struct_sluice_value))
	user.field = C.sluice_lookup_field(handle, field)
	user.buffer = C.malloc(capacity)
	user.capacity = capacity
	return &Sessions{handle, C.sluice_lookup_condition(handle, active), user}, nil
}

// Close frees the store's handle.
func (s *Sessions) Close() {
	C.sluice_lookup_close(s.handle)
	C.free(s.user.buffer)
	C.free(unsafe.Pointer(s.user))
}

// Ask returns the answer, and the user of an allowed session.
func (s *Sessions) Ask(key string) (answer string, user string) {
	bytes := append([]byte(key), 0)
	found := C.sluice_lookup_get(
		s.handle, unsafe.Pointer(&bytes[0]), C.size_t(len(key)), s.active, s.user, 1)
	if found != C.SLUICE_ALLOWED {
		return names[found], ""
	}
	// A longer value was cut off: do not act for another user.
	if s.user.length > capacity {
		return names[C.SLUICE_REFUSED], ""
	}
	return names[found], string(C.GoBytes(s.user.buffer, C.int(s.user.length)))
}

func main() {
	sessions, err := Open(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	defer sessions.Close()
	for _, key := range os.Args[2:] {
		answer, user := sessions.Ask(key)
		fmt.Println(key, answer, user)
	}
}
