-- A campaign's definition and counters, with the time that belongs to them: {now, field, value, ...};
-- {now} when there is none.
--
-- KEYS: definition
local answer = redis.call('HGETALL', KEYS[1])
table.insert(answer, 1, string.format('%.0f', now_us()))
return answer
