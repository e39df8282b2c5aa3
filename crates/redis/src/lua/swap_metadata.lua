-- Writes metadata if the stored text equals the expected one. Absent metadata counts as the empty
-- object.
-- KEYS: metadata. ARGV: the document, the expected text.
-- Returns 1 if the document was written, otherwise the stored text.
local held = redis.call('GET', KEYS[1]) or '{}'
if held ~= ARGV[2] then
    return held
end
redis.call('SET', KEYS[1], ARGV[1])
return 1
