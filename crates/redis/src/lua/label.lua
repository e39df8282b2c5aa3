-- Names the device of a live session.
-- KEYS: session. ARGV: now, and the label if there is to be one.
-- Answers whether there is such a session.
local expires_at = redis.call('HGET', KEYS[1], 'expires_at')
if not expires_at or tonumber(expires_at) <= tonumber(ARGV[1]) then
    return 0
end
if ARGV[2] then
    redis.call('HSET', KEYS[1], 'device_label', ARGV[2])
else
    redis.call('HDEL', KEYS[1], 'device_label')
end
return 1
