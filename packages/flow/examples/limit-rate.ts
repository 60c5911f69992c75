// A receiver that asks for at most 100 records ahead and works on at most 10 at a time.
import { Flow, systemClock } from '@sluice/flow'

export async function limitRate({ clock = systemClock, count = 1_000, log = console.log } = {}): Promise<void> {
  const handle = (record: number) => Flow.from([`record ${record} done`], { clock }).delayElements(100)
  await Flow.range(1, count, { clock }).limitRate(100).flatMap(handle, { concurrency: 10 }).forEach(log)
}

if (import.meta.main) await limitRate({ count: 100 })
