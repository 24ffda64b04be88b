-- Renews a worker's lease on a step. A lease that ran out while nobody noticed, because Redis or the worker was away, is
-- taken up again as long as the queue still counts the step as under way.
-- KEYS lease, steps under way, steps suspected to be stalled   ARGV token, step id, length of the lease (ms)
-- Returns 1, or 0 when the step is no longer this worker's.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
if not holder and not redis.call('LPOS', KEYS[2], ARGV[2]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
redis.call('SREM', KEYS[3], ARGV[2])
return 1
