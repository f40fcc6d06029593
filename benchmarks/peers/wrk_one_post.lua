-- The same bytes again and again, made once: what wrk costs without Lua in the loop.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"user_id":"100000000000001"}'
