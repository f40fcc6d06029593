-- Decides for a whole batch of users of one campaign, as one step (consistency.md, rules 1, 4, 6 and 7).
--
-- KEYS: definition, holders, outbox, missing
-- ARGV: guard, n, the n users, n codes that nobody has seen yet (made by the caller, from a cryptographic
-- source)
--
-- Answers {'absent'}; {'closed', epoch}; {'unknown', epoch} when the caller gave no guard, because it has
-- not heard of the campaign; or {'ok', epoch, revision, durability, decided_at, outbox, then one item a
-- user}:
--   a number > 0      issued under that number; plus 2^40 when it was missing and is refilled
--   -1 sold out, -2 sold out but some are pending, -3 ended, -4 paused, -5 not started, -6 held
--   -1000 - i         the same user stands in this batch already, at place i (from 1), and was issued there
--   a text            what the user holds; '!' in front when it is pending
--
-- Why it looks like this
--  * The guard is the epoch and the server's run id, as the campaign was opened with. A server that was
--    restarted, set back or emptied, and an instance that has not heard of a recovery, both differ here.
--  * Each redis.call costs about a microsecond, so there are six for a batch: holders are asked for and
--    stored all at once, and the batch has one entry in the outbox that names its users.
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

local answer = {'ok', epoch, revision, definition[4], '', ''}
local sold_out = definition[8] == '0' and -1 or -2
local place, fresh = {}, {}  -- user -> place; the users that are admitted, in their order
local admitted, refilled = 0, 0
for i = 1, n do
  local user = ARGV[i + 2]
  if held[i] then
    local text = held[i]
    if definition[8] ~= '0' then
      local entry = string.match(text, '(%S+)$')
      if entry ~= '-' and #redis.call('XRANGE', KEYS[3], entry, entry) > 0 then text = '!' .. text end
    end
    answer[i + 6] = text
  elseif place[user] then answer[i + 6] = -1000 - place[user]
  elseif refusal then answer[i + 6] = refusal
  elseif issued >= limit then answer[i + 6] = sold_out
  else
    issued = issued + 1
    admitted = admitted + 1
    sold_out = -2
    fresh[admitted] = user
    place[user] = i
    if missing > 0 then
      missing = missing - 1
      refilled = refilled + 1
    else
      highest = highest + 1
      answer[i + 6] = highest
    end
  end
end
if admitted == 0 then return answer end

-- Numbers that were missing go to the first of those admitted.
for k = 1, refilled do
  local range = redis.call('LPOP', KEYS[4])
  local first, last = string.match(range, '^(%d+)-(%d+)$')
  answer[place[fresh[k]] + 6] = tonumber(first) + 1099511627776
  if tonumber(first) < tonumber(last) then
    redis.call('LPUSH', KEYS[4], string.format('%d-%d', tonumber(first) + 1, tonumber(last)))
  end
end

local decided = string.format('%.0f', math.max(now, tonumber(definition[14])))
local count = string.format('%d', admitted)
local entry = redis.call('XADD', KEYS[3], string.sub(decided, 1, -4) .. '-*', 'n', count, 'u',
  table.concat(fresh, ' '))
local tail = ' ' .. decided .. ' ' .. epoch .. ' ' .. revision .. ' 0 ' .. entry
local again = ' ' .. decided .. ' ' .. epoch .. ' ' .. revision .. ' 1 ' .. entry
local fields = {}
for k = 1, admitted do
  local user = fresh[k]
  local i = place[user]
  fields[2 * k - 1] = user
  if k > refilled then
    fields[2 * k] = string.format('%d', answer[i + 6]) .. ' ' .. ARGV[i + n + 2] .. tail
  else
    fields[2 * k] = string.format('%d', answer[i + 6] - 1099511627776) .. ' ' .. ARGV[i + n + 2] .. again
  end
end
redis.call('HSET', KEYS[2], unpack(fields))
redis.call('HSET', KEYS[1], 'issued', string.format('%d', issued), 'highest', string.format('%d', highest),
  'pending', string.format('%d', definition[8] + admitted), 'last', decided)
if refilled > 0 then redis.call('HSET', KEYS[1], 'missing', string.format('%d', missing)) end
answer[5] = decided
answer[6] = entry
return answer
