-- Gives a lock back and wakes those who wait: 1, or 0 when it was not the owner's any more.
--
-- KEYS: lock
-- ARGV: owner, channel
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', ARGV[2], 'free')
return 1
