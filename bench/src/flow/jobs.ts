import { PassThrough, Readable } from 'node:stream'
import { ReadableStream, TransformStream } from 'node:stream/web'
import { Flow, Gate, Lanes, Limiter, RateLimiter } from '@sluice/flow'
import type { LaneTask } from '@sluice/flow'
import { Sema } from 'async-sema'
import { from as fromIterable } from 'ix/asynciterable'
import { flatMap as flatMapIx, map as mapIx } from 'ix/asynciterable/operators'
import pLimit from 'p-limit'
import PQueue from 'p-queue'
import { concatMap, from, lastValueFrom, mergeMap, reduce } from 'rxjs'

/** Does so many items, gives how many it did. */
export type Way = (items: number) => Promise<number>

const bound = 16
const oneAtATime = { concurrency: 1 }
const callers = 1_000

const task = async (): Promise<void> => {}
const asyncSame = async (n: number): Promise<number> => n

/** So many callers at a time, each with one call after the other: what a server sees. */
async function byCallers(items: number, call: () => Promise<unknown>): Promise<number> {
  let begun = 0
  let done = 0
  const caller = async (): Promise<void> => {
    while (begun++ < items) {
      await call()
      done++
    }
  }
  await Promise.all(Array.from({ length: callers }, caller))
  return done
}

function* numbers(items: number): Generator<number, void, undefined> {
  for (let n = 0; n < items; n++) yield n
}

async function countAll(source: AsyncIterable<unknown>): Promise<number> {
  let count = 0
  for await (const _ of source) count++
  return count
}

const boundJobs: Readonly<Record<string, Way>> = {
  'Sluice Gate': (items) => {
    const gate = new Gate({ maxRecords: bound, maxWaiting: callers })
    return byCallers(items, async () => {
      await gate.acquire(0)
      await task()
      gate.release(0)
    })
  },
  'Sluice Limiter': (items) => {
    const limiter = new Limiter({ limit: bound, maxWaiting: callers })
    return byCallers(items, () => limiter.run(task))
  },
  'async-sema': (items) => {
    const sema = new Sema(bound, { capacity: callers })
    return byCallers(items, async () => {
      await sema.acquire()
      await task()
      sema.release()
    })
  },
  'p-limit': (items) => {
    const limit = pLimit(bound)
    return byCallers(items, () => limit(task))
  },
  'p-queue': (items) => {
    const queue = new PQueue({ concurrency: bound })
    return byCallers(items, () => queue.add(task))
  },
}

const priorities = ['high', 'medium', 'low'] as const

/** Dispatches what is in lanes as slots are free. */
async function throughLanes(items: number, laneOf: (n: number) => number | undefined): Promise<number> {
  const lanes = new Lanes<() => void>()
  const pump = (): void => {
    while (lanes.running < bound) {
      const next = lanes.take()
      if (next === undefined) return
      void run(next)
    }
  }
  const run = async (next: LaneTask<() => void>): Promise<void> => {
    await task()
    lanes.done(next)
    next.item()
    pump()
  }
  let n = 0
  return byCallers(items, () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const priority = priorities[n % 3]!
    lanes.push(resolve, { priority, lane: laneOf(n++) })
    pump()
    return promise
  })
}

const priorityJobs: Readonly<Record<string, Way>> = {
  'Sluice Lanes, unordered': (items) => throughLanes(items, () => undefined),
  'Sluice Lanes, 100 keys in order': (items) => throughLanes(items, (n) => n % 100),
  'p-queue (no order by key)': (items) => {
    const queue = new PQueue({ concurrency: bound })
    let n = 0
    return byCallers(items, () => queue.add(task, { priority: n++ % 3 }))
  },
}

const mapAsyncJobs: Readonly<Record<string, Way>> = {
  'Sluice mapAsync': (items) => countAll(Flow.from(numbers(items)).mapAsync(bound, asyncSame)),
  'Sluice mapAsyncUnordered': (items) => countAll(Flow.from(numbers(items)).mapAsyncUnordered(bound, asyncSame)),
  'Node Readable.map': (items) => countAll(Readable.from(numbers(items)).map(asyncSame, { concurrency: bound })),
  'IxJS flatMap': (items) => countAll(fromIterable(numbers(items)).pipe(flatMapIx(asyncSame, bound))),
  'RxJS mergeMap (takes its source at once)': (items) =>
    lastValueFrom(
      from(numbers(items)).pipe(
        mergeMap(asyncSame, bound),
        reduce((count) => count + 1, 0),
      ),
    ),
}

const bufferJobs: Readonly<Record<string, Way>> = {
  'Sluice buffer': (items) => countAll(Flow.from(numbers(items)).buffer(bound)),
  'Node Readable': (items) => countAll(Readable.from(numbers(items), { highWaterMark: bound })),
  'Node PassThrough': (items) =>
    countAll(Readable.from(numbers(items)).pipe(new PassThrough({ objectMode: true, highWaterMark: bound }))),
  'web TransformStream': (items) => {
    const strategy = { highWaterMark: bound }
    return countAll(ReadableStream.from(numbers(items)).pipeThrough(new TransformStream({}, strategy, strategy)))
  },
}

/** A rate that is never reached: what is measured is what the operator costs. */
const rate = { elements: 1e9, perMs: 1 }

/** No peer has a throttle that delays and holds its source back: their operators wait for our limiter. */
function inTurn(): (n: number) => Promise<number> {
  const limiter = new RateLimiter(rate)
  return async (n) => {
    await limiter.acquire()
    return n
  }
}

const throttleJobs: Readonly<Record<string, Way>> = {
  'Sluice throttle': (items) => countAll(Flow.from(numbers(items)).throttle(rate)),
  'Node Readable.map and a limiter': (items) => countAll(Readable.from(numbers(items)).map(inTurn(), oneAtATime)),
  'IxJS map and a limiter': (items) => countAll(fromIterable(numbers(items)).pipe(mapIx(inTurn()))),
  'RxJS concatMap and a limiter (takes its source at once)': (items) =>
    lastValueFrom(
      from(numbers(items)).pipe(
        concatMap(inTurn()),
        reduce((count) => count + 1, 0),
      ),
    ),
}

export const flowJobs: Readonly<Record<string, Readonly<Record<string, Way>>>> = {
  'at most 16 at a time, 1,000 callers': boundJobs,
  'the same with priorities': priorityJobs,
  'mapAsync, at most 16 at a time': mapAsyncJobs,
  'buffer of 16 (IxJS and RxJS have none with a bound)': bufferJobs,
  'throttle, delaying and with back-pressure (no peer has one: a limiter in its map)': throttleJobs,
}
