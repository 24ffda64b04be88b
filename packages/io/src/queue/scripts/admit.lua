-- Lets a step begin if every scope it is under has a free place, a request and a token left; takes place and request
-- from all of them, or nothing from any.
-- KEYS for each scope: its budgets, its places   ARGV 1 now (ms)  2 key of the step's lease  3 how long to wait for a
--      place (ms), then for each scope: places, requests per minute, tokens per minute, each '' for no limit
-- Returns 0, or the milliseconds until it is worth asking again.
local now = tonumber(ARGV[1])
local waitMs = 0

-- A budget fills evenly up to what a minute allows, which a first burst may use at once.
local function level(key, field, perMinute)
  local saved = redis.call('HMGET', key, field, field .. ':at')
  if not saved[1] then return perMinute end
  local filled = tonumber(saved[1]) + math.max(0, now - tonumber(saved[2])) * perMinute / 60000
  return math.min(perMinute, filled)
end

-- A place belongs to a step for as long as the step is leased, so a dead worker holds none.
local function taken(key)
  local count = 0
  for _, lease in ipairs(redis.call('SMEMBERS', key)) do
    if lease == ARGV[2] or redis.call('EXISTS', lease) == 0 then
      redis.call('SREM', key, lease)
    else
      count = count + 1
    end
  end
  return count
end

local requests = {}
for i = 1, #KEYS, 2 do
  local places, perMinute, tokens = unpack(ARGV, 4 + (i - 1) / 2 * 3, 6 + (i - 1) / 2 * 3)
  if places ~= '' and taken(KEYS[i + 1]) >= tonumber(places) then
    waitMs = math.max(waitMs, tonumber(ARGV[3]))
  end
  if perMinute ~= '' then
    requests[i] = level(KEYS[i], 'requests', tonumber(perMinute))
    waitMs = math.max(waitMs, (1 - requests[i]) * 60000 / tonumber(perMinute))
  end
  if tokens ~= '' then
    local left = level(KEYS[i], 'tokens', tonumber(tokens))
    waitMs = math.max(waitMs, (1 - left) * 60000 / tonumber(tokens))
  end
end
-- Less than a microsecond is an error of rounding.
waitMs = math.ceil(waitMs - 0.001)
if waitMs > 0 then return waitMs end

for i = 1, #KEYS, 2 do
  if ARGV[4 + (i - 1) / 2 * 3] ~= '' then redis.call('SADD', KEYS[i + 1], ARGV[2]) end
  if requests[i] then
    redis.call('HSET', KEYS[i], 'requests', requests[i] - 1, 'requests:at', now)
    redis.call('PEXPIRE', KEYS[i], 3600000)
  end
end
return 0
