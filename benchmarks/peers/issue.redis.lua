-- KEYS: users (hash user -> "code sequence"), issued (counter), limit. ARGV: user, code.
local had = redis.call('HGET', KEYS[1], ARGV[1])
if had then
  local code, sequence = string.match(had, '(%S+) (%S+)')
  return {'already', code, sequence}
end
if tonumber(redis.call('GET', KEYS[2]) or '0') >= tonumber(redis.call('GET', KEYS[3]) or '0') then
  return {'sold-out'}
end
local sequence = redis.call('INCR', KEYS[2])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. sequence)
return {'issued', ARGV[2], tostring(sequence)}
