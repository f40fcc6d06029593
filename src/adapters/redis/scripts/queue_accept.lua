-- Notes queued requests of an owner: all or none.
--
-- KEYS: answers, settled, owners, the owner's waiting
-- ARGV: owner, most pending, then for each request: id, its answer (`p user body`), how to decide it
--
-- {'ok'}, or {'full'}. Pending are all answers that are not settled, those of dead owners too.
local n = (#ARGV - 2) / 3
if redis.call('HLEN', KEYS[1]) - redis.call('LLEN', KEYS[2]) + n > tonumber(ARGV[2]) then return {'full'} end
for i = 3, #ARGV, 3 do
  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
  redis.call('HSET', KEYS[4], ARGV[i], ARGV[i + 2])
end
redis.call('ZADD', KEYS[3], string.format('%.0f', now_us()), ARGV[1])
return {'ok'}
