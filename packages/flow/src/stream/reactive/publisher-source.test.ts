import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Flow } from '../../index.ts'
import type { Publisher, Subscriber } from '../../index.ts'
import { catchWarnings, upstream } from '../../testing/subscriber.ts'

let warnings: readonly string[] = []
beforeEach(() => {
  warnings = catchWarnings()
})
afterEach(() => void vi.restoreAllMocks())

describe('a flow that subscribes to a publisher', () => {
  const byHand = () => {
    let subscriber!: Subscriber<number>
    const publisher: Publisher<number> = { subscribe: (given) => (subscriber = given) }
    const iterator = Flow.from(publisher)[Symbol.asyncIterator]()
    return { iterator, subscribe: () => subscriber }
  }

  test('requests in small portions, as elements are taken', async () => {
    const { iterator, subscribe } = byHand()
    const first = iterator.next()
    const above = upstream()
    subscribe().onSubscribe(above)
    expect(above.requests).toEqual([16])
    for (let n = 0; n < 16; n++) subscribe().onNext(n)
    expect((await first).value).toBe(0)
    for (let n = 1; n < 12; n++) expect((await iterator.next()).value).toBe(n)
    expect(above.requests).toEqual([16, 12])
    await iterator.return!()
    expect(above.requests).toEqual([16, 12, 'cancel'])
    subscribe().onNext(99)
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
  })

  test('2.05: cancels a second subscription; 2.06: and one that comes after it was left', async () => {
    const { iterator, subscribe } = byHand()
    void iterator.next()
    const [first, second, third] = [upstream(), upstream(), upstream()]
    subscribe().onSubscribe(first)
    subscribe().onSubscribe(second)
    await iterator.return!()
    subscribe().onSubscribe(third)
    expect([second.requests, third.requests]).toEqual([['cancel'], ['cancel']])
  })

  test('an overrun is an error after what was requested', async () => {
    const { iterator, subscribe } = byHand()
    void iterator.next()
    const above = upstream()
    subscribe().onSubscribe(above)
    for (let n = 0; n <= 16; n++) subscribe().onNext(n)
    for (let n = 1; n < 16; n++) expect((await iterator.next()).value).toBe(n)
    await expect(iterator.next()).rejects.toMatchObject({ code: 'buffer_overflow' })
    expect(above.requests.at(-1)).toBe('cancel')
  })

  test('2.13: refuses what is not there; 3.15: a cancel that throws is a warning', async () => {
    const { iterator, subscribe } = byHand()
    void iterator.next()
    expect(() => subscribe().onSubscribe(null as never)).toThrow(TypeError)
    subscribe().onSubscribe({
      request: () => {},
      cancel: () => {
        throw new Error('broken')
      },
    })
    expect(() => subscribe().onNext(undefined as never)).toThrow(TypeError)
    expect(() => subscribe().onError(undefined)).toThrow(TypeError)
    await iterator.return!()
    expect(warnings[0]).toContain('rule 3.15')
  })

  test('3.10, 3.11: a publisher may give, fail and end from within the request', async () => {
    const publisher = (end: (subscriber: Subscriber<number>) => void): Publisher<number> => ({
      subscribe: (subscriber) => {
        let n = 0
        const request = (count: number): void => {
          for (let i = 0; i < count && n < 40; i++) subscriber.onNext(n++)
          if (n === 40) end(subscriber)
        }
        subscriber.onSubscribe({ request, cancel: () => {} })
      },
    })
    const all = Array.from({ length: 40 }, (_, i) => i)
    expect(await Flow.from(publisher((subscriber) => subscriber.onComplete())).toArray()).toEqual(all)
    const out: number[] = []
    const failing = Flow.from(publisher((subscriber) => subscriber.onError(new Error('above'))))
    await expect(failing.forEach((n) => out.push(n))).rejects.toThrow('above')
    expect(out).toEqual(all)
  })

  test('a failure and the end come through', async () => {
    const failing = byHand()
    const failed = failing.iterator.next()
    failing.subscribe().onError(new Error('above'))
    await expect(failed).rejects.toThrow('above')
    const ending = byHand()
    const ended = ending.iterator.next()
    ending.subscribe().onComplete()
    expect((await ended).done).toBe(true)
  })
})
