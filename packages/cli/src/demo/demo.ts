import { setTimeout as sleep } from 'node:timers/promises'
import { auditTables, EXIT, isReportMessage, progressLine, type ServiceName } from '@sluice/commerce'
import { Kafka } from '@sluice/kafka'
import { StackError, type ProcessEvent, type Stack } from '@sluice/stack'
import { Board } from './board.ts'
import { beginLedger } from './ledgers.ts'
import { ledgerDir, SERVICES, serviceSpec, type PipelineOptions } from './processes.ts'
import type { Screen } from './screen.ts'
import type { StopRequest } from './stop-request.ts'
import { countTopics, createTopics, type TopicCounts } from './topics.ts'
import { isComplete, judge, verdictLine, type TopicVerdict } from './verdict.ts'

const DRAW_INTERVAL_MS = 1_000
const POLL_MS = 200
/** From the start of the generator's process to its first acknowledged order. Beside two busy cores 60 s were too few. */
const START_TIMEOUT_MS = 240_000
/** How long the consumer may take to catch up once nothing new comes: when it is to be proved, and when in a hurry. */
const DRAIN_TIMEOUT_MS = { proof: 240_000, hurry: 10_000 }

export interface DemoOptions extends PipelineOptions {
  /** Ends by itself after so long; undefined: runs until it is stopped. */
  readonly forMs: number | undefined
  readonly brokers: number
}

export interface DemoParts {
  readonly stack: Stack
  readonly screen: Screen
  readonly stop: StopRequest
  readonly env: NodeJS.ProcessEnv
}

/** The commerce pipeline on a running stack: its processes, what is shown of them, and the account at the end. */
export class Demo {
  readonly #parts: DemoParts
  readonly #options: DemoOptions
  readonly #board = new Board()
  readonly #startedMs = performance.now()
  #phase = 'starting'
  #failure: Error | undefined

  constructor(parts: DemoParts, options: DemoOptions) {
    this.#parts = parts
    this.#options = options
  }

