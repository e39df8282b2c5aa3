-- Stores a new session.
-- KEYS: session, expiry index, and the user's index if it may share a script with the session.
-- ARGV: entry, expiry, time of creation, time to live, then fields and their values.
-- Returns 1, or 0 if the handle is taken.
if redis.call('EXISTS', KEYS[1]) == 1 then
    return 0
end
redis.call('HSET', KEYS[1], 'entry', ARGV[1], unpack(ARGV, 5))
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
if KEYS[3] then
    redis.call('ZADD', KEYS[3], ARGV[3], ARGV[1])
end
return 1
