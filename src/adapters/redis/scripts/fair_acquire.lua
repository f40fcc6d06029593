-- Takes a lock in the order of asking (after Redisson's RFairLock, but by the server's clock, not the
-- caller's).
--
-- KEYS: lock, fence, queue (list of owners), deadlines (sorted set: owner -> milliseconds)
-- ARGV: owner, milliseconds of the lease, milliseconds that a waiter may be silent at the head
--
-- {1, token} or {0, milliseconds after which to ask again}. A waiter that died is passed over when its
-- deadline comes, and not before. Each handing over moves the deadline of all who wait, as there:
-- O(waiters), which is what makes this lock slow for a crowd.
local now = math.floor(now_us() / 1000)
while true do
  local head = redis.call('LINDEX', KEYS[3], 0)
  if not head or tonumber(redis.call('ZSCORE', KEYS[4], head) or 0) > now then break end
  redis.call('ZREM', KEYS[4], head)
  redis.call('LPOP', KEYS[3])
end
local head = redis.call('LINDEX', KEYS[3], 0)
local free = redis.call('EXISTS', KEYS[1]) == 0
if free and (not head or head == ARGV[1]) then
  if head then
    redis.call('LPOP', KEYS[3])
    redis.call('ZREM', KEYS[4], ARGV[1])
  end
  for _, waiter in ipairs(redis.call('ZRANGE', KEYS[4], 0, -1)) do
    redis.call('ZINCRBY', KEYS[4], '-' .. ARGV[3], waiter)
  end
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return {1, redis.call('INCR', KEYS[2])}
end
local wait = redis.call('PTTL', KEYS[1])
if wait < 0 then wait = 0 end
local mine = redis.call('ZSCORE', KEYS[4], ARGV[1])
if not mine then
  local last = redis.call('LINDEX', KEYS[3], -1)
  local before = wait
  if last then before = math.max(tonumber(redis.call('ZSCORE', KEYS[4], last)) - now, 0) end
  redis.call('ZADD', KEYS[4], string.format('%.0f', now + before + tonumber(ARGV[3])), ARGV[1])
  redis.call('RPUSH', KEYS[3], ARGV[1])
end
-- Free, but somebody is before: no later than when he is passed over.
if free then wait = math.max(tonumber(redis.call('ZSCORE', KEYS[4], head)) - now, 1) end
return {0, math.max(wait, 1)}
