-- Lets a request pass if its session is allowed.
local ffi = require "ffi"

ffi.cdef [[
typedef struct sluice_lookup sluice_lookup;
struct sluice_value { int field; void *buffer; size_t capacity; size_t length; int present; };
sluice_lookup *sluice_lookup_open(const char *path);
int sluice_lookup_condition(sluice_lookup *lookup, const char *name);
int sluice_lookup_field(sluice_lookup *lookup, const char *name);
int sluice_lookup_get(sluice_lookup *lookup, const void *key, size_t key_length, int condition,
                      struct sluice_value *values, size_t count);
]]

local REFUSED, ALLOWED, ABSENT = 0, 1, 2

local lib = ffi.load("libsluice-lookup.so.1")
-- One handle for each worker process of nginx, which has one thread.
local sessions = lib.sluice_lookup_open("/dev/shm/sluice/sessions")
if sessions == nil then error("cannot open the sessions") end
local active = lib.sluice_lookup_condition(sessions, "active")
local user = ffi.new("unsigned char[256]")
local value = ffi.new("struct sluice_value[1]")
value[0].field = lib.sluice_lookup_field(sessions, "user_id")
value[0].buffer = user
value[0].capacity = ffi.sizeof(user)

local function check()
    -- 0: all headers, so that a second id is not overlooked.
    local id = ngx.req.get_headers(0)["X-Device-Session-Id"]
    if type(id) ~= "string" then return ngx.exit(401) end
    local answer = lib.sluice_lookup_get(sessions, id, #id, active, value, 1)
    if answer == ABSENT then return ngx.exit(401) end
    if answer == REFUSED then return ngx.exit(403) end
    if answer ~= ALLOWED then return ngx.exit(503) end
    local length = tonumber(value[0].length)
    -- A longer value was cut off: do not act for another user.
    if length > ffi.sizeof(user) then return ngx.exit(403) end
    -- A loop, because LuaJIT does not compile `find`: no control characters in a header.
    for index = 0, length - 1 do
        if user[index] < 32 or user[index] == 127 then return ngx.exit(403) end
    end
    ngx.req.set_header("X-User-Id", ffi.string(user, length))
end

return { check = check }
