-- Books what a call used. A budget may go below nothing: the steps that come after wait until it has filled up again.
-- KEYS for each scope: its budgets   ARGV 1 now (ms)  2 requests  3 tokens, then for each scope: requests per minute,
--      tokens per minute, each '' for no limit
local now = tonumber(ARGV[1])

local function charge(key, field, perMinute, used)
  if perMinute == '' or used == 0 then return end
  local full = tonumber(perMinute)
  local saved = redis.call('HMGET', key, field, field .. ':at')
  local left = full
  if saved[1] then
    local filled = tonumber(saved[1]) + math.max(0, now - tonumber(saved[2])) * full / 60000
    left = math.min(full, filled)
  end
  redis.call('HSET', key, field, left - used, field .. ':at', now)
  redis.call('PEXPIRE', key, 3600000)
end

for i, key in ipairs(KEYS) do
  charge(key, 'requests', ARGV[2 + i * 2], tonumber(ARGV[2]))
  charge(key, 'tokens', ARGV[3 + i * 2], tonumber(ARGV[3]))
end
return 0
