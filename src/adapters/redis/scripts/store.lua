-- Last step of the seed's strategies: stores the coupon of a user who was counted, with its outbox entry.
--
-- KEYS: definition, holders, outbox, lock
-- ARGV: guard, user, `0 code`, owner of the lock or empty
--
-- {'ok', decided_at, entry, sequence}; {'held', text} when the user has a coupon already; {'stale'} when
-- the lock is no longer the owner's (fencing: lock and coupons are on one server, so the lock itself is
-- asked); or {'closed', epoch},
-- {'absent'}. Numbers come from `highest` and not from the count, which goes down again when somebody was
-- refused.
local definition = redis.call('HMGET', KEYS[1], 'guard', 'epoch', 'revision', 'highest', 'pending', 'last')
if not definition[2] then return {'absent'} end
if definition[1] ~= ARGV[1] then return {'closed', definition[2]} end
if ARGV[4] ~= '' and redis.call('GET', KEYS[4]) ~= ARGV[4] then return {'stale'} end
local text = redis.call('HGET', KEYS[2], ARGV[2])
if text then return {'held', text} end
local decided = string.format('%.0f', math.max(now_us(), tonumber(definition[6])))
local entry = redis.call('XADD', KEYS[3], string.sub(decided, 1, -4) .. '-*', 'n', '1', 'u', ARGV[2])
local sequence = string.format('%d', definition[4] + 1)
redis.call('HSET', KEYS[2], ARGV[2], ARGV[3] .. ' ' .. sequence .. ' ' .. decided .. ' ' .. definition[2] ..
  ' ' .. definition[3] .. ' 0 ' .. entry)
redis.call('HSET', KEYS[1], 'highest', sequence, 'pending', string.format('%d', definition[5] + 1),
  'last', decided)
return {'ok', decided, entry, sequence}
