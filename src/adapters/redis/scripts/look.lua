-- First step of the seed's strategies: what would be decided now, without deciding it. The steps that
-- follow are calls of their own, so that another request may come between any two of them
-- (docs/strategies.md).
--
-- KEYS: definition, holders, outbox
-- ARGV: guard, user
--
-- {'ok', epoch, revision, durability, limit, refusal or 0, text of the user's coupon or false}, as in
-- decide.lua; sold out only when as many coupons are stored as the limit says. Or {'closed', epoch},
-- {'unknown', epoch}, {'absent'}.
local definition = redis.call('HMGET', KEYS[1], 'guard', 'epoch', 'revision', 'durability', 'limit', 'pending',
  'status', 'starts_at', 'ends_at', 'hold')
if not definition[2] then return {'absent'} end
if definition[1] ~= ARGV[1] then return {ARGV[1] == '' and 'unknown' or 'closed', definition[2]} end
local text = redis.call('HGET', KEYS[2], ARGV[2])
if text then
  local entry = string.match(text, '(%S+)$')
  if entry ~= '-' and #redis.call('XRANGE', KEYS[3], entry, entry) > 0 then text = '!' .. text end
end
local now = now_us()
local refusal = 0
if definition[10] ~= '' then refusal = -6
elseif definition[7] == 'ended' or (definition[9] ~= '' and now >= tonumber(definition[9])) then refusal = -3
elseif definition[7] == 'paused' then refusal = -4
elseif definition[8] ~= '' and now < tonumber(definition[8]) then refusal = -5
elseif redis.call('HLEN', KEYS[2]) >= tonumber(definition[5]) then
  refusal = definition[6] == '0' and -1 or -2
end
return {'ok', definition[2], definition[3], definition[4], definition[5], refusal, text}
