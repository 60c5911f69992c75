// A sender in two ways of holding back: a pause before each record, and at most 100 records in flight.
import { Flow, systemClock } from '@sluice/flow'

export async function sender({ clock = systemClock, count = 1_000, log = console.log } = {}): Promise<void> {
  const send = (record: number, signal: AbortSignal) => clock.sleep(50, signal).then(() => `record ${record} sent`)
  await Flow.range(1, count, { clock }).delayElements(10).mapAsync(100, send).forEach(log)
}

if (import.meta.main) await sender({ count: 100 })
