-- Adds a static key unless one exists.
-- KEYS: signing keys. ARGV: id, value.
local keys = redis.call('HVALS', KEYS[1])
for _, value in ipairs(keys) do
    if string.match(value, '^static ') then
        return 0
    end
end
return redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])
