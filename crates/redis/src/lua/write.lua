-- Writes a document of a live session. If an expected text is given, the stored text must equal it.
-- KEYS: session. ARGV: the time, the field, the document, and the expected text if there is one.
-- Returns 0 if the session does not exist, 1 if the document was written, otherwise the stored text.
local held = redis.call('HMGET', KEYS[1], 'expires_at', ARGV[2])
if not held[1] or tonumber(held[1]) <= tonumber(ARGV[1]) then
    return 0
end
if ARGV[4] and held[2] ~= ARGV[4] then
    return held[2]
end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
return 1
