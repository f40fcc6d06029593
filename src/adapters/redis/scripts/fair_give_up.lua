-- A waiter leaves the queue; those behind it move up. When it was at the head, the next one is woken.
--
-- KEYS: lock, queue, deadlines
-- ARGV: owner, milliseconds that a waiter may be silent, prefix of the waiters' channels
local queue = redis.call('LRANGE', KEYS[2], 0, -1)
local found = false
for _, waiter in ipairs(queue) do
  if found then redis.call('ZINCRBY', KEYS[3], '-' .. ARGV[2], waiter) end
  if waiter == ARGV[1] then found = true end
end
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('LREM', KEYS[2], 1, ARGV[1])
local head = redis.call('LINDEX', KEYS[2], 0)
if head and queue[1] == ARGV[1] and redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('PUBLISH', ARGV[3] .. head, 'free')
end
return found and 1 or 0
