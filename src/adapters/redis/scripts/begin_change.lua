-- Holds new decisions, so that the number of coupons stands still while a change is checked and written.
--
-- KEYS: definition
-- ARGV: guard, token, microseconds after which a hold may be taken over
--
-- {'ok', now, all fields}, {'held'}, {'closed', epoch}, {'absent'}. A hold that was taken over may still
-- have a change on its way to the catalog: it ends by a newer revision alone (end_change.lua).
local definition = redis.call('HMGET', KEYS[1], 'guard', 'epoch', 'hold', 'hold_since')
if not definition[2] then return {'absent'} end
if definition[1] ~= ARGV[1] then return {ARGV[1] == '' and 'unknown' or 'closed', definition[2]} end
local now = now_us()
if definition[3] ~= '' then
  if now - tonumber(definition[4]) < tonumber(ARGV[3]) then return {'held'} end
  redis.call('HSET', KEYS[1], 'hold_taken', '1')
end
redis.call('HSET', KEYS[1], 'hold', ARGV[2], 'hold_since', string.format('%.0f', now))
local answer = redis.call('HGETALL', KEYS[1])
table.insert(answer, 1, string.format('%.0f', now))
table.insert(answer, 1, 'ok')
return answer
