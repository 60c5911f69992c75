import type { ServiceName, ServiceReport } from '@sluice/commerce'
import type { ProcessEvent, ProcessStatus } from '@sluice/stack'
import { Total } from './totals.ts'

/** A service that has not reported for so long is not believed any more. */
const STALE_MS = 3_000
const MAX_NOTES = 5

/** What the demo shows, once a second. */
export interface View {
  readonly upMs: number
  readonly phase: string
  readonly processes: readonly (ProcessStatus & { readonly note?: string | undefined })[]
  readonly orders: Flow
  readonly products: Flow
  readonly repeats: number
  readonly queue: ServiceReport['queue']
  readonly lag: number | undefined
  readonly cache: ServiceReport['cache']
  readonly rows: ServiceReport['rows']
  readonly restarts: number
  /** What happened to processes, the latest last. */
  readonly notes: readonly string[]
}

/** Records of a topic, as the generator had them acknowledged and as the consumer has stored them. */
export interface Flow {
  readonly sent: number
  readonly sentPerSecond: number
  readonly stored: number
  readonly storedPerSecond: number
}

/** Gathers what processes report and what happens to them. */
export class Board {
  readonly #totals = {
    generator: { orders: new Total(), products: new Total() },
    consumer: { orders: new Total(), products: new Total(), repeats: new Total() },
  }
  readonly #reports = new Map<ServiceName, { readonly report: ServiceReport; readonly atMs: number }>()
  readonly #notes: string[] = []

  /** @param nowMs monotonic */
  report(report: ServiceReport, nowMs: number): void {
    this.#reports.set(report.service, { report, atMs: nowMs })
    if (report.service !== 'generator' && report.service !== 'consumer') return
    for (const [name, total] of Object.entries(this.#totals[report.service])) {
      total.note(report.counters[name] ?? 0, nowMs)
    }
  }

  /** The last report of a service, unless it is too old to go by. */
  latest(service: ServiceName, nowMs: number): ServiceReport | undefined {
    const last = this.#reports.get(service)
    return last && nowMs - last.atMs <= STALE_MS ? last.report : undefined
  }

  /** Records of a topic that the generator, in all its starts, has reported as acknowledged. */
  sent(topic: 'orders' | 'products'): number {
    return this.#totals.generator[topic].value
  }

  /** When a service last reported, monotonic. */
  reportedAtMs(service: ServiceName): number | undefined {
    return this.#reports.get(service)?.atMs
  }

  /** @returns a line to tell, where the event is worth one */
  event(event: ProcessEvent, wallTime: string): string | undefined {
    const text = describe(event)
    if (text === undefined) return undefined
    const note = `${wallTime} ${text}`
    this.#notes.push(note)
    if (this.#notes.length > MAX_NOTES) this.#notes.splice(0, 1)
    return note
  }

  view(processes: readonly ProcessStatus[], phase: string, upMs: number, nowMs: number): View {
    const { generator, consumer } = this.#totals
    for (const total of [...Object.values(generator), ...Object.values(consumer)]) total.expire(nowMs, STALE_MS)
    return {
      upMs,
      phase,
      processes: processes.map((one) => ({ ...one, note: this.#waitingFor(one.name, nowMs) })),
      orders: flow(generator.orders, consumer.orders),
      products: flow(generator.products, consumer.products),
      repeats: consumer.repeats.value,
      queue: this.latest('generator', nowMs)?.queue,
      lag: this.latest('consumer', nowMs)?.lag,
      cache: this.latest('cache-worker', nowMs)?.cache,
      rows: this.latest('consumer', nowMs)?.rows,
      restarts: processes.reduce((sum, { restarts }) => sum + restarts, 0),
      notes: [...this.#notes],
    }
  }

  #waitingFor(name: string, nowMs: number): string | undefined {
    const waitingFor = this.latest(name as ServiceName, nowMs)?.waitingFor
    return waitingFor && `waiting for ${waitingFor}`
  }
}

function flow(sent: Total, stored: Total): Flow {
  return {
    sent: sent.value,
    sentPerSecond: sent.perSecond,
    stored: stored.value,
    storedPerSecond: stored.perSecond,
  }
}

function describe(event: ProcessEvent): string | undefined {
  if (event.type === 'exited' && !event.asked && event.name !== 'seeder') {
    const { code, signal } = event.exit
    return `${event.name} (pid ${event.pid}) ended ${signal ? `by ${signal}` : `with code ${code}`}`
  }
  if (event.type !== 'restarting') return undefined
  return `${event.name} is started again in ${Math.round(event.delayMs)} ms (restart ${event.restarts})`
}
