"""Prints whether sessions may pass: lookup.py PATH KEY ..."""
import ctypes
import os
import sys

NAMES = ["refused", "allowed", "absent", "stale", "busy"]
ALLOWED = 1


class Value(ctypes.Structure):
    _fields_ = [
        ("field", ctypes.c_int), ("buffer", ctypes.c_char_p), ("capacity", ctypes.c_size_t),
        ("length", ctypes.c_size_t), ("present", ctypes.c_int),
    ]


lib = ctypes.CDLL("libsluice-lookup.so.1")
lib.sluice_lookup_open.restype = ctypes.c_void_p
lib.sluice_lookup_open.argtypes = [ctypes.c_char_p]
for function in (lib.sluice_lookup_condition, lib.sluice_lookup_field):
    function.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
lib.sluice_lookup_get.argtypes = [
    ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int, ctypes.POINTER(Value), ctypes.c_size_t]


class Sessions:
    """A shared store, for one thread at a time."""

    def __init__(self, path):
        self.handle = lib.sluice_lookup_open(os.fsencode(path))
        if not self.handle:
            raise OSError(f"cannot open {path}")
        self.active = lib.sluice_lookup_condition(self.handle, b"active")
        self.buffer = ctypes.create_string_buffer(256)
        self.user = Value(
            lib.sluice_lookup_field(self.handle, b"user_id"), ctypes.cast(self.buffer, ctypes.c_char_p), 256)

    def ask(self, key):
        """Returns the answer and the user of an allowed session."""
        answer = lib.sluice_lookup_get(self.handle, key, len(key), self.active, ctypes.byref(self.user), 1)
        # A longer value was cut off: do not act for another user.
        if answer != ALLOWED or self.user.length > self.user.capacity:
            return NAMES[answer if answer != ALLOWED else 0], b""
        return NAMES[answer], self.buffer.raw[: self.user.length]


if __name__ == "__main__":
    sessions = Sessions(sys.argv[1])
    for key in sys.argv[2:]:
        answer, user = sessions.ask(os.fsencode(key))
        print(key, answer, os.fsdecode(user))
