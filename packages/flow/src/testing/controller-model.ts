import { priorities } from '../queue/priority.ts'
import type { Priority } from '../queue/priority.ts'

export interface Run {
  readonly id: number
  readonly priority: Priority
  readonly ms: number
  readonly fails: boolean
  startedMs: number | undefined
  permit: object | undefined
}

interface Timer {
  readonly dueMs: number
  readonly fire: () => void
}

type State =
  | { readonly name: 'closed' }
  | { readonly name: 'open' }
  | { readonly name: 'half-open'; started: number; passed: number }

const mediumWaitMs = 1_000
const highWaitMs = 120_000
const openMs = 50
const trialCalls = 3
const slowTrialMs = 30

/** The controller as simply as it can be said: arrays, looked through each time, and timers in the order they are due. */
export class ControllerModel {
  readonly #options: {
    readonly overloadFactor: number
    readonly maxRecords: number
    readonly emergencyCapacity: number
  }
  readonly outcomes = new Map<number, string>()
  readonly transitions: object[] = []
  readonly alerts: object[] = []
  running: Run[] = []
  capacity = 6
  #queued: Run[] = []
  #line: Run[] = []
  #state: State = { name: 'closed' }
  #window: { readonly ms: number; readonly argues: boolean }[] = []
  #capacityBefore = 6
  #failuresInARow = 0
  #timers: Timer[] = []
  /** What a promise does a moment later. */
  #later: (() => void)[] = []
  #nowMs = 0

  constructor(options: ControllerModel['options']) {
    this.#options = options
  }

  get options() {
    return this.#options
  }

  get state(): string {
    return this.#state.name
  }

  get load(): number {
    return this.running.length + this.#queued.length + this.#line.length
  }

  run(run: Run): void {
    run.permit = this.#enterBreaker()
    if (run.permit === undefined && run.priority !== 'high') return this.#settle(run, 'circuit_open')
    this.#push(run)
    if (this.state === 'closed' && this.load > this.capacity * this.#options.overloadFactor) this.#trip('overload')
    this.#pump()
  }

  /** Only who is queued or waits gives up. */
  abort(id: number): void {
    this.#settleLater()
    const run = [...this.#queued, ...this.#line].find((each) => each.id === id)
    if (run === undefined) return
    this.#leave(run, 'aborted')
    this.#letIn()
  }

  advance(ms: number): void {
    this.#settleLater()
    const untilMs = this.#nowMs + ms
    for (let next = this.#nextTimer(untilMs); next; next = this.#nextTimer(untilMs)) {
      this.#timers = this.#timers.filter((timer) => timer !== next)
      this.#nowMs = next.dueMs
      next.fire()
      this.#settleLater()
    }
    this.#nowMs = untilMs
  }

  /** What ends by itself once everything else was rejected. */
  outcomeOfClosing(id: number): string {
    const run = this.running.find((each) => each.id === id)
    if (run === undefined) return 'closed'
    return run.fails ? 'work' : 'done'
  }

  #nextTimer(untilMs: number): Timer | undefined {
    const due = this.#timers.filter(({ dueMs }) => dueMs <= untilMs)
    return due.find(({ dueMs }) => dueMs === Math.min(...due.map((timer) => timer.dueMs)))
  }

  #after(ms: number, fire: () => void): void {
    this.#timers.push({ dueMs: this.#nowMs + ms, fire })
  }

  #settleLater(): void {
    for (const run of this.#later.splice(0)) run()
  }

  #settle(run: Run, outcome: string): void {
    this.outcomes.set(run.id, outcome)
  }

  /** Shed, timed out or aborted: its trial may be made by another. */
  #leave(run: Run, outcome: string): void {
    this.#queued = this.#queued.filter((other) => other !== run)
    this.#line = this.#line.filter((other) => other !== run)
    this.#settle(run, outcome)
    this.#giveTrialBack(run)
  }

  #enterBreaker(): object | undefined {
    if (this.#state.name === 'open') return undefined
    if (this.#state.name === 'half-open' && this.#state.started >= trialCalls) return undefined
    if (this.#state.name === 'half-open') this.#state.started++
    return this.#state
  }

  #giveTrialBack({ permit }: Run): void {
    if (this.#state.name === 'half-open' && permit === this.#state) this.#state.started--
  }

  #push(run: Run): void {
    const rank = priorities.indexOf(run.priority)
    const isBehind = this.#line.some((other) => priorities.indexOf(other.priority) <= rank)
    if (!isBehind && this.#enterQueue(run)) return
    if (run.priority === 'low') {
      this.#settle(run, 'low_priority_drop')
      this.#later.push(() => this.#giveTrialBack(run))
      return
    }
    this.#line.push(run)
    this.#after(run.priority === 'medium' ? mediumWaitMs : highWaitMs, () => {
      if (this.#line.includes(run)) this.#leave(run, 'timeout_drop')
    })
  }

  #enterQueue(run: Run): boolean {
    if (this.running.length + this.#queued.length >= this.#options.maxRecords) {
      const oldest = (priority: Priority) => this.#queued.find((other) => other.priority === priority)
      const victim = run.priority === 'high' ? (oldest('low') ?? oldest('medium')) : undefined
      if (victim === undefined) return false
      this.#leave(victim, 'old_message_dropped')
    }
    this.#queued.push(run)
    return true
  }

  #letIn(): void {
    for (const priority of priorities) {
      for (const run of this.#line.filter((other) => other.priority === priority)) {
        if (!this.#enterQueue(run)) return
        this.#line = this.#line.filter((other) => other !== run)
      }
    }
  }

  #pump(): void {
    while (this.#queued.length > 0 && this.running.length < this.capacity) {
      const next = priorities.flatMap((priority) => this.#queued.filter((run) => run.priority === priority))[0]!
      this.#queued = this.#queued.filter((other) => other !== next)
      this.running.push(next)
      next.startedMs = this.#nowMs
      this.#after(next.ms, () => this.#finish(next))
    }
  }

  #finish(run: Run): void {
    this.#settle(run, run.fails ? 'work' : 'done')
    const tookMs = this.#nowMs - run.startedMs!
    this.#judge(run, run.fails || (this.state === 'half-open' && tookMs > slowTrialMs))
    if (this.state === 'closed') this.#learn(tookMs)
    this.running = this.running.filter((other) => other !== run)
    this.#letIn()
    this.#pump()
  }

  /** What began in an earlier state says nothing in the present one. */
  #judge({ permit }: Run, hasFailed: boolean): void {
    if (permit !== this.#state) return
    if (hasFailed) {
      this.#failuresInARow++
      if (this.#state.name === 'half-open') this.#trip('trial_failed')
      else if (this.#failuresInARow >= 3) this.#trip('failures')
    } else if (this.#state.name === 'closed') this.#failuresInARow = 0
    else if (this.#state.name === 'half-open' && ++this.#state.passed === trialCalls) {
      this.#failuresInARow = 0
      this.#change({ name: 'closed' }, 'trials_passed')
      this.#restart(Math.max(this.#options.emergencyCapacity, Math.floor(this.#capacityBefore / 2)))
      this.#pump()
    }
  }

  #learn(ms: number): void {
    this.#window.push({ ms, argues: 2 * this.running.length >= this.capacity })
    if (this.#window.length < 4) return
    const meanMs = this.#window.reduce((sum, sample) => sum + sample.ms, 0) / 4
    if (meanMs > 30) this.capacity = Math.max(2, this.capacity - 2)
    else if (meanMs < 10 && this.#window.filter(({ argues }) => argues).length >= 2) {
      this.capacity = Math.min(10, this.capacity + 1)
    }
    this.#window = []
  }

  #restart(capacity: number): void {
    this.capacity = capacity
    this.#window = []
  }

  #trip(reason: string): void {
    const { load, capacity } = this
    const from = this.state
    const opened: State = { name: 'open' }
    this.#after(openMs, () => {
      if (this.#state === opened) this.#change({ name: 'half-open', started: 0, passed: 0 }, 'open_time_over')
    })
    this.#change(opened, reason)
    if (from === 'closed') {
      this.#capacityBefore = capacity
      this.alerts.push({ reason, load, capacity })
    }
    this.#restart(this.#options.emergencyCapacity)
    for (const run of [...this.#queued, ...this.#line]) {
      if (run.priority !== 'high') this.#leave(run, 'low_priority_drop')
    }
    this.#letIn()
  }

  #change(state: State, reason: string): void {
    const { load, capacity } = this
    this.transitions.push({ from: this.state, to: state.name, reason, load, capacity })
    this.#state = state
  }
}
