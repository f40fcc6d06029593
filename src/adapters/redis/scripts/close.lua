-- Recovery, first step in Redis: takes over the definition with its new epoch. The guard no longer fits
-- anybody's, so that no decision and no confirmation succeeds. Holders and outbox stay.
--
-- KEYS: definition
-- ARGV: guard of a closed campaign, epoch, fields and values of the definition
--
-- {'ok'} or {'conflict', epoch} (a later one). Told again: no change.
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if epoch and tonumber(epoch) > tonumber(ARGV[2]) then return {'conflict', epoch} end
if not epoch then
  redis.call('HSET', KEYS[1], 'about',
    "Definition and counters of one campaign. Doorbuster's scripts alone write it: see its docs/redis.md.",
    'format', '1', 'issued', '0', 'highest', '0', 'pending', '0', 'missing', '0', 'last', '0')
end
redis.call('HSET', KEYS[1], 'guard', ARGV[1], 'hold', '', 'hold_since', '0', 'hold_taken', '0',
  unpack(ARGV, 3))
return {'ok'}
