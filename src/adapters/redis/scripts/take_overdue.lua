-- Claims outbox entries that have waited for long, whoever made them, and names their coupons.
--
-- KEYS: definition, outbox, claims, holders
-- ARGV: guard, microseconds, most coupons
--
-- An entry waits since the time in its id (to the millisecond), or since it was last claimed. Whole
-- entries, at least one if any is due. Answers {'ok', then for each coupon: id of its entry, user, what
-- the user holds}, {'closed', epoch} or {'absent'}. The ids are in order of time, so the search ends at
-- the first one that is too young. It looks at no more than 4096 entries, so that a long outbox does not
-- stop the server: those in front are claimed and confirmed first.
local definition = redis.call('HMGET', KEYS[1], 'guard', 'epoch')
if not definition[2] then return {'absent'} end
if definition[1] ~= ARGV[1] then return {'closed', definition[2]} end
local now = now_us()
local cutoff = now - tonumber(ARGV[2])
local most = tonumber(ARGV[3])
local answer, users, ids = {'ok'}, {}, {}
local from, looked_at = '-', 0
while looked_at < 4096 and #users < most do
  local entries = redis.call('XRANGE', KEYS[2], from, '+', 'COUNT', 64)
  if #entries == 0 then break end
  local too_young = false
  for _, entry in ipairs(entries) do
    local id = entry[1]
    from = '(' .. id
    looked_at = looked_at + 1
    if tonumber(string.match(id, '^%d+')) * 1000 >= cutoff then too_young = true break end
    local claimed = redis.call('HGET', KEYS[3], id)
    if not claimed or tonumber(claimed) < cutoff then
      redis.call('HSET', KEYS[3], id, string.format('%.0f', now))
      for user in string.gmatch(entry[2][4], '%S+') do
        users[#users + 1] = user
        ids[#users] = id
      end
      if #users >= most then break end
    end
  end
  if too_young then break end
end
for first = 1, #users, 1000 do
  local last = math.min(first + 999, #users)
  local held = redis.call('HMGET', KEYS[4], unpack(users, first, last))
  for i = first, last do
    answer[#answer + 1] = ids[i]
    answer[#answer + 1] = users[i]
    answer[#answer + 1] = held[i - first + 1] or ''
  end
end
return answer
