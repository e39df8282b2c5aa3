-- Sets or removes the label of a live session's device.
-- KEYS: session. ARGV: the time, and the label unless it is removed.
-- Returns 1 if the session exists.
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
