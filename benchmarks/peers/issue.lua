-- One request of the nginx peer: reads the user, runs the script in Redis, answers as the api would.
local redis = require "nginx.redis"

ngx.req.read_body()
local user = string.match(ngx.req.get_body_data() or "", '"user_id"%s*:%s*"([%w_.:@-]+)"')
if not user then
  ngx.status = 422
  ngx.print('{"type":"/problems/invalid","title":"A value is not valid","status":422}')
  return
end

local connection = redis:new()
connection:set_timeout(5000)
local connected = connection:connect("127.0.0.1", tonumber(ngx.var.redis_port))
if not connected then
  ngx.status = 503
  ngx.header["Retry-After"] = "1"
  return
end

local campaign = ngx.var.campaign
-- Weaker than ours (not from a cryptographic source), and so in the peer's favour.
local code = string.format("%08X%08X", math.random(0, 0x7fffffff), math.random(0, 0x7fffffff))
local answer = connection:evalsha(ngx.var.script_sha, 3, "{" .. campaign .. "}:users", "{" .. campaign .. "}:issued",
                                  "{" .. campaign .. "}:limit", user, code)
connection:set_keepalive(60000, 8192)

if type(answer) ~= "table" then
  ngx.status = 503
  ngx.header["Retry-After"] = "1"
elseif answer[1] == "sold-out" then
  ngx.status = 410
  ngx.header["Content-Type"] = "application/problem+json"
  ngx.print('{"type":"/problems/sold-out","title":"Sold out","status":410,',
            '"detail":"All coupons of this campaign have been given out."}')
else
  ngx.status = answer[1] == "issued" and 201 or 200
  ngx.print('{"code":"', answer[2], '","campaign_id":"', campaign, '","user_id":"', user, '","sequence":', answer[3],
            ',"issued_at":"', os.date("!%Y-%m-%dT%H:%M:%S.000000Z", ngx.time()), '","durable":"everysec"}')
end
