-- One request after another from a file: method, path and body, separated by tabs. Each thread of wrk has its share, and
-- begins again when it is through.
local threads = {}

function setup(thread)
  thread:set("number", #threads)
  threads[#threads + 1] = thread
end

function init(arguments)
  local count = tonumber(arguments[2])
  requests = {}
  local line_number = 0
  for line in io.lines(arguments[1]) do
    if line_number % count == number then
      local method, path, body = line:match("^(%S+)\t(%S+)\t(.*)$")
      local headers = { ["cdi-version"] = "5.4", ["content-type"] = "application/json" }
      requests[#requests + 1] = wrk.format(method, path, headers, body ~= "" and body or nil)
    end
    line_number = line_number + 1
  end
  next_request = 0
  refused = 0
end

function request()
  next_request = next_request % #requests + 1
  return requests[next_request]
end

function response(status, headers, body)
  if status ~= 200 or not body:find('"status":"OK"', 1, true) and not body:find('"keys"', 1, true) then
    refused = refused + 1
  end
end

function done(summary, latency)
  local failed = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  for _, thread in ipairs(threads) do
    failed = failed + thread:get("refused")
  end
  io.write(string.format("RESULT %d %d %d %d\n", summary.requests, summary.duration, latency:percentile(50), failed))
end
