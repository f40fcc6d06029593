-- Recovery: sets what the campaign held aside and begins with an empty one. Something that was set aside
-- before, by a recovery that was killed, is all that the ledger knows: it stays, and the half-filled
-- campaign goes.
--
-- KEYS: definition, holders, outbox, claims, missing, holders set aside, members
-- ARGV: guard of a closed campaign, run id
--
-- {'ok'} or {'conflict'} (open, or at another epoch). `last` stays, so that ids of the outbox go on
-- upwards.
local definition = redis.call('HMGET', KEYS[1], 'guard', 'last')
if definition[1] ~= ARGV[1] then return {'conflict'} end
if redis.call('EXISTS', KEYS[6]) == 0 and redis.call('EXISTS', KEYS[2]) == 1 then
  redis.call('RENAME', KEYS[2], KEYS[6])
end
redis.call('UNLINK', KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[7])
redis.call('HSET', KEYS[1], 'issued', '0', 'highest', '0', 'pending', '0', 'missing', '0',
  'rebuild_run', ARGV[2])
return {'ok'}
