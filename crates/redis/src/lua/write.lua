-- Writes a document of a live session; with an expected text, only if it is still that.
-- KEYS: session. ARGV: now, field, document, and the expected text if there is one.
-- Answers 0 if the session is gone, 1 if it was written, otherwise what is stored.
local held = redis.call('HMGET', KEYS[1], 'expires_at', ARGV[2])
if not held[1] or tonumber(held[1]) <= tonumber(ARGV[1]) then
    return 0
end
if ARGV[4] and held[2] ~= ARGV[4] then
    return held[2]
end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
return 1
