// A receiver that holds up to 1,000 records and drops what does not fit, here the oldest; each drop is told.
import { Flow, systemClock } from '@sluice/flow'

export async function backpressureDrop({ clock = systemClock, log = console.log } = {}): Promise<void> {
  await Flow.range(1, 1_500, { clock })
    .onBackpressureBuffer(1_000, (dropped) => log(`Dropped record: ${dropped}`), 'drop-oldest')
    .delayElements(1)
    .forEach((record) => log(`record ${record}`))
}

if (import.meta.main) await backpressureDrop()
