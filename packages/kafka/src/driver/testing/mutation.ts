import fc from 'fast-check'

/** What is done to bytes, at a place given as a share of their length. */
interface Mutation {
  readonly kind: 'set' | 'number' | 'cut' | 'insert' | 'repeat'
  readonly at: number
  readonly value: number
}

/** Lengths and counts at the edges of what their bytes can hold. */
const edges = [0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff]

const mutation: fc.Arbitrary<Mutation> = fc.record({
  kind: fc.constantFrom('set', 'set', 'set', 'number', 'number', 'cut', 'insert', 'repeat'),
  at: fc.double({ min: 0, max: 0.9999, noNaN: true }),
  value: fc.oneof(fc.constantFrom(...edges), fc.nat(255)),
})

/** Changes to a frame: none to six of them. */
export const mutations: fc.Arbitrary<readonly Mutation[]> = fc.array(mutation, { maxLength: 6 })

export function mutated(frame: Buffer, changes: readonly Mutation[]): Buffer {
  return changes.reduce<Buffer>(applied, Buffer.from(frame))
}

function applied(bytes: Buffer, { kind, at, value }: Mutation): Buffer {
  const place = Math.floor(at * bytes.length)
  const number = Buffer.alloc(4)
  number.writeUInt32BE(value)
  switch (kind) {
    case 'set':
      if (bytes.length > 0) bytes[place] = value & 0xff
      return bytes
    case 'number':
      number.copy(bytes, place)
      return bytes
    case 'cut':
      return bytes.subarray(0, place)
    case 'insert':
      return Buffer.concat([bytes.subarray(0, place), number.subarray(3 - (value % 4)), bytes.subarray(place)])
    case 'repeat':
      return Buffer.concat([bytes, bytes.subarray(place)])
  }
}
