-- Looks up sessions in the file of a shared store by LuaJIT's FFI; prints the nanoseconds of a lookup.
-- Arguments: the C library, the file of the store, a file with the bytes of keys, the length of a key, lookups.
local ffi = require "ffi"
local bit = require "bit"
local library, path, keys, length, lookups = ...
length, lookups = tonumber(length), tonumber(lookups)

ffi.cdef [[
typedef struct sluice_lookup sluice_lookup;
sluice_lookup *sluice_lookup_open(const char *path);
int sluice_lookup_condition(sluice_lookup *lookup, const char *name);
int sluice_lookup_ask(sluice_lookup *lookup, const void *key, size_t key_length, int condition);
struct bench_time { long seconds; long nanoseconds; };
int clock_gettime(int clock, struct bench_time *time);
]]

local ALLOWED, MONOTONIC = 1, 1

local lib = ffi.load(library)
local sessions = lib.sluice_lookup_open(path)
assert(sessions ~= nil, "cannot open the sessions")
local active = lib.sluice_lookup_condition(sessions, "active")
local text = assert(io.open(keys, "rb")):read("*a")
local bytes = ffi.cast("const uint8_t *", text)
-- A power of two.
local total = #text / length

local function ask(count)
    local allowed = 0
    for index = 0, count - 1 do
        local key = bytes + bit.band(index, total - 1) * length
        if lib.sluice_lookup_ask(sessions, key, length, active) == ALLOWED then allowed = allowed + 1 end
    end
    return allowed
end

local time = ffi.new("struct bench_time")
local function now()
    ffi.C.clock_gettime(MONOTONIC, time)
    return tonumber(time.seconds) * 1e9 + tonumber(time.nanoseconds)
end

-- A first round, in which the pages of the file are mapped and the loop is compiled.
ask(lookups / 2)
local start = now()
local allowed = ask(lookups)
local took = now() - start
-- A writer that the system suspends in the middle of a change makes a few lookups wait in vain.
assert(allowed >= lookups - lookups / 1000, "every session is there and active")
io.write(string.format("%.3f\n", took / lookups))
