-- Recovery: adds holders. Pending ones get an entry in the outbox, for the relay of any instance.
--
-- KEYS: definition, holders, outbox
-- ARGV: guard of a closed campaign, run id, 1 when they are safe, highest number among them, n, then user
-- and text of
--   each; the text of a pending one lacks the id of its entry, which stands last
--
-- {'ok'} or {'conflict'}
local definition = redis.call('HMGET', KEYS[1], 'guard', 'rebuild_run', 'highest', 'pending', 'last')
if definition[1] ~= ARGV[1] or definition[2] ~= ARGV[2] then return {'conflict'} end
local n = tonumber(ARGV[5])
if tonumber(ARGV[4]) > tonumber(definition[3]) then redis.call('HSET', KEYS[1], 'highest', ARGV[4]) end
if ARGV[3] == '1' then
  redis.call('HSET', KEYS[2], unpack(ARGV, 6))
  return {'ok'}
end
local users, fields = {}, {}
for k = 1, n do users[k] = ARGV[4 + 2 * k] end
local now = string.format('%.0f', math.max(now_us(), tonumber(definition[5])))
local entry = redis.call('XADD', KEYS[3], string.sub(now, 1, -4) .. '-*', 'n', string.format('%d', n), 'u',
  table.concat(users, ' '))
for k = 1, n do
  fields[2 * k - 1] = users[k]
  fields[2 * k] = ARGV[5 + 2 * k] .. entry
end
redis.call('HSET', KEYS[2], unpack(fields))
redis.call('HSET', KEYS[1], 'pending', string.format('%d', definition[4] + n), 'last', now)
return {'ok'}
