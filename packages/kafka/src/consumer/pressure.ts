import {
  AdaptiveBatchSize,
  cpuSensor,
  memorySensor,
  PressureSensor,
  readResourceLimits,
  standardConditions,
  type Clock,
  type ConditionState,
  type Timer,
} from '@sluice/flow'
import type { Emitter } from '@sluice/flow/internal'
import type { ConsumerEvents } from './events.ts'
import type { ConsumerPressure } from './events.ts'

/** What of the process is measured, 0..1 each. */
export interface ProcessReadings {
  readonly memory: () => number
  readonly cpu: () => number
}

export interface PressureOptions {
  readonly clock: Clock
  readonly events: Emitter<ConsumerEvents>
  readonly maxPollRecords: number
  readonly freeSlots: () => number
  readonly meanHandlingMs: () => number
  /** Told when it changes: how much of its budget the consumer is to use, from 0.1 to 1. */
  readonly onBudgetShare: (share: number) => void
  /** Default: of this process. */
  readonly readings?: ProcessReadings | undefined
}

/** The pressure that a consumer is under. */
export interface PressureState {
  /** The conditions that hold. */
  readonly active: readonly ConsumerPressure[]
  /** All conditions. */
  readonly conditions: Readonly<Record<ConsumerPressure, ConditionState>>
  /** `maxPollRecords`, or less under pressure. */
  readonly pollRecords: number
  /** The share of the memory budget that is used: 1, or less under pressure. */
  readonly budgetShare: number
}

const lookEveryMs = 1_000
const leastPollRecords = 10
/** A full recovery takes no more steps than one from nothing to 500 by ten. */
const mostSteps = 50

/**
 * Watches whether the consumer is under pressure, by document 2's conditions; each counts once it has held for 5 s. For
 * as long as one of them holds, batches and budget are halved with every look, down to a tenth; afterwards they grow
 * again. That all slots are in use is told and changes nothing: which record is next is a matter of priority anyway.
 */
export class Pressure {
  readonly #options: PressureOptions
  readonly #sensor: PressureSensor<ConsumerPressure>
  readonly #pollRecords: AdaptiveBatchSize
  readonly #budgetPercent = new AdaptiveBatchSize({ min: 10, max: 100 })
  #timer: Timer | undefined

  constructor(options: PressureOptions) {
    const { clock, events, maxPollRecords, freeSlots, meanHandlingMs } = options
    const { memory, cpu } = options.readings ?? processReadings(clock)
    this.#options = options
    this.#pollRecords = new AdaptiveBatchSize({
      min: Math.min(leastPollRecords, maxPollRecords),
      max: maxPollRecords,
      start: maxPollRecords,
      step: Math.max(10, Math.ceil(maxPollRecords / mostSteps)),
    })
    this.#sensor = new PressureSensor<ConsumerPressure>({
      conditions: standardConditions({ slots: freeSlots, handlingTime: meanHandlingMs, memory, cpu }),
      clock,
    })
    this.#sensor.on('change', (change) => events.emit('pressure', { ...change, all: this.#sensor.active }))
  }

  /** Records of one partition before the next partition's turn, and at most in one batch. */
  get pollRecords(): number {
    return this.#pollRecords.size
  }

  /** Looks once a second until `stop`. */
  start(): void {
    this.#timer = this.#options.clock.setTimeout(() => {
      this.start()
      this.#look()
    }, lookEveryMs)
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  inspect(): PressureState {
    return {
      active: this.#sensor.active,
      conditions: this.#sensor.inspect(),
      pollRecords: this.pollRecords,
      budgetShare: this.#budgetPercent.size / 100,
    }
  }

  #look(): void {
    this.#sensor.look()
    const before = this.#budgetPercent.size
    const adapt = this.#sensor.active.some((name) => name !== 'slots') ? 'decrease' : 'increase'
    this.#pollRecords[adapt]()
    const percent = this.#budgetPercent[adapt]()
    if (percent !== before) this.#options.onBudgetShare(percent / 100)
  }
}

function processReadings(clock: Clock): ProcessReadings {
  const { memoryBytes, cpus } = readResourceLimits()
  return { memory: memorySensor({ limitBytes: memoryBytes }), cpu: cpuSensor({ cpus, clock }) }
}
