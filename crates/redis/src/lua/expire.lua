-- Clears what is over out of one expiry index.
-- KEYS: expiry index, then a session for each entry. ARGV: now, then the entries.
-- Answers for each entry whether it was cleared by this call.
local cleared = {}
for i = 2, #KEYS do
    local held = redis.call('HMGET', KEYS[i], 'entry', 'expires_at')
    local same = held[1] == ARGV[i]
    if same and tonumber(ARGV[1]) < tonumber(held[2]) then
        -- Rotated since the index was read.
        cleared[i - 1] = 0
    else
        if same then
            redis.call('DEL', KEYS[i])
        end
        cleared[i - 1] = redis.call('ZREM', KEYS[1], ARGV[i])
    end
end
return cleared
