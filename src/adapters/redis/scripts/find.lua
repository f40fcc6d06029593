-- What a user holds: {'ok', durability, revision, text or false}, as in decide.lua; {'closed', epoch},
-- {'absent'}.
--
-- KEYS: definition, holders, outbox
-- ARGV: guard, user
local definition = redis.call('HMGET', KEYS[1], 'guard', 'epoch', 'durability', 'revision')
if not definition[2] then return {'absent'} end
if definition[1] ~= ARGV[1] then return {ARGV[1] == '' and 'unknown' or 'closed', definition[2]} end
local text = redis.call('HGET', KEYS[2], ARGV[2])
if text then
  local entry = string.match(text, '(%S+)$')
  if entry ~= '-' and #redis.call('XRANGE', KEYS[3], entry, entry) > 0 then text = '!' .. text end
end
return {'ok', definition[3], definition[4], text}
