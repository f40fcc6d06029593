-- Decides for a whole batch of users of one campaign, as one step (consistency.md, rules 1, 4, 6 and 7).
--
-- KEYS: definition, holders, outbox, missing
-- ARGV: guard, n, the n users, n words `place code`: the user's place in the batch (from 1) and a code that
--   nobody has seen yet (made by the caller, from a cryptographic source)
--
-- Answers {'absent'}; {'closed', epoch}; {'unknown', epoch} when the caller gave no guard, because it has
-- not heard of the campaign; or {'ok', epoch, revision, durability, decided_at, outbox, first, then pairs of
-- place and item}. Users who stand in no pair are issued, with numbers from `first` on, in their order. An
-- item is
--   a number > 0      issued under that number, which was missing (refilled)
--   -1 sold out, -2 sold out but some are pending, -3 ended, -4 paused, -5 not started, -6 held
--   -1000 - i         the same user stands in this batch already, at place i, and was issued there
--   a text            what the user holds; '!' in front when it is pending
--
-- What a user holds is `offset code base decided_at epoch revision refilled outbox`; the number is offset +
-- base.
--
-- Why it looks like this
--  * The guard is the epoch and the server's run id, as the campaign was opened with. A server that was
--    restarted, set back or emptied, and an instance that has not heard of a recovery, both differ here.
--  * Each redis.call costs about a microsecond, so there are six for a batch: holders are asked for and
--    stored all at once, and the batch has one entry in the outbox that names its users.
--  * To turn a number into text costs Lua as much as a look-up in a hash. So the caller makes the text of
--    the place, and all that follows the code is the same text for all who are admitted in a row. Answers
--    that the caller can work out are not given.
--  * Numbers are turned into text with %d or %.0f: Lua's own conversion drops digits of times.
--  * decided_at never goes back within a campaign, also when the clock does: numbers follow it, and so do
--    the ids of the outbox. The window is checked by the clock itself.
local definition = redis.call('HMGET', KEYS[1], 'guard', 'epoch', 'revision', 'durability', 'limit', 'issued',
  'highest', 'pending', 'missing', 'status', 'starts_at', 'ends_at', 'hold', 'last')
local epoch, revision = definition[2], definition[3]
if not epoch then return {'absent'} end
if definition[1] ~= ARGV[1] then return {ARGV[1] == '' and 'unknown' or 'closed', epoch} end

local n = tonumber(ARGV[2])
local held = redis.call('HMGET', KEYS[2], unpack(ARGV, 3, n + 2))
local now = now_us()
local limit, issued, highest = tonumber(definition[5]), tonumber(definition[6]), tonumber(definition[7])
local missing = tonumber(definition[9])

local refusal
if definition[13] ~= '' then refusal = -6
elseif definition[10] == 'ended' or (definition[12] ~= '' and now >= tonumber(definition[12])) then
  refusal = -3
elseif definition[10] == 'paused' then refusal = -4
elseif definition[11] ~= '' and now < tonumber(definition[11]) then refusal = -5 end

local first = highest + 1
local answer = {'ok', epoch, revision, definition[4], '', '', first}
local sold_out = definition[8] == '0' and -1 or -2
local place, fresh = {}, {}  -- user -> place; the users that are admitted, in their order
local admitted, said = 0, 7
for i = 1, n do
  local user = ARGV[i + 2]
  local item
  if held[i] then
    item = held[i]
    if definition[8] ~= '0' then
      local entry = string.match(item, '(%S+)$')
      if entry ~= '-' and #redis.call('XRANGE', KEYS[3], entry, entry) > 0 then item = '!' .. item end
    end
  elseif place[user] then item = -1000 - place[user]
  elseif refusal then item = refusal
  elseif issued >= limit then item = sold_out
  else
    issued = issued + 1
    admitted = admitted + 1
    sold_out = -2
    fresh[admitted] = user
    place[user] = i
  end
  if item then
    answer[said + 1] = i
    answer[said + 2] = item
    said = said + 2
  end
end
if admitted == 0 then return answer end

-- Numbers that were missing go to the first of those admitted.
local refilled = {}
while #refilled < admitted and missing > 0 do
  local range = redis.call('LPOP', KEYS[4])
  local from, to = string.match(range, '^(%d+)-(%d+)$')
  from, to = tonumber(from), tonumber(to)
  while from <= to and #refilled < admitted do
    refilled[#refilled + 1] = from
    from = from + 1
    missing = missing - 1
  end
  if from <= to then redis.call('LPUSH', KEYS[4], string.format('%d-%d', from, to)) end
end

local decided = string.format('%.0f', math.max(now, tonumber(definition[14])))
local entry = redis.call('XADD', KEYS[3], string.sub(decided, 1, -4) .. '-*', 'n',
  string.format('%d', admitted), 'u', table.concat(fresh, ' '))
local common = ' ' .. decided .. ' ' .. epoch .. ' ' .. revision
local fields, base, tail = {}, nil, nil
for k = 1, admitted do
  local user = fresh[k]
  local i = place[user]
  if k <= #refilled then
    base, tail = nil, ' ' .. string.format('%d', refilled[k] - i) .. common .. ' 1 ' .. entry
    answer[said + 1] = i
    answer[said + 2] = refilled[k]
    said = said + 2
  else
    highest = highest + 1
    if highest - i ~= base then
      base = highest - i
      tail = ' ' .. string.format('%d', base) .. common .. ' 0 ' .. entry
    end
  end
  fields[2 * k - 1] = user
  fields[2 * k] = ARGV[i + n + 2] .. tail
end
redis.call('HSET', KEYS[2], unpack(fields))
redis.call('HSET', KEYS[1], 'issued', string.format('%d', issued), 'highest', string.format('%d', highest),
  'pending', string.format('%d', definition[8] + admitted), 'last', decided)
if #refilled > 0 then redis.call('HSET', KEYS[1], 'missing', string.format('%d', missing)) end
answer[5] = decided
answer[6] = entry
return answer
