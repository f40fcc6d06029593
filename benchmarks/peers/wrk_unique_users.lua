-- Every request is a user of its own. Arguments: path, first user. One thread of wrk (-t1).
function init(args)
  path = args[1]
  next_user = tonumber(args[2])
  head = "POST " .. path .. " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 29\r\n\r\n"
end

-- Fifteen digits, so that the length never changes: {"user_id":"100000000000001"} has 29 bytes.
function request()
  next_user = next_user + 1
  return string.format('%s{"user_id":"%d"}', head, next_user)
end
