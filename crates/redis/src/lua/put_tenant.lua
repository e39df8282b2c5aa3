-- Registers a tenant, and the tenant `public` of its app if that is missing.
-- KEYS: the hash of all tenants. ARGV: field and value of the tenant, field and value of `public`.
-- Returns 1 if the tenant is new.
local new = 1 - redis.call('HEXISTS', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('HSETNX', KEYS[1], ARGV[3], ARGV[4])
return new