  /** @returns whether everything that was acknowledged has arrived */
  async run(): Promise<boolean> {
    const { stack, screen } = this.#parts
    const unlisten = stack.supervisor.onEvent((event) => this.#onEvent(event))
    const ticks = setInterval(() => this.#draw(), DRAW_INTERVAL_MS)
    try {
      await using kafka = new Kafka({ brokers: stack.kafka.bootstrapServers.split(','), clientId: 'sluice-demo' })
      const before = await this.#start(kafka)
      if (await this.#untilGenerating()) await this.#untilStopped()
      return await this.#finish(kafka, before)
    } finally {
      clearInterval(ticks)
      unlisten()
      screen[Symbol.dispose]()
    }
  }

  async #start(kafka: Kafka): Promise<TopicCounts> {
    const { stack, stop } = this.#parts
    await createTopics(kafka, this.#options.brokers)
    beginLedger(stack.dataDir)
    const before = await countTopics(kafka)
    this.#phase = 'seeding'
    await this.#seed()
    for (const name of SERVICES) {
      if (name !== 'seeder' && !stop.signal.aborted) await stack.supervisor.start(this.#spec(name))
    }
    const pace = this.#options.rate === undefined ? 'small bursts of orders' : `${this.#options.rate} orders a second`
    this.#phase = `${pace}; Ctrl-C drains and stops`
    return before
  }

  async #seed(): Promise<void> {
    const seeder = await this.#parts.stack.supervisor.start(this.#spec('seeder'))
    await seeder.ended()
    if (this.#failure) throw this.#failure
    if (seeder.state !== 'failed') return
    throw new StackError('start_failed', 'the seeder failed', `read its log: ${seeder.log.path}`, {
      facts: { output: seeder.log.tail(20) },
    })
  }

  /** The time of a run counts from here. @returns false where it was stopped before */
  async #untilGenerating(): Promise<boolean> {
    const { stop } = this.#parts
    const deadlineMs = performance.now() + START_TIMEOUT_MS
    while ((this.#board.latest('generator', performance.now())?.counters['orders'] ?? 0) === 0) {
      if (performance.now() > deadlineMs) {
        throw new StackError(
          'start_timed_out',
          `the generator has produced no order within ${START_TIMEOUT_MS / 1_000} s`,
          this.#logHint('generator'),
        )
      }
      if (!(await this.#pause())) return false
    }
    if (this.#options.forMs !== undefined) stop.after(this.#options.forMs)
    return true
  }

  async #untilStopped(): Promise<void> {
    while (await this.#pause());
  }

  /** @returns whether to go on; @throws what the demo cannot go on after */
  async #pause(): Promise<boolean> {
    const { signal } = this.#parts.stop
    if (!signal.aborted) await sleep(POLL_MS, undefined, { signal }).catch(() => undefined)
    if (this.#failure) throw this.#failure
    return !signal.aborted
  }

  /** The generator first; then the consumer has all there will be, and a while to catch up. */
  async #finish(kafka: Kafka, before: TopicCounts): Promise<boolean> {
    const { stack, screen, stop } = this.#parts
    this.#phase = stop.reason === 'time' ? 'the time is up: draining' : `${stop.reason}: draining, again to end at once`
    await stack.supervisor.get('generator')?.stop()
    const stoppedMs = performance.now()
    const deadlineMs = stoppedMs + (this.#options.forMs === undefined ? DRAIN_TIMEOUT_MS.hurry : DRAIN_TIMEOUT_MS.proof)
    while (!this.#isDrained(stoppedMs) && performance.now() < deadlineMs) await sleep(POLL_MS)
    let verdicts = await this.#judge(kafka, before)
    while (!verdicts.every(isComplete) && performance.now() < deadlineMs) {
      await sleep(POLL_MS * 5)
      verdicts = await this.#judge(kafka, before)
    }
    this.#phase = 'stopping'
    for (const name of ['consumer', 'cache-worker']) await stack.supervisor.get(name)?.stop()
    this.#draw()
    screen[Symbol.dispose]()
    for (const verdict of verdicts) screen.say(verdictLine(verdict))
    const complete = verdicts.every(isComplete)
    screen.say(complete ? 'nothing was lost' : 'NOT everything that was acknowledged has arrived')
    return complete
  }

  /** Whether a report that came after the end of the generator says that nothing is left. */
  #isDrained(sinceMs: number): boolean {
    const nowMs = performance.now()
    const isNew = (this.#board.reportedAtMs('consumer') ?? 0) > sinceMs + DRAW_INTERVAL_MS
    return isNew && this.#board.latest('consumer', nowMs)?.lag === 0
  }

  async #judge(kafka: Kafka, before: TopicCounts): Promise<TopicVerdict[]> {
    const { stack } = this.#parts
    const audit = await auditTables({ ledgerDir: ledgerDir(stack.dataDir), databaseUrl: stack.postgres.url })
    const after = await countTopics(kafka)
    return (['orders', 'products'] as const).map((topic) =>
      judge(topic, audit[topic], { before: before[topic], after: after[topic] }, this.#board.sent(topic)),
    )
  }

  #spec(name: ServiceName) {
    return serviceSpec(name, this.#parts.stack, this.#options, this.#parts.env)
  }

  #onEvent(event: ProcessEvent): void {
    if (event.type === 'message' && isReportMessage(event.message)) {
      const { report } = event.message
      this.#board.report(report, performance.now())
      if (report.service === 'seeder') this.#showSeeding(report.counters)
      return
    }
    // No restart helps against a wrong configuration.
    if (event.type === 'exited' && event.exit.code === EXIT.badConfig && !event.asked) {
      this.#failure ??= new StackError(
        'start_failed',
        `${event.name} refuses its configuration`,
        this.#logHint(event.name),
      )
    }
    const note = this.#board.event(event, new Date().toLocaleTimeString('en-GB'))
    if (note !== undefined) this.#parts.screen.note(note)
  }

  #showSeeding({ seeded = 0, toSeed = 0 }: Readonly<Record<string, number>>): void {
    if (seeded === 0) return
    this.#phase = progressLine(seeded, toSeed)
    this.#draw()
  }

  #logHint(name: string): string {
    const log = this.#parts.stack.supervisor.get(name)?.log
    return log ? `it says: ${log.tail(1)}` : 'read its log'
  }

  #draw(): void {
    const nowMs = performance.now()
    const processes = this.#parts.stack.supervisor.statuses()
    const view = this.#board.view(processes, this.#phase, nowMs - this.#startedMs, nowMs)
    this.#parts.screen.draw(view, nowMs)
  }
}
