/**
 * One key for each user, a hash. Either it holds a version `v` with the answers of that version, or a field `w:<token>`
 * for each write that has begun and not ended; never both. Each script is about that key alone.
 */

/**
 * KEYS[1]; ARGV: the oldest time that a version may be of (milliseconds of Redis' clock), a token, how long the version
 * is kept (milliseconds). Answers the version, a new one if there is none, or nothing while somebody writes.
 */
export const openVersion = `
local known = redis.call('HGET', KEYS[1], 'v')
if known then
  if tonumber(string.match(known, '^%d+')) >= tonumber(ARGV[1]) then return known end
  redis.call('DEL', KEYS[1])
elseif redis.call('EXISTS', KEYS[1]) == 1 then
  return false
end
local time = redis.call('TIME')
local version = time[1] .. string.format('%03d', math.floor(tonumber(time[2]) / 1000)) .. '-' .. ARGV[2]
redis.call('HSET', KEYS[1], 'v', version)
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return version`;

/**
 * KEYS[1]; ARGV: the version that an answer is of, its field, the answer, how long it is kept (milliseconds), how many
 * answers there may be. Keeps it unless somebody has written since.
 */
export const keepAnswer = `
if redis.call('HGET', KEYS[1], 'v') ~= ARGV[1] then return 0 end
if redis.call('HLEN', KEYS[1]) > tonumber(ARGV[5]) then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'v', ARGV[1])
end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[4]) then redis.call('PEXPIRE', KEYS[1], ARGV[4]) end
return 1`;

/**
 * KEYS[1]; ARGV: the token of a write, how long it may take (milliseconds), a channel, whose key it is. Forgets all
 * answers, which it says, and takes none until the write has ended.
 */
export const beginWrite = `
if redis.call('HEXISTS', KEYS[1], 'v') == 1 then
  redis.call('DEL', KEYS[1])
  redis.call('PUBLISH', ARGV[3], ARGV[4])
end
redis.call('HSET', KEYS[1], 'w:' .. ARGV[1], '')
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1`;

/** KEYS[1]; ARGV: the token of a write, a channel, whose key it is. Forgets the answers of a Redis that knew nothing of the write. */
export const endWrite = `
if redis.call('HDEL', KEYS[1], 'w:' .. ARGV[1]) == 0 and redis.call('HEXISTS', KEYS[1], 'v') == 1 then
  redis.call('DEL', KEYS[1])
  redis.call('PUBLISH', ARGV[2], ARGV[3])
end
return 1`;
