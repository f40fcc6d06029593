-- Takes in a campaign that has just been written to the database, and decides from now on. Only where
-- there is nothing of it: what is left of a lost one is a matter for a recovery.
--
-- KEYS: definition, holders, outbox, the caller's note that it prepares the campaign
-- ARGV: guard, fields and values of the definition
--
-- {'ok'}, {'conflict'} (it is there already), {'closed'} (holders without a definition; or the caller's note is
-- gone: everything here may have been lost since it was written, and the campaign recovered and lost, too)
--
-- `about` is longer than 64 bytes on purpose: that makes Redis keep the hash as a table, in which the
-- script that decides finds a field three times as fast as in a list (hash-max-listpack-value).
if redis.call('EXISTS', KEYS[1]) == 1 then return {'conflict'} end
if redis.call('EXISTS', KEYS[2], KEYS[3]) > 0 or redis.call('EXISTS', KEYS[4]) == 0 then
  return {'closed', '0'}
end
redis.call('DEL', KEYS[4])
redis.call('HSET', KEYS[1], 'about',
  "Definition and counters of one campaign. Doorbuster's scripts alone write it: see its docs/redis.md.",
  'format', '1', 'guard', ARGV[1], 'issued', '0', 'highest', '0', 'pending', '0', 'missing', '0', 'last', '0',
  'hold', '', 'hold_since', '0', 'hold_taken', '0', unpack(ARGV, 2))
return {'ok'}
