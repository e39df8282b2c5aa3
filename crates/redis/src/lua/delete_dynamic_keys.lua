-- Deletes the rotating keys created before a time.
-- KEYS: signing keys. ARGV: the time.
-- Returns the number of deleted keys.
local deleted = 0
local keys = redis.call('HGETALL', KEYS[1])
for i = 1, #keys, 2 do
    local created_at = tonumber(string.match(keys[i + 1], '^dynamic (%d+) '))
    if created_at and created_at < tonumber(ARGV[1]) then
        deleted = deleted + redis.call('HDEL', KEYS[1], keys[i])
    end
end
return deleted
