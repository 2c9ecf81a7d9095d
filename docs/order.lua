-- One order a request for wrk: a new user and a new idempotency key each time.
local n, run = 0, os.time()
function request()
  n = n + 1
  local who = run .. "-" .. n
  return wrk.format("POST", "/v1/orders",
    { ["Content-Type"] = "application/json", ["Idempotency-Key"] = who },
    '{"sku":"shoe","user":"' .. who .. '"}')
end
