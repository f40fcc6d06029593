-- Recovery, last step: the missing numbers are listed, what was set aside is forgotten, and the campaign
-- decides under the run that this server has. One step, so that it is either closed or whole.
--
-- KEYS: definition, holders, missing, holders set aside
-- ARGV: guard of a closed campaign, run id, guard of the open one, how many numbers are missing, the
-- highest of them,
--   then each range as `first-last`
--
-- {'ok'} or {'conflict'} (at another epoch, or restarted since begin_rebuild)
local definition = redis.call('HMGET', KEYS[1], 'guard', 'rebuild_run', 'highest')
if definition[1] ~= ARGV[1] or definition[2] ~= ARGV[2] then return {'conflict'} end
for first = 6, #ARGV, 1000 do
  redis.call('RPUSH', KEYS[3], unpack(ARGV, first, math.min(first + 999, #ARGV)))
end
if tonumber(ARGV[5]) > tonumber(definition[3]) then redis.call('HSET', KEYS[1], 'highest', ARGV[5]) end
redis.call('HSET', KEYS[1], 'issued', string.format('%d', redis.call('HLEN', KEYS[2])), 'missing', ARGV[4],
  'guard', ARGV[3])
redis.call('HDEL', KEYS[1], 'rebuild_run')
redis.call('UNLINK', KEYS[4])
return {'ok'}
