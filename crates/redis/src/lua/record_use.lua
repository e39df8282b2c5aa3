-- Records uses of live sessions.
-- KEYS: a session for each use.
-- ARGV: the current time; for each use its time, user agent and address. Absent values are empty, and
-- present ones begin with an equals sign.
for i, session in ipairs(KEYS) do
    local at, agent, ip = ARGV[3 * i - 1], ARGV[3 * i], ARGV[3 * i + 1]
    local held = redis.call('HMGET', session, 'expires_at', 'last_seen_at')
    local live = held[1] and tonumber(ARGV[1]) < tonumber(held[1])
    if live and (not held[2] or tonumber(held[2]) < tonumber(at)) then
        redis.call('HSET', session, 'last_seen_at', at)
        if agent ~= '' then
            redis.call('HSET', session, 'device_user_agent', string.sub(agent, 2))
        end
        if ip ~= '' then
            redis.call('HSET', session, 'device_ip', string.sub(ip, 2))
        end
    end
end
return 1
