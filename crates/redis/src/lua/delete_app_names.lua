-- Removes the names of an app's tenants.
-- KEYS: the hash of all tenants. ARGV: the prefix of the app's fields.
-- Returns the number of removed names.
local gone = 0
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
    if string.sub(field, 1, string.len(ARGV[1])) == ARGV[1] then
        gone = gone + redis.call('HDEL', KEYS[1], field)
    end
end
return gone
