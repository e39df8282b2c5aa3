-- Moves a live session to its next refresh token, if its lineage and its payload are the expected ones.
-- KEYS: session, expiry index.
-- ARGV: the time; the expected hash, previous hash, time of rotation and payload; the next hash,
-- previous hash and time of rotation; the expiry, the kind of key, the time to live. Absent values are
-- empty.
-- Returns 0 if the session does not exist, 1 if it has changed, otherwise its entry.
local held = redis.call('HMGET', KEYS[1], 'expires_at', 'refresh_token_hash_2',
    'prev_refresh_token_hash_2', 'refresh_token_rotated_at', 'jwt_user_payload', 'entry')
if not held[1] or tonumber(held[1]) <= tonumber(ARGV[1]) then
    return 0
end
if held[2] ~= ARGV[2] or (held[3] or '') ~= ARGV[3] or (held[4] or '') ~= ARGV[4] or held[5] ~= ARGV[5] then
    return 1
end
redis.call('HSET', KEYS[1], 'refresh_token_hash_2', ARGV[6], 'expires_at', ARGV[9], 'use_static_key', ARGV[10])
if ARGV[7] == '' then
    redis.call('HDEL', KEYS[1], 'prev_refresh_token_hash_2', 'refresh_token_rotated_at')
else
    redis.call('HSET', KEYS[1], 'prev_refresh_token_hash_2', ARGV[7], 'refresh_token_rotated_at', ARGV[8])
end
redis.call('PEXPIRE', KEYS[1], ARGV[11])
redis.call('ZADD', KEYS[2], ARGV[9], held[6])
return held[6]
