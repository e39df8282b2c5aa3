-- Deletes sessions, and tells the listeners.
-- KEYS: session and expiry index for each, then the user's index where it may share a script with them.
-- ARGV: channel; now, or nothing to take sessions that are over too; an entry for each session, or
-- nothing to take whichever is there.
-- Answers the entry of each session that was deleted, and nothing for each that was not.
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
