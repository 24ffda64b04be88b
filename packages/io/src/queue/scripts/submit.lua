-- Accepts a job: its record, its place among the open jobs and its first waiter appear together or not at all.
-- KEYS job, open, waiters   ARGV jobId, job JSON, next look of the sweeper (ms), gateway id or '', waiters' ttl (ms)
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'job', ARGV[2])
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
if ARGV[4] ~= '' then
  redis.call('SADD', KEYS[3], ARGV[4])
  redis.call('PEXPIRE', KEYS[3], ARGV[5])
end
return 1
