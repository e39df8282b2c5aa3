-- Deletes sessions and publishes the deletions to the revocation feed, in the same atomic step.
-- KEYS: for each session its key and its expiry index, and the user's index if it may share a script
-- with them.
-- ARGV: the channel; the time, or an empty text to delete expired sessions too; for each session its
-- entry, or an empty text to delete whatever the key contains.
-- Returns the entry of each deleted session, and nil for each that was not deleted.
local channel, now = ARGV[1], tonumber(ARGV[2])
local count = math.floor(#KEYS / 2)
local index = KEYS[2 * count + 1]
local deleted = {}
for i = 1, count do
    local session, expected = KEYS[2 * i - 1], ARGV[2 + i]
    local held = redis.call('HMGET', session, 'entry', 'expires_at')
    local entry = held[1]
    local meant = entry and (expected == '' or expected == entry)
    deleted[i] = false
    if meant and (not now or now < tonumber(held[2])) then
        redis.call('DEL', session)
        redis.call('ZREM', KEYS[2 * i], entry)
        redis.call('PUBLISH', channel, entry)
        deleted[i] = entry
    end
    if index and (deleted[i] or not meant) then
        redis.call('ZREM', index, expected)
    end
end
return deleted
