-- Notes that an owner of queued requests lives, and gives it those of owners that do not.
--
-- KEYS: owners, the owner's waiting
-- ARGV: owner, microseconds after which one is dead, most requests, what a key of waiting begins with
--
-- {'ok', then for each request: id, how to decide it}. The keys of the dead are not among KEYS: all keys of
-- the book have one hash tag, and Redis Cluster is not offered.
local now = now_us()
redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1])
local answer, left = {'ok'}, tonumber(ARGV[3])
if left == 0 then return answer end
local dead = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - tonumber(ARGV[2])),
  'LIMIT', 0, 16)
for _, owner in ipairs(dead) do
  local key = ARGV[4] .. owner
  if left > 0 then
    local found = redis.call('HRANDFIELD', key, left, 'WITHVALUES')
    for i = 1, #found, 2 do
      redis.call('HDEL', key, found[i])
      redis.call('HSET', KEYS[2], found[i], found[i + 1])
      answer[#answer + 1] = found[i]
      answer[#answer + 1] = found[i + 1]
    end
    left = left - #found / 2
  end
  if redis.call('HLEN', key) == 0 then redis.call('ZREM', KEYS[1], owner) end
end
return answer
