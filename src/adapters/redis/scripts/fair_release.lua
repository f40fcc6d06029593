-- Gives a fair lock back and wakes the first who waits, alone: 1, or 0 when it was not the owner's any
-- more.
--
-- KEYS: lock, queue, deadlines
-- ARGV: owner, prefix of the waiters' channels
local now = math.floor(now_us() / 1000)
while true do
  local head = redis.call('LINDEX', KEYS[2], 0)
  if not head or tonumber(redis.call('ZSCORE', KEYS[3], head) or 0) > now then break end
  redis.call('ZREM', KEYS[3], head)
  redis.call('LPOP', KEYS[2])
end
local released = redis.call('GET', KEYS[1]) == ARGV[1]
if released then redis.call('DEL', KEYS[1]) end
local head = redis.call('LINDEX', KEYS[2], 0)
if head and redis.call('EXISTS', KEYS[1]) == 0 then redis.call('PUBLISH', ARGV[2] .. head, 'free') end
return released and 1 or 0
