// Ticks that merge while the consumer is busy, each paired with an event, at most 100 a second with bursts of 20.
import { Flow, systemClock } from '@sluice/flow'

export async function dynamicThrottle({ clock = systemClock, count = 10, log = console.log } = {}): Promise<void> {
  let id = 0
  await Flow.tick(1_000, 1, { clock })
    .conflate(() => 1)
    .zip(Flow.tick(10, 'tick', { clock }).map(() => `event-${id++}`))
    .map(([, event]) => event)
    .throttle({ elements: 100, perMs: 1_000, burst: 20 })
    .take(count)
    .forEach(log)
}

if (import.meta.main) await dynamicThrottle()
