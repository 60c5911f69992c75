import * as flow from '@sluice/flow'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import * as kafka from './index.ts'

/** One of each, as the package makes it. `retriable` depends on what happened for some. */
const place = { topic: 't', partition: 0, offset: 7 }
const samples: readonly flow.SluiceError[] = [
  new kafka.ConnectionError('a:1', 'm'),
  new kafka.AuthenticationError('a:1', 'm'),
  new kafka.TokenError('a:1', 'm'),
  new kafka.UnsupportedBrokerError('a:1', ['Fetch 17']),
  new kafka.ProtocolError('a:1', 'Fetch', 'm'),
  new kafka.RequestTimeoutError('a:1', 'Fetch', 10),
  new kafka.BrokerError('NONE', 0, 'm'),
  new kafka.ClusterTimeoutError('w', 10),
  new kafka.DeliveryError('t', 0, 'refused', 'm'),
  new kafka.RecordTooLargeError('t', 2, 1),
  new kafka.EncodeError('t', 'key', 'text', new Error('m')),
  new kafka.DecodeError(place, 'key', 'text', new Error('m')),
  new kafka.CorruptBatchError(0, 'm'),
  new kafka.BatchTooLargeError(1),
  new kafka.HeadersTooLargeError({ offset: 7, headers: 2, headerBytes: 4 }, { maxHeaders: 1, maxHeaderBytes: 9 }),
  new kafka.UnreadableBatchError(place, new Error('m')),
  new kafka.HandlerError(place, 3, new Error('m')),
  new kafka.HandlerTimeoutError(place, 10),
  new kafka.PostponedError(new Error('m')),
  new kafka.AbandonedHandlersError(2, 1),
  new kafka.RevokedError('t', 0),
  new kafka.MembershipError('g', 'm'),
  new kafka.UnknownEventTypeError(place, 'order.lost'),
  new kafka.NoPositionError('g', [{ topic: 't', partition: 0 }], 'no_committed_offset'),
  new kafka.OffsetOutsideLogError(place, 0, 5),
  new kafka.StateInUseError('p', 1),
  new kafka.DeadLetterRefusedError(
    { to: 't.dlq', topic: 't', partition: 0, refusal: 'not_allowed', advice: 'a' },
    new Error('m'),
  ),
  new kafka.TransactionError('id', 'aborted', new Error('m'), true),
  new kafka.ProducerFencedError('id', new Error('m')),
  new kafka.OutputRefusedError('t', new Error('m'), false),
  new flow.ConfigError('f', 1, '2'),
  new flow.BackpressureError('waiting_full', 'm'),
  new flow.ClosedError('w'),
  new flow.CircuitOpenError('m', 1),
  new flow.RateLimitError(1),
  new flow.BufferOverflowError(1),
  new flow.DroppedError(),
  new flow.SubscribeError('m'),
  new flow.InvariantError('m'),
]
const retriableDepends = new Set(['ConnectionError', 'BrokerError', 'TransactionError', 'DeadLetterRefusedError'])

interface Row {
  readonly code: string
  readonly retriable: string
  readonly facts: readonly string[]
}

function documented(): ReadonlyMap<string, Row> {
  const page = readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8')
    // That package compares its own.
    .replace(/^## @sluice\/postgres\n.*?(?=^## )/ms, '')
  const rows = page.matchAll(/^\| `(\w+)` +\| `(\w+)` +\| (yes|no|depends) +\|(.*?)\| .+ \|$/gm)
  return new Map(
    Array.from(rows, ([, code, name, retriable, facts]) => {
      const names = Array.from(facts!.matchAll(/`(\w+)`/g), ([, fact]) => fact!)
      return [name!, { code: code!, retriable: retriable!, facts: names.toSorted() }]
    }),
  )
}

function ofCode(error: flow.SluiceError): Row {
  const own = Object.keys(error).filter((key) => !['code', 'retriable', 'name', 'cause'].includes(key))
  const retriable = retriableDepends.has(error.name) ? 'depends' : error.retriable ? 'yes' : 'no'
  return { code: error.code, retriable, facts: own.toSorted() }
}

describe('the table of errors', () => {
  const rows = documented()

  test('has a row for every error class that the packages export, and no other', () => {
    const all = new Set<unknown>([...Object.values(flow), ...Object.values(kafka)])
    const exported = [...all].filter((one) => typeof one === 'function' && one.prototype instanceof flow.SluiceError)
    expect([...rows.keys()].toSorted()).toEqual(exported.map((one) => (one as { name: string }).name).toSorted())
  })

  test.each(samples.map((error) => [error.name, error] as const))('says of %s what the code does', (name, error) => {
    expect(rows.get(name)).toEqual(ofCode(error))
  })

  test('no code stands for two errors', () => {
    const codes = [...rows.values()].map(({ code }) => code)
    expect(new Set(codes).size).toBe(codes.length)
    expect(samples).toHaveLength(rows.size)
  })
})
