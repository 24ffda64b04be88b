-- Takes a start of a step back: its worker lived, and left the step to others.
-- KEYS job   ARGV step number, worker
local starts = 'starts:' .. ARGV[1]
if tonumber(redis.call('HGET', KEYS[1], starts) or 0) < 1 then return 0 end
redis.call('HINCRBY', KEYS[1], starts, -1)
local starters = cjson.decode(redis.call('HGET', KEYS[1], 'starters:' .. ARGV[1]) or '[]')
if #starters > 0 and starters[#starters].worker == ARGV[2] then table.remove(starters) end
if #starters == 0 then redis.call('HDEL', KEYS[1], 'starters:' .. ARGV[1])
else redis.call('HSET', KEYS[1], 'starters:' .. ARGV[1], cjson.encode(starters)) end
return 1
