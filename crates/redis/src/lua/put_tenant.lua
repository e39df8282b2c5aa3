-- Registers a tenant, and its app's first one beside it.
-- KEYS: the hash of all tenants. ARGV: field, value, field of the first tenant, its value.
-- Answers 1 if the tenant is new.
local new = 1 - redis.call('HEXISTS', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('HSETNX', KEYS[1], ARGV[3], ARGV[4])
return new
