-- Says whether an order was accepted. A key that nobody has used is fenced: it never will be.
-- KEYS: the SKU's orders. ARGV: key, user, quantity.
-- 1 accepted, -4 fenced, -5 the key is another order's.
local before = redis.call('HGET', KEYS[1], ARGV[1])
if before == ARGV[3] .. ' ' .. ARGV[2] then return 1 end
if before and before ~= 'fenced' then return -5 end
redis.call('HSET', KEYS[1], ARGV[1], 'fenced')
return -4
