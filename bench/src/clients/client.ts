/** One measurement of sending or reading `records` values of `valueBytes`. */
export interface ClientJob {
  readonly bootstrap: string
  readonly topic: string
  readonly records: number
  readonly valueBytes: number
  /** After this time it stops and counts what was done by then. */
  readonly maxSeconds: number
}

export interface Measured {
  readonly records: number
  readonly seconds: number
  /** Of the client's process, in all. */
  readonly cpuSeconds: number
}

/** A way to use a client. */
export type Contestant = (job: ClientJob) => Promise<Measured>

/** What a file of clients/ exports: its ways to produce and to consume, by name. */
export interface Client {
  readonly produce: Readonly<Record<string, Contestant>>
  readonly consume: Readonly<Record<string, Contestant>>
}

/** A value of random bytes, so that nothing on the way can compress it. */
export function randomValue(bytes: number): Buffer {
  return Buffer.from(Uint8Array.from({ length: bytes }, () => Math.floor(Math.random() * 256)))
}

/** How a client is fed: at most `window` records unanswered, `size` records a call. */
export interface Feed {
  readonly window: number
  readonly size: number
  /** What the client itself wants to be waited for before the next call. */
  readonly ready?: () => Promise<void> | undefined
}

/**
 * Sends the job's records, stops early after its `maxSeconds`, and waits for every acknowledgement: the same loop for
 * every client. @throws whatever a send fails with.
 */
async function sendWithin(job: ClientJob, feed: Feed, send: () => Promise<unknown>): Promise<Measured> {
  const { window, size, ready } = feed
  let unanswered = 0
  let acknowledged = 0
  let failure: Error | undefined
  let wake = (): void => {}
  const settled = (): void => {
    unanswered -= size
    acknowledged += size
    wake()
  }
  const failed = (error: unknown): void => {
    failure ??= error as Error
    wake()
  }
  const someSettled = (): Promise<void> => new Promise((resolve) => (wake = resolve))
  const stopwatch = new Stopwatch()
  for (let sent = 0; sent < job.records && stopwatch.seconds < job.maxSeconds; sent += size) {
    while (unanswered + size > window && failure === undefined) await someSettled()
    if (failure !== undefined) throw failure
    const wait = ready?.()
    if (wait) await wait
    unanswered += size
    send().then(settled, failed)
  }
  while (unanswered > 0 && failure === undefined) await someSettled()
  if (failure !== undefined) throw failure
  return stopwatch.measured(acknowledged)
}

/** Measures after a shorter round of the same, so that what is measured is compiled code on open connections. */
export async function sendWarm(job: ClientJob, feed: Feed, send: () => Promise<unknown>): Promise<Measured> {
  const records = Math.ceil(job.records / 10 / feed.size) * feed.size
  await sendWithin({ ...job, records, maxSeconds: Math.min(2, job.maxSeconds) }, feed, send)
  return sendWithin(job, feed, send)
}

export class Stopwatch {
  readonly #startedMs = performance.now()
  readonly #cpu = process.cpuUsage()

  get seconds(): number {
    return (performance.now() - this.#startedMs) / 1_000
  }

  measured(records: number): Measured {
    const { user, system } = process.cpuUsage(this.#cpu)
    return { records, seconds: this.seconds, cpuSeconds: (user + system) / 1e6 }
  }
}

/**
 * Counts the records that a consumer hands over. The first tenth is not measured: it was fetched before the clock could
 * start, and compiles the code.
 */
export class ReadCount {
  readonly done: Promise<Measured>
  readonly #warmUp: number
  readonly #job: ClientJob
  readonly #resolve: (measured: Measured) => void
  #stopwatch: Stopwatch | undefined
  #deadline: NodeJS.Timeout | undefined
  #seen = 0
  #seenAtStart = 0

  constructor(job: ClientJob) {
    this.#job = job
    this.#warmUp = job.records / 10
    const { promise, resolve } = Promise.withResolvers<Measured>()
    this.done = promise
    this.#resolve = resolve
  }

  /** Called for every record, or once for all records of a batch. */
  add(records = 1): void {
    this.#seen += records
    if (this.#seen < this.#warmUp) return
    if (this.#stopwatch === undefined) this.#start()
    else if (this.#seen >= this.#job.records) this.#finish()
  }

  #start(): void {
    this.#seenAtStart = this.#seen
    this.#stopwatch = new Stopwatch()
    this.#deadline = setTimeout(() => this.#finish(), this.#job.maxSeconds * 1_000)
  }

  #finish(): void {
    clearTimeout(this.#deadline)
    this.#resolve(this.#stopwatch!.measured(this.#seen - this.#seenAtStart))
  }
}
