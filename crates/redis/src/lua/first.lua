-- Sets a text unless one exists, and returns the stored one.
-- KEYS: the text. ARGV: the candidate.
if redis.call('SETNX', KEYS[1], ARGV[1]) == 1 then
    return ARGV[1]
end
return redis.call('GET', KEYS[1])
