-- Returns the result of a job, or joins those who wait for it. No moment lies between the two.
-- KEYS job, waiters, seen   ARGV gateway id, waiters' ttl (ms), ttl of a sign of attendance (ms)
-- Returns {'done', result JSON}, {'open'} or {'gone'}.
if redis.call('EXISTS', KEYS[1]) == 0 then return {'gone'} end
local result = redis.call('HGET', KEYS[1], 'result')
if result then return {'done', result} end
redis.call('SADD', KEYS[2], ARGV[1])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
local now = redis.call('TIME')
redis.call('SET', KEYS[3], now[1] .. '.' .. now[2], 'PX', ARGV[3])
return {'open'}
