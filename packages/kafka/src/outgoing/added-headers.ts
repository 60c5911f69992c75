import { randomFillSync } from 'node:crypto'
import { ConfigError } from '@sluice/flow'
import type { WireHeaders } from '../record/record.ts'

import type { CarriedTrace } from '../tracing/trace-headers.ts'

/** Headers that are added to every record that does not bring them. */
export interface AddHeadersOptions {
  /** `trace-id`: of the active trace where the application has `@opentelemetry/api`, else a new one. Default true. */
  readonly traceId?: boolean | undefined
  /** `timestamp`: when it was sent, milliseconds since the epoch as text. Default true. */
  readonly timestamp?: boolean | undefined
  /** `idempotency-key`: a new one for records without a key of their own. Default false. */
  readonly idempotencyKey?: boolean | undefined
}

export type AddHeadersConfig = { readonly [Field in keyof AddHeadersOptions]-?: boolean }

type Header = WireHeaders[number]

const traceId = Buffer.from('trace-id')
const timestamp = Buffer.from('timestamp')
const idempotencyKey = Buffer.from('idempotency-key')

/** What a record is sent with, beside its own headers. */
export interface SendContext {
  readonly nowMs: number
  /** The one that the record asks for. */
  readonly idempotencyKey: string | undefined
  readonly trace: CarriedTrace | undefined
}

/** The headers that a producer adds to those of the record. One that the record brings itself is left as it is. */
export class AddedHeaders {
  readonly #config: AddHeadersConfig
  #stampedMs = -1
  /** Shared by the records of one millisecond. */
  #stamp: Header = [timestamp, null]

  constructor(config: AddHeadersConfig) {
    this.#config = config
  }

  /** Undefined where there are none, neither own nor added. */
  addTo(own: WireHeaders | undefined, context: SendContext): WireHeaders | undefined {
    const added = this.#added(context)
    if (added.length === 0 || !own) return added.length === 0 ? own : added
    return [...own, ...added.filter(([name]) => !own.some(([other]) => other.equals(name)))]
  }

  #added({ nowMs, idempotencyKey: asked, trace }: SendContext): Header[] {
    const added: Header[] = []
    if (this.#config.traceId) added.push([traceId, trace ? Buffer.from(trace.traceId) : randomId()])
    if (this.#config.timestamp) added.push(this.#stampOf(nowMs))
    if (asked !== undefined) added.push([idempotencyKey, Buffer.from(requireKey(asked))])
    else if (this.#config.idempotencyKey) added.push([idempotencyKey, randomId()])
    if (trace) for (const [name, value] of trace.carried) added.push([Buffer.from(name), Buffer.from(value)])
    return added
  }

  #stampOf(nowMs: number): Header {
    if (nowMs !== this.#stampedMs) {
      this.#stampedMs = nowMs
      this.#stamp = [timestamp, Buffer.from(String(nowMs))]
    }
    return this.#stamp
  }
}

function requireKey(key: unknown): string {
  if (typeof key === 'string' && key !== '') return key
  throw new ConfigError('idempotencyKey', key, 'a text that is not empty')
}

const randomBytes = Buffer.allocUnsafeSlow(4_096)
let spentBytes = randomBytes.length

/** 16 random bytes in hex, as a trace id of W3C is. */
function randomId(): Buffer {
  if (spentBytes === randomBytes.length) {
    randomFillSync(randomBytes)
    spentBytes = 0
  }
  const from = spentBytes
  spentBytes += 16
  return Buffer.from(randomBytes.toString('hex', from, spentBytes), 'latin1')
}
