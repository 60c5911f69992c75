export interface FailureEvent {
  readonly process: string
  /** `starved`: until then it had no processor for as many milliseconds as `attempt` says. */
  readonly what: 'begin' | 'failed' | 'end' | 'buried' | 'starved'
  readonly id: number
  readonly attempt: number
  readonly atMs: number
}

export interface FailureRun {
  /** The keys of the records, by their numbers. */
  readonly keys: readonly number[]
  /** In the order of time. */
  readonly events: readonly FailureEvent[]
  /** Numbers of those that are to be dead letters. */
  readonly hopeless: ReadonlySet<number>
  /** Numbers found in the topic of dead letters. */
  readonly letters: ReadonlySet<number>
  /** The wait after an attempt that failed. */
  readonly waitMs: (attempt: number) => number
}

/** What must not have happened, one sentence each, the first twenty of a kind. */
export function failureAnomalies(run: FailureRun): string[] {
  return [...unfinished(run), ...overtaken(run), ...untimely(run).anomalies]
}

function unfinished({ keys, events, hopeless, letters }: FailureRun): string[] {
  const done = new Set(events.flatMap(({ what, id }) => (what === 'end' ? id : [])))
  const ids = keys.map((_, id) => id)
  const lost = ids.filter((id) => !(hopeless.has(id) ? letters : done).has(id))
  const wrong = [...letters].filter((id) => !hopeless.has(id))
  return [
    ...lost.map((id) => `${id} neither ended well nor became a dead letter as it should`),
    ...wrong.map((id) => `${id} became a dead letter though it can be handled`),
  ].slice(0, 20)
}

/** A record may begin for the first time once all before it of its key have come to an end for the first time. */
function overtaken({ keys, events }: FailureRun): string[] {
  const waiting = new Map<number, number[]>()
  for (const [id, key] of keys.entries()) waiting.set(key, [...(waiting.get(key) ?? []), id])
  const ended = new Set<number>()
  const anomalies: string[] = []
  for (const { what, id } of events) {
    if (what === 'starved') continue
    const queue = waiting.get(keys[id]!)!
    if (what === 'end' || what === 'buried') ended.add(id)
    while (queue.length > 0 && ended.has(queue[0]!)) queue.shift()
    if (what === 'begin' && queue.length > 0 && id > queue[0]!) {
      anomalies.push(`${id} of key ${keys[id]} began before ${queue[0]} of the same key had ended`)
    }
  }
  return anomalies.slice(0, 20)
}

/** How late further attempts began, where one process saw the failure and the next attempt, and none another between. */
export function untimely({ events, waitMs }: FailureRun): { anomalies: string[]; measured: number; latestMs: number } {
  const starved = events.filter(({ what }) => what === 'starved')
  const failures = new Map<number, FailureEvent>()
  const anomalies: string[] = []
  let [measured, latestMs] = [0, 0]
  for (const event of events) {
    const { process, what, id, attempt, atMs } = event
    const failed = failures.get(id)
    if (what === 'failed') failures.set(id, event)
    if (what !== 'begin' || failed?.process !== process || failed.attempt !== attempt - 1) continue
    const wait = waitMs(attempt - 1)
    const passedMs = atMs - failed.atMs - wait
    const lateMs = passedMs - starvedMs(starved, process, atMs - passedMs, atMs)
    measured++
    latestMs = Math.max(latestMs, lateMs)
    // Its own time is noted a moment before the wait begins.
    if (lateMs < -2) anomalies.push(`attempt ${attempt} of ${id} came ${-Math.round(lateMs)} ms early`)
    if (lateMs > wait / 10 + 100) anomalies.push(`attempt ${attempt} of ${id} came ${Math.round(lateMs)} ms late`)
  }
  return { anomalies: anomalies.slice(0, 20), measured, latestMs }
}

/** How long of this time the process had no processor. A tick that was noted just after it counts as far as it reaches in. */
function starvedMs(starved: readonly FailureEvent[], process: string, fromMs: number, toMs: number): number {
  let sum = 0
  for (const { process: own, attempt: lengthMs, atMs } of starved) {
    if (own !== process) continue
    sum += Math.max(0, Math.min(toMs, atMs) - Math.max(fromMs, atMs - lengthMs))
  }
  return sum
}
