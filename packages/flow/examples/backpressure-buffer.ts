// A receiver that holds up to 100 records; more than that is an error, told after the hundred.
import { Flow, systemClock } from '@sluice/flow'

export async function backpressureBuffer({ clock = systemClock, log = console.log } = {}): Promise<void> {
  await Flow.range(1, 1_000, { clock })
    .onBackpressureBuffer(100)
    .delayElements(10)
    .forEach((record) => log(`record ${record}`))
    .catch((error: unknown) => log(String(error)))
}

if (import.meta.main) await backpressureBuffer()
