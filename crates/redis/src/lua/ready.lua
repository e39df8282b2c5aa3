-- Writes something that no other script reads.
-- KEYS: text. ARGV: time to live.
redis.call('SET', KEYS[1], '1')
return redis.call('PEXPIRE', KEYS[1], ARGV[1])
