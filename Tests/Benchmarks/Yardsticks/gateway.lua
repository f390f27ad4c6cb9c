-- For wrk: authorization requests for sessions at random, made before the start. Writes one line of JSON.
-- The file of keys is named by the environment, because wrk passes its arguments to threads only.
local requests = {}
local drawn = 0

function init(arguments)
    local target = os.getenv("SLUICE_TARGET")
    for line in io.lines(os.getenv("SLUICE_KEYS")) do
        requests[#requests + 1] = wrk.format("GET", target, { ["X-Device-Session-Id"] = line })
    end
end

function request()
    drawn = drawn % #requests + 1
    return requests[drawn]
end

function done(summary, latency, requests)
    local errors = summary.errors
    local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
    io.write(string.format(
        '{"requests":%d,"failed":%d,"seconds":%.6f,"p50_us":%d,"p99_us":%d}\n',
        summary.requests, failed, summary.duration / 1e6, latency:percentile(50), latency:percentile(99)))
end
