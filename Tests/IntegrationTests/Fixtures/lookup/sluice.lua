-- Lets a request pass if its session is allowed, and sets $sluice_user to the session's user.
local ffi = require "ffi"
local get_request = require("resty.core.base").get_request

ffi.cdef [[
typedef struct sluice_lookup sluice_lookup;
struct sluice_value { int field; void *buffer; size_t capacity; size_t length; int present; };
sluice_lookup *sluice_lookup_open(const char *path);
int sluice_lookup_condition(sluice_lookup *lookup, const char *name);
int sluice_lookup_field(sluice_lookup *lookup, const char *name);
int sluice_lookup_get(sluice_lookup *lookup, const void *key, size_t key_length, int condition,
                      struct sluice_value *values, size_t count);
int memcmp(const void *left, const void *right, size_t length);
]]

local REFUSED, ALLOWED, ABSENT = 0, 1, 2
-- The headers with the id and with the user, in lower case.
local ID, USER = "x-device-session-id", "x-user-id"

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

-- Headers as ngx.req.get_headers reads them, but without a table and its strings, which take longer than the lookup.
local headers_type = ffi.typeof("ngx_http_lua_ffi_table_elt_t[?]")
local room = 64
local headers = headers_type(room)
local truncated = ffi.new("int[1]")

-- Whether a header has a name, or one that upstreams may take for it: x_user_id, if underscores_in_headers is on.
local function is_like(key, name)
    if key.len ~= #name then return false end
    if ffi.C.memcmp(key.data, name, #name) == 0 then return true end
    for index = 1, #name do
        local byte = name:byte(index)
        if byte ~= 45 and byte ~= key.data[index - 1] then return false end
    end
    return true
end

local function check()
    local request = get_request()
    -- 0: all headers, so that a second id is not overlooked.
    local count = ffi.C.ngx_http_lua_ffi_req_get_headers_count(request, 0, truncated)
    if count > room then
        headers, room = headers_type(count), count
    end
    ffi.C.ngx_http_lua_ffi_req_get_headers(request, headers, count, 0)
    local found
    for index = 0, count - 1 do
        local key = headers[index].key
        if is_like(key, ID) then
            -- Upstreams may read another one of several ids.
            if found then return ngx.exit(401) end
            found = index
        elseif is_like(key, USER) then
            ngx.req.clear_header(ffi.string(key.data, key.len))
        end
    end
    if not found then return ngx.exit(401) end
    local id = headers[found].value
    local answer = lib.sluice_lookup_get(sessions, id.data, id.len, active, value, 1)
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
    ngx.var.sluice_user = ffi.string(user, length)
end

return { check = check }
