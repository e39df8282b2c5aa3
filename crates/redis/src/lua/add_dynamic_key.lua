-- Adds a rotating key unless one exists that was created at or after the bound, or in the same
-- millisecond.
-- KEYS: signing keys. ARGV: id, value, time of creation, bound.
local keys = redis.call('HVALS', KEYS[1])
for _, value in ipairs(keys) do
    local created_at = tonumber(string.match(value, '^dynamic (%d+) '))
    if created_at and (created_at >= tonumber(ARGV[4]) or created_at == tonumber(ARGV[3])) then
        return 0
    end
end
return redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])
