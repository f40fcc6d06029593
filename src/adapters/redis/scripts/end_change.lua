-- Ends a change. A newer revision is taken in, with or without a hold (its writer may have died), and ends
-- any hold, except that a caller without a token of its own leaves a hold alone: its holder waits until no
-- instance says "sold out" by itself any more (services/api/campaign_service.hpp). One that is not newer ends only the caller's own hold, and only if that was not taken over
-- from somebody.
--
-- KEYS: definition
-- ARGV: guard, token of the caller's hold or empty, revision, limit, fields and values of the definition
--
-- {'ok'}, {'conflict'} (the limit is below what is issued), {'closed', epoch}, {'absent'}
local definition = redis.call('HMGET', KEYS[1], 'guard', 'epoch', 'revision', 'issued', 'hold', 'hold_taken')
if not definition[2] then return {'absent'} end
if definition[1] ~= ARGV[1] then return {ARGV[1] == '' and 'unknown' or 'closed', definition[2]} end
if definition[5] ~= '' and ARGV[2] == '' then return {'ok'} end
if tonumber(ARGV[3]) > tonumber(definition[3]) then
  if tonumber(ARGV[4]) < tonumber(definition[4]) then return {'conflict', definition[4]} end
  redis.call('HSET', KEYS[1], 'hold', '', 'hold_since', '0', 'hold_taken', '0', unpack(ARGV, 5))
elseif definition[5] ~= '' and definition[5] == ARGV[2] and definition[6] == '0' then
  redis.call('HSET', KEYS[1], 'hold', '', 'hold_since', '0')
end
return {'ok'}
