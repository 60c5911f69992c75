import type { Connection, Reader } from '@platformatic/kafka'
import { systemClock } from '@sluice/flow'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Api } from './answer.ts'
import { readClassicAssignment } from './apis/classic-assignment.ts'
import type { Connections } from './connections.ts'
import type { Driver } from './driver.ts'
import { loadLibrary } from './library.ts'
import { driverOn } from './open.ts'
import { driverCalls } from './testing/driver-calls.ts'
import { mutated, mutations } from './testing/mutation.ts'
import { recordedAnswers } from './testing/recorded-answers.ts'

/** 1.2 million frames in `npm run test:long`. */
const framesPerApi = process.env['SLUICE_LONG_RUNS'] ? 4 * Number(process.env['SLUICE_LONG_RUNS']) : 150

/** What is read from an answer weighs at most so many units (an object, an element, a byte of text) for each byte of it. */
const maxWeightPerByte = 8

const broker = { id: 1, host: 'broker', port: 9_092 }

/** Answers without sockets: `frame` to the API that is tried, and what was recorded to those that are asked before it. */
function driverAnswering(tried: string, frame: Buffer, cuts: readonly number[]): Driver {
  const exchange = async <Args extends unknown[], Answer>(
    _role: unknown,
    _to: unknown,
    name: string,
    api: Api<Args, Answer>,
    ...args: Args
  ): Promise<Answer> => {
    const asked = `${name} ${api.version}`
    return parsed(api, args, inChunks(asked === tried ? frame : recordedAnswers[asked]!, asked === tried ? cuts : []))
  }
  const connections = { request: exchange, send: exchange, expectFetch: () => {} } as unknown as Connections
  return driverOn(connections, [broker], systemClock)
}

/** Writes the request as the library would, and reads the chunks as its answer. */
function parsed<Args extends unknown[], Answer>(
  api: Api<Args, Answer>,
  args: Args,
  [first = Buffer.alloc(0), ...rest]: readonly Buffer[],
): Promise<Answer> {
  const send: Connection['send'] = (key, version, write, parse, _inRequest, inAnswer, done) => {
    void write()
    const reader = { buffer: { buffers: [inAnswer ? first.subarray(1) : first, ...rest] } } as unknown as Reader
    done(null, parse(1, key, version, reader) as never)
  }
  return api.call({ send } as unknown as Connection, ...args)
}

function inChunks(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  return places.slice(1).map((end, i) => bytes.subarray(places[i], end))
}

/** How much there is of an answer in memory. */
function weightOf(value: unknown): number {
  if (typeof value === 'string' || Buffer.isBuffer(value)) return 1 + value.length
  if (typeof value !== 'object' || value === null) return 1
  return Object.values(value).reduce((sum: number, item) => sum + weightOf(item), 1)
}

const allocate = Buffer.allocUnsafeSlow.bind(Buffer)
let largest = 0

beforeAll(loadLibrary)

beforeAll(() => {
  Buffer.allocUnsafeSlow = (size) => {
    largest = Math.max(largest, size)
    return allocate(size)
  }
})

afterAll(() => {
  Buffer.allocUnsafeSlow = allocate
})

test('every recorded answer is read', async () => {
  for (const [name, call] of Object.entries(driverCalls)) {
    const outcome = call(driverAnswering(name, recordedAnswers[name]!, []), broker)
    // Its recorded answer is that of a broker which has no such transaction.
    if (name === 'EndTxn 5') await expect(outcome).rejects.toMatchObject({ apiError: 'INVALID_TXN_STATE' })
    else await outcome
  }
})

test.each(Object.keys(driverCalls))('%s: whatever a broker answers is read or refused', async (name) => {
  const call = driverCalls[name]!
  const random = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes))
  const frames = fc.oneof(
    { weight: 9, arbitrary: mutations.map((changes) => mutated(recordedAnswers[name]!, changes)) },
    { weight: 1, arbitrary: random },
  )
  const property = fc.asyncProperty(frames, fc.array(fc.nat(), { maxLength: 3 }), async (frame, cuts) => {
    largest = 0
    const outcome = await call(driverAnswering(name, frame, cuts), broker).catch((error: unknown) => error)
    if (outcome instanceof Error) expect(typeof outcome.message).toBe('string')
    else expect(weightOf(outcome)).toBeLessThanOrEqual(maxWeightPerByte * frame.length + 1_000)
    expect(largest).toBeLessThanOrEqual(frame.length + 16)
  })
  await fc.assert(property, { numRuns: framesPerApi })
})

test('lengths that point backwards do not make a parser read the same bytes for ever', async () => {
  // Counts of 2^27 items. As signed numbers, which the varints of the library are, the lengths behind are -4 and -9.
  const strings = 'fcffffff07fcffffff0ff7ffffff0f'
  const groups = Buffer.from(`00${'00'.repeat(6)}${strings}`, 'hex')
  await expect(driverAnswering('ListGroups 5', groups, []).admin.listGroups(broker)).rejects.toThrow('ends too early')
  // One tag of the length -17, behind the six bytes of an API.
  const versions = Buffer.from(`0000fcffffff07${'00'.repeat(6)}0100efffffff0f`, 'hex')
  await expect(driverAnswering('ApiVersions 3', versions, []).transactionVersion()).rejects.toThrow('ends too early')
  const assignment = Buffer.from('00007ffffffffffe0000fffa0000', 'hex')
  expect(readClassicAssignment(assignment)).toEqual([])
})

test('an assignment of a classic group is read or taken for nothing, whoever wrote it', () => {
  const valid = Buffer.from('00030000000100046a6f6273000000020000000000000002ffffffff', 'hex')
  const property = fc.property(mutations, (changes) => {
    const bytes = mutated(valid, changes)
    expect(weightOf(readClassicAssignment(bytes))).toBeLessThanOrEqual(maxWeightPerByte * bytes.length + 10)
  })
  fc.assert(property, { numRuns: framesPerApi })
})
