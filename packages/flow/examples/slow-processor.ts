// A source ten times too fast, a buffer of 10 that holds it back, two slow workers: nothing piles up, nothing is lost.
import { Flow, systemClock } from '@sluice/flow'

export async function slowProcessor({ clock = systemClock, count = 20, log = console.log } = {}): Promise<void> {
  let id = 0
  await Flow.tick(10, 'tick', { clock })
    .map(() => `event-${id++}`)
    .buffer(10, 'backpressure')
    .mapAsync(2, (event, signal) => clock.sleep(100, signal).then(() => `${event} processed`))
    .take(count)
    .forEach(log)
}

if (import.meta.main) await slowProcessor()
