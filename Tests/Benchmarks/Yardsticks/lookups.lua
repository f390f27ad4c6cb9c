-- For wrk: asks for sessions at random, and writes what came out as one line of JSON.
-- The file of keys is named by the environment, as wrk hands its arguments to threads only.
local keys = {}

function init(arguments)
    for line in io.lines(os.getenv("SLUICE_KEYS")) do keys[#keys + 1] = line end
    math.randomseed(os.time() + tonumber(tostring({}):sub(8), 16) % 100000)
end

function request()
    return wrk.format("GET", "/v1/stores/sessions/" .. keys[math.random(#keys)])
end

function done(summary, latency, requests)
    local errors = summary.errors
    local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
    io.write(string.format(
        '{"requests":%d,"failed":%d,"seconds":%.6f,"p50_us":%d,"p99_us":%d}\n',
        summary.requests, failed, summary.duration / 1e6, latency:percentile(50), latency:percentile(99)))
end
