-- Starts a step, if it is still the step to do, and tells whoever waits.
-- KEYS job, steps, waiters   ARGV jobId, step number, inbox key prefix, event JSON, worker,
--      the latest version of a job that the worker understands
-- Returns {state, job JSON, starts of this step, JSON of who started it and when, step JSON ...}; state is go, moved
-- (another step is due), done, gone, or later: of a later version, and left as it is.
local job, result, known = unpack(redis.call('HMGET', KEYS[1], 'job', 'result', 'starters:' .. ARGV[2]))
if not job then return {'gone'} end
if result then return {'done'} end
-- A record begins with its version, so that it need not be read in full.
local version = string.match(job, '^{"version":(%d+)')
if version and tonumber(version) > tonumber(ARGV[6]) then return {'later'} end
local steps = redis.call('LRANGE', KEYS[2], 0, -1)
if #steps ~= tonumber(ARGV[2]) then return {'moved', job, 0, '[]', unpack(steps)} end
local starts = redis.call('HINCRBY', KEYS[1], 'starts:' .. ARGV[2], 1)
local now = redis.call('TIME')
local ms = now[1] .. string.format('%03d', math.floor(tonumber(now[2]) / 1000))
local starters = known and cjson.decode(known) or {}
if #starters < 20 then table.insert(starters, {worker = ARGV[5], atMs = tonumber(ms)}) end
local started = cjson.encode(starters)
local underway = '{"step":' .. ARGV[2] .. ',"atMs":' .. ms .. ',"event":' .. ARGV[4] .. '}'
redis.call('HSET', KEYS[1], 'starters:' .. ARGV[2], started, 'underway', underway)
for _, gateway in ipairs(redis.call('SMEMBERS', KEYS[3])) do
  redis.call('XADD', ARGV[3] .. gateway, 'MAXLEN', '~', 10000, '*', 'job', ARGV[1], 'event', ARGV[4])
  redis.call('PEXPIRE', ARGV[3] .. gateway, 3600000)
end
return {'go', job, starts, started, unpack(steps)}
