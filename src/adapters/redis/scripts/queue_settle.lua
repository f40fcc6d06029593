-- Notes the outcomes of queued requests; the first one of a request stays. Forgets old ones.
--
-- KEYS: answers, settled, the owner's waiting
-- ARGV: most settled, microseconds for which one is kept, then for each outcome: id, `s user body`
--
-- {'ok'}. A request whose first note is lost is noted all the same. `settled` has `time id` in the order of
-- settling; as many as came in and some more are looked at, so that the list gets shorter when it is too long.
local now = now_us()
for i = 3, #ARGV, 2 do
  local before = redis.call('HGET', KEYS[1], ARGV[i])
  if not before or string.sub(before, 1, 1) ~= 's' then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
    redis.call('RPUSH', KEYS[2], string.format('%.0f ', now) .. ARGV[i])
  end
  redis.call('HDEL', KEYS[3], ARGV[i])
end
local too_many = redis.call('LLEN', KEYS[2]) - tonumber(ARGV[1])
for looked = 1, #ARGV + 16 do
  local first = redis.call('LINDEX', KEYS[2], 0)
  if not first then break end
  local since, id = string.match(first, '^(%d+) (.*)$')
  if looked > too_many and now - tonumber(since) < tonumber(ARGV[2]) then break end
  redis.call('LPOP', KEYS[2])
  redis.call('HDEL', KEYS[1], id)
end
return {'ok'}
