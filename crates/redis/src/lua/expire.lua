-- Deletes expired sessions, and removes their entries from one expiry index.
-- KEYS: the expiry index, then a session for each entry. ARGV: the time, then the entries.
-- Returns for each entry 1 if this call removed it from the index.
local cleared = {}
for i = 2, #KEYS do
    local held = redis.call('HMGET', KEYS[i], 'entry', 'expires_at')
    local same = held[1] == ARGV[i]
    if same and tonumber(ARGV[1]) < tonumber(held[2]) then
        -- The session was rotated after the index was read, and lives longer.
        cleared[i - 1] = 0
    else
        if same then
            redis.call('DEL', KEYS[i])
        end
        cleared[i - 1] = redis.call('ZREM', KEYS[1], ARGV[i])
    end
end
return cleared
