-- The events of these outbox entries are safe: the entries go. Only after this succeeded may users be
-- told, so it fails as soon as the campaign was closed or is at another epoch (consistency.md, rule 3).
--
-- KEYS: definition, outbox, claims
-- ARGV: guard, then for each entry its id and the number of its coupons that the caller has
--
-- All or none. Told again, or of an entry that is not there: no effect. An entry of which the caller has
-- only some coupons stays, and so do all others: {'partial', id}. Otherwise {'ok'}, {'closed', epoch} or
-- {'absent'}.
local definition = redis.call('HMGET', KEYS[1], 'guard', 'pending', 'epoch')
if not definition[1] then return {'absent'} end
if definition[1] ~= ARGV[1] then return {'closed', definition[3]} end
local coupons, ids = 0, {}
for i = 2, #ARGV, 2 do
  local entry = redis.call('XRANGE', KEYS[2], ARGV[i], ARGV[i])[1]
  if entry then
    if entry[2][2] ~= ARGV[i + 1] then return {'partial', ARGV[i]} end
    coupons = coupons + tonumber(entry[2][2])
    ids[#ids + 1] = ARGV[i]
  end
end
if coupons > 0 then
  -- In parts: Lua's stack ends at about 8,000, and confirmations that came together may be more.
  for from = 1, #ids, 1000 do
    local to = math.min(from + 999, #ids)
    redis.call('XDEL', KEYS[2], unpack(ids, from, to))
    redis.call('HDEL', KEYS[3], unpack(ids, from, to))
  end
  redis.call('HSET', KEYS[1], 'pending', string.format('%d', definition[2] - coupons))
end
return {'ok'}
