-- A campaign's definition and counters, with the time that belongs to them: {now, field, value, ...};
-- {now} when there is none. Numbers that are missing after a loss come as a field of their own,
-- `missing_ranges`: `3-4 6-6`.
--
-- KEYS: definition, missing
local answer = redis.call('HGETALL', KEYS[1])
table.insert(answer, 1, string.format('%.0f', now_us()))
local ranges = redis.call('LRANGE', KEYS[2], 0, -1)
if #answer > 1 and #ranges > 0 then
  answer[#answer + 1] = 'missing_ranges'
  answer[#answer + 1] = table.concat(ranges, ' ')
end
return answer
