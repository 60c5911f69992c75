import { appendFile, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { DeadLetterRecord } from '../failure/dead-letter-writer.ts'
import { Spool } from './spool.ts'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spool-'))
})

afterEach(() => rm(folder, { recursive: true }))

const letter = (value: string): DeadLetterRecord => ({
  topic: 'letters',
  partition: 2,
  key: null,
  value: Buffer.from(value),
  headers: [
    ['original-topic', 'letters'],
    ['raw', Buffer.from([0, 255])],
    ['nothing', null],
  ],
  timestampMs: 7,
})

async function everything(spool: Spool): Promise<DeadLetterRecord[]> {
  const read = await Promise.all(spool.taken.map((name) => Array.fromAsync(spool.read(name))))
  return read.flat()
}

test('what was kept comes back byte for byte when the next one opens the folder, and is gone once removed', async () => {
  const first = await Spool.open(folder, 10_000)
  expect(await first.append([letter('a'), letter('b')])).toBe(2)
  const beside = await Spool.open(folder, 10_000)
  expect(beside.taken, 'the file of one that is open').toEqual([])
  first.close()
  const next = await Spool.open(folder, 10_000)
  const headers = [
    ['original-topic', Buffer.from('letters')],
    ['raw', Buffer.from([0, 255])],
    ['nothing', null],
  ]
  expect(await everything(next)).toEqual([
    { ...letter('a'), headers },
    { ...letter('b'), headers },
  ])
  expect(next.bytes).toBeGreaterThan(0)
  for (const name of next.taken) await next.remove(name)
  expect([await readdir(folder), next.bytes]).toEqual([[], 0])
})

test('keeps no more than it may, what it took over included', async () => {
  const first = await Spool.open(folder, 700)
  expect(await first.append(Array.from({ length: 10 }, () => letter('x')))).toBe(4)
  first.close()
  const next = await Spool.open(folder, 700)
  expect(await next.append([letter('x')])).toBe(0)
})

test('leaves out a line that a kill has torn, and takes a file whose process is gone', async () => {
  const first = await Spool.open(folder, 10_000)
  await first.append([letter('whole')])
  first.close()
  const [file] = await readdir(folder)
  await appendFile(join(folder, file!), '{"topic":"lett')
  await writeFile(join(folder, 'notes.txt'), 'not ours')
  const next = await Spool.open(folder, 10_000)
  expect((await everything(next)).map(({ value }) => String(value))).toEqual(['whole'])
})

test('a folder that cannot be made is said when it opens', async () => {
  const file = join(folder, 'file')
  await writeFile(file, '')
  await expect(Spool.open(join(file, 'spool'), 1_000)).rejects.toMatchObject({ field: 'deadLetters.spoolDir' })
})
