import { describe, expect, test, vi } from 'vitest'
import { Flow } from '../index.ts'
import type { OnDrop } from '../index.ts'
import { settled } from '../testing/streams.ts'

interface Delivery {
  readonly n: number
  ack(): void
  fail(error: unknown): void
}

/** Elements that wait for an ack, and what each has heard. */
function deliveries(count: number) {
  const heard: string[] = []
  const all = Array.from({ length: count }, (_, n): Delivery => ({
    n,
    ack: () => heard.push(`ack ${n}`),
    fail: (error) => heard.push(`fail ${n}: ${(error as { code: string }).code}`),
  }))
  return { heard, flow: Flow.from(all) }
}

/** Of a consumer that is slower than its source. */
async function numbersOf(flow: Flow<Delivery>): Promise<number[]> {
  const out: number[] = []
  await flow.forEach(({ n }) => {
    out.push(n)
    return settled()
  })
  return out
}

const dropping: [string, (flow: Flow<Delivery>, onDrop: OnDrop<Delivery>) => Flow<Delivery>][] = [
  ['filter', (flow, onDrop) => flow.filter(({ n }) => n > 1, onDrop)],
  ['buffer', (flow, onDrop) => flow.buffer(1, 'drop-oldest', onDrop)],
  ['onBackpressureBuffer', (flow, onDrop) => flow.onBackpressureBuffer(1, onDrop, 'drop-oldest')],
  ['onBackpressureDrop', (flow, onDrop) => flow.onBackpressureDrop(onDrop)],
]

describe.each(dropping)('%s', (_, apply) => {
  test.each([
    ['ack', 'ack'],
    ['fail', 'fail'],
  ] as const)('tells what it drops by its %s', async (onDrop, word) => {
    const { heard, flow } = deliveries(3)
    const out = await numbersOf(apply(flow, onDrop))
    const dropped = [0, 1, 2].filter((n) => !out.includes(n))
    expect(dropped.length).toBeGreaterThan(0)
    expect(heard).toEqual(dropped.map((n) => (word === 'ack' ? `ack ${n}` : `fail ${n}: element_dropped`)))
  })

  test('goes on where the listener of drops throws, and tells of it as a warning', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const { flow } = deliveries(3)
    const broken = () => {
      throw new Error('broken')
    }
    const out = await numbersOf(apply(flow, broken))
    expect(out.length + warn.mock.calls.length).toBe(3)
    expect(String(warn.mock.calls[0]?.[0])).toContain('broken')
    warn.mockRestore()
  })

  test('refuses what is neither a function nor a word that it knows', () => {
    const { flow } = deliveries(1)
    for (const wrong of ['drop', 7, null]) {
      expect(() => apply(flow, wrong as never)).toThrow(expect.objectContaining({ code: 'config_invalid' }))
    }
  })
})

test('a filter that was not told what to do refuses to lose what waits for an ack, and nothing else', async () => {
  const { flow } = deliveries(3)
  await expect(flow.filter(({ n }) => n > 0).toArray()).rejects.toMatchObject({ field: 'onDrop' })
  const plain = [null, undefined, 0, { ack: 1, fail: 2 }, { ack: () => {} }, { fail: () => {} }]
  expect(
    await Flow.from<unknown>(plain)
      .filter(() => false)
      .toArray(),
  ).toEqual([])
})
