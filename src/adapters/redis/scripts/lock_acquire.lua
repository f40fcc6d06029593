-- Takes a lock that nobody has, for a time (after Redisson's RLock, without re-entry).
--
-- KEYS: lock, fence
-- ARGV: owner, milliseconds
--
-- {1, token} or {0, milliseconds until it ends at latest}. Tokens rise with every taking of any lock that
-- shares the fence: what is protected refuses one that is lower than it has seen.
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return {1, redis.call('INCR', KEYS[2])} end
return {0, redis.call('PTTL', KEYS[1])}
