-- Sets a text unless there is one, and answers the one that is there now.
-- KEYS: text. ARGV: candidate.
if redis.call('SETNX', KEYS[1], ARGV[1]) == 1 then
    return ARGV[1]
end
return redis.call('GET', KEYS[1])
