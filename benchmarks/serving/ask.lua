-- Posts the bodies of a file, one after the other, and prints one line of JSON at the end.
-- ASK_BODIES: file in which each body follows its length and a newline; ASK_PATH, ASK_TYPE.
local requests, place = {}, 0

function init()
  local file = assert(io.open(os.getenv("ASK_BODIES"), "rb"))
  local headers = { ["Content-Type"] = os.getenv("ASK_TYPE") }
  while true do
    local length = file:read("*l")
    if not length then break end
    local body = file:read(tonumber(length))
    requests[#requests + 1] = wrk.format("POST", os.getenv("ASK_PATH"), headers, body)
  end
end

function request()
  place = place % #requests + 1
  return requests[place]
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %.6f, "p50_ms": %.4f, "p99_ms": %.4f, "failed": %d, "broken": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3, e.status, e.connect + e.read + e.write + e.timeout))
end
