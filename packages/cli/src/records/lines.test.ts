import { describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { type Line, linesOf } from './lines.ts'

async function collect(chunks: readonly Buffer[], maxBytes = 1_000): Promise<Line[]> {
  const lines: Line[] = []
  for await (const some of linesOf(
    (async function* () {
      yield* chunks
    })(),
    maxBytes,
  ))
    lines.push(...some)
  return lines
}

const texts = (lines: readonly Line[]) => lines.map((line) => line?.toString('latin1'))

describe('lines of input', () => {
  it('are the same however the input comes in chunks', async () => {
    const line = fc
      .uint8Array({ maxLength: 20 })
      .map((bytes) => Buffer.from(bytes.filter((byte) => byte !== 10 && byte !== 13)))
    await fc.assert(
      fc.asyncProperty(
        fc.array(line, { maxLength: 20 }),
        fc.array(fc.nat(30), { maxLength: 30 }),
        async (lines, cuts) => {
          const input = Buffer.concat(lines.map((one) => Buffer.concat([one, Buffer.from('\n')])))
          const places = [0, ...cuts.map((cut) => Math.min(cut * 7, input.length)), input.length].sort((a, b) => a - b)
          const chunks = places.slice(1).map((end, index) => input.subarray(places[index], end))
          expect(texts(await collect(chunks))).toEqual(texts(lines))
        },
      ),
    )
  })

  it('end at the end of the input too, and without a carriage return', async () => {
    expect(texts(await collect([Buffer.from('a\r\n\nb')]))).toEqual(['a', '', 'b'])
    expect(await collect([])).toEqual([])
  })

  it('that are too long are passed over, and the next one is whole', async () => {
    const input = ['x'.repeat(6), 'x'.repeat(6), '\nok\n', 'y'.repeat(11), '\n', 'z'.repeat(20)].map((one) =>
      Buffer.from(one),
    )
    expect(texts(await collect(input, 10))).toEqual([undefined, 'ok', undefined, undefined])
    expect(texts(await collect([Buffer.from('1234567890\n')], 10))).toEqual(['1234567890'])
  })
})
