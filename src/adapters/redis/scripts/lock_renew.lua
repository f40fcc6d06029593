-- The watchdog: 1, or 0 when the lock is not the owner's any more.
--
-- KEYS: lock
-- ARGV: owner, milliseconds
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
