import { answered, type Redis } from './redis.ts'
import { cycleKey, stagingKey, type Cache } from './caches.ts'

/** Fields a command: large enough to be few, small enough not to hold Redis up. */
const FIELDS_PER_COMMAND = 500
/** What a killed worker left behind goes by itself. */
const STAGING_LIFE_S = 600
const CYCLE_LIFE_S = 7 * 86_400

/** KEYS: staging, cache, cycle. ARGV: this round, the life of its mark. 1 if swapped, 0 if a newer round was first. */
const SWAP_SCRIPT = `
local current = tonumber(redis.call('GET', KEYS[3]) or '0')
if current >= tonumber(ARGV[1]) then
  redis.call('DEL', KEYS[1])
  return 0
end
redis.call('RENAME', KEYS[1], KEYS[2])
redis.call('PERSIST', KEYS[2])
redis.call('SET', KEYS[3], ARGV[1], 'EX', ARGV[2])
return 1`

/**
 * Replaces a cache's contents as a whole: they are written aside and renamed into place, so that a reader sees the old
 * or the new and never a part.
 * @returns false where a newer round has already replaced them
 */
export async function swapCache<Row>(redis: Redis, cache: Cache<Row>, cycle: number, rows: readonly Row[]) {
  const staging = stagingKey(cache, cycle)
  await answered(redis.del(staging))
  for (let at = 0; at < rows.length; at += FIELDS_PER_COMMAND) {
    const fields = rows.slice(at, at + FIELDS_PER_COMMAND).map((row) => [String(row[cache.id]), JSON.stringify(row)])
    await answered(redis.hSet(staging, Object.fromEntries(fields)))
    if (at === 0) await answered(redis.expire(staging, STAGING_LIFE_S))
  }
  const swapped = await answered(
    redis.eval(SWAP_SCRIPT, {
      keys: [staging, cache.key, cycleKey(cache)],
      arguments: [String(cycle), String(CYCLE_LIFE_S)],
    }),
  )
  return Number(swapped) === 1
}
