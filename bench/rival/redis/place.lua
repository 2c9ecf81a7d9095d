-- Places an order, once for each key.
-- KEYS: the SKU (stock, available, limit), its users (units of each), its orders (by key: quantity, a space, user; or "fenced").
-- ARGV: key, user, quantity.
-- 1 accepted, 2 accepted before, -1 sold out, -2 not enough left, -3 over the limit, -4 fenced, -5 the key is another order's, -6 no such SKU.
local order = ARGV[3] .. ' ' .. ARGV[2]
local before = redis.call('HGET', KEYS[3], ARGV[1])
if before then
  if before == order then return 2 end
  if before == 'fenced' then return -4 end
  return -5
end
local sku = redis.call('HMGET', KEYS[1], 'available', 'limit')
if not sku[1] then return -6 end
local available, limit, qty = tonumber(sku[1]), tonumber(sku[2]), tonumber(ARGV[3])
if limit > 0 and qty + tonumber(redis.call('HGET', KEYS[2], ARGV[2]) or 0) > limit then return -3 end
if available == 0 then return -1 end
if available < qty then return -2 end
redis.call('HINCRBY', KEYS[1], 'available', -qty)
if limit > 0 then redis.call('HINCRBY', KEYS[2], ARGV[2], qty) end
redis.call('HSET', KEYS[3], ARGV[1], order)
return 1
