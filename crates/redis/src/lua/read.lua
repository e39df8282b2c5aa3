-- Reads fields of several sessions in one atomic step.
-- KEYS: sessions. ARGV: fields.
local found = {}
for i, session in ipairs(KEYS) do
    found[i] = redis.call('HMGET', session, unpack(ARGV))
end
return found
