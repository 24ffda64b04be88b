-- Accepts a job: its record, its place among the open and its principal's jobs, and its first waiter appear together or
-- not at all. A call that asks for what an open job is at joins that job instead.
-- KEYS job, open, waiters, call, jobs of the principal, all jobs
-- ARGV 1 jobId  2 job JSON  3 next look of the sweeper (ms)  4 gateway id or ''  5 waiters' ttl (ms)
--      6 head JSON  7 submitted at (ms)  8 oldest to list (ms)  9 how many to list  10 ttl of list and call (ms)
--      11 key prefix of jobs  12 '1' when a finished job is joined too  13 ttl of a sign of attendance (ms)
-- Returns the id of the job that does the work.
if redis.call('EXISTS', KEYS[1]) == 1 then return ARGV[1] end

local known = redis.call('GET', KEYS[4])
if known then
  local record = ARGV[11] .. known
  local exists = redis.call('EXISTS', record) == 1
  local open = exists and redis.call('HEXISTS', record, 'result') == 0
  if open and ARGV[4] ~= '' then
    redis.call('SADD', record .. ':waiters', ARGV[4])
    redis.call('PEXPIRE', record .. ':waiters', ARGV[5])
    local now = redis.call('TIME')
    redis.call('SET', record .. ':seen', now[1] .. '.' .. now[2], 'PX', ARGV[13])
  end
  if open or (exists and ARGV[12] == '1') then return known end
end

redis.call('HSET', KEYS[1], 'job', ARGV[2], 'head', ARGV[6])
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
redis.call('SET', KEYS[4], ARGV[1], 'PX', ARGV[10])
if ARGV[4] ~= '' then
  redis.call('SADD', KEYS[3], ARGV[4])
  redis.call('PEXPIRE', KEYS[3], ARGV[5])
end
for i = 5, 6 do
  redis.call('ZADD', KEYS[i], ARGV[7], ARGV[1])
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', '(' .. ARGV[8])
  redis.call('ZREMRANGEBYRANK', KEYS[i], 0, -1 - tonumber(ARGV[9]))
  redis.call('PEXPIRE', KEYS[i], ARGV[10])
end
return ARGV[1]
