-- Writes a text that no other script reads.
-- KEYS: the text. ARGV: its time to live.
redis.call('SET', KEYS[1], '1')
return redis.call('PEXPIRE', KEYS[1], ARGV[1])
