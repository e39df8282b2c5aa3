-- Writes metadata if it is still the expected text; absent metadata counts as the empty object.
-- KEYS: metadata. ARGV: document, expected text.
-- Answers 1 if it was written, otherwise what is stored.
local held = redis.call('GET', KEYS[1]) or '{}'
if held ~= ARGV[2] then
    return held
end
redis.call('SET', KEYS[1], ARGV[1])
return 1
