import {
  appendFile,
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ManualClock } from '@sluice/flow'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { DeadLetterRecord } from '../../failure/dead-letter-record.ts'
import { Spool } from './spool.ts'
import { resend } from './spool-resend.ts'

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
  expect(await first.append([letter('a'), letter('b')])).toEqual({ letters: 2, error: undefined })
  const beside = await Spool.open(folder, 10_000)
  expect(beside.taken, 'the file of one that is open').toEqual([])
  await first.close()
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
  expect(await first.append(Array.from({ length: 10 }, () => letter('x')))).toEqual({ letters: 4, error: undefined })
  await first.close()
  const next = await Spool.open(folder, 700)
  expect(await next.append([letter('x')])).toEqual({ letters: 0, error: undefined })
})

test('leaves out a line that a kill has torn, and takes a file whose process is gone', async () => {
  const first = await Spool.open(folder, 10_000)
  await first.append([letter('whole')])
  await first.close()
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

const values = async (spool: Spool) => (await everything(spool)).map(({ value }) => String(value))
const isRoot = process.getuid?.() === 0
const nobody = 65_534

describe('what is spooled is private', () => {
  test('the folder and its files are for their owner alone', async () => {
    const inside = join(folder, 'a', 'spool')
    const spool = await Spool.open(inside, 10_000)
    await spool.append([letter('secret')])
    const [file] = await readdir(inside)
    const modes = [inside, join(inside, file!)].map(async (path) => (await stat(path)).mode & 0o777)
    expect(await Promise.all(modes)).toEqual([0o700, 0o600])
    await spool.close()
  })

  test.skipIf(!isRoot)('a folder of another user is refused', async () => {
    const theirs = join(folder, 'theirs')
    await mkdir(theirs)
    await chown(theirs, nobody, nobody)
    await expect(Spool.open(theirs, 1_000)).rejects.toThrow(/belongs to user 65534/)
  })

  test('a folder that everybody can write to is refused, and so is a link', async () => {
    const open = join(folder, 'open')
    await mkdir(open)
    await chmod(open, 0o777)
    await expect(Spool.open(open, 1_000)).rejects.toThrow(/every user can write/)
    await symlink(folder, join(folder, 'link'))
    await expect(Spool.open(join(folder, 'link'), 1_000)).rejects.toThrow(/link/)
  })

  test('links, and files of other users, are left alone', async () => {
    await writeFile(join(folder, 'target'), 'not a letter')
    await symlink(join(folder, 'target'), join(folder, '1-link.spool'))
    if (isRoot) {
      await writeFile(join(folder, '1-theirs.spool'), '')
      await chown(join(folder, '1-theirs.spool'), nobody, nobody)
      await utimes(join(folder, '1-theirs.spool'), 0, 0)
    }
    const spool = await Spool.open(folder, 1_000)
    expect(spool.taken).toEqual([])
    expect(await readFile(join(folder, 'target'), 'utf8')).toBe('not a letter')
    await spool.close()
  })
})

describe('a folder that containers share', () => {
  /** As if the file of `spool` were of a process with our pid in another container. */
  async function moveElsewhere(): Promise<string> {
    const [file] = await readdir(folder)
    const name = file!.replace(/^[0-9]+-[0-9a-f]{16}-/, `${process.pid}-${'0'.repeat(16)}-`)
    await rename(join(folder, file!), join(folder, name))
    return join(folder, name)
  }

  test('a live process of another container keeps its file, one that was not heard of for minutes loses it', async () => {
    const first = await Spool.open(folder, 10_000)
    await first.append([letter('a')])
    await first.close()
    const path = await moveElsewhere()
    const next = await Spool.open(folder, 10_000)
    expect(next.taken).toEqual([])
    expect(await next.takeOver()).toBe(true)
    const longAgo = new Date(Date.now() - 200_000)
    await utimes(path, longAgo, longAgo)
    expect(await next.takeOver()).toBe(false)
    expect(await values(next)).toEqual(['a'])
    await next.close()
  })

  test('what is written after the file was taken over is not lost', async () => {
    const first = await Spool.open(folder, 10_000)
    await first.append([letter('a')])
    const path = await moveElsewhere()
    await utimes(path, 0, 0)
    const next = await Spool.open(folder, 10_000)
    expect(await values(next)).toEqual(['a'])
    expect(await first.append([letter('b')])).toEqual({ letters: 1, error: undefined })
    for (const name of next.taken) await next.remove(name)
    await first.close()
    await next.takeOver()
    expect(await values(next)).toEqual(['b'])
    await next.close()
  })

  test('a live process shows by the time of its files that it lives', async () => {
    const clock = new ManualClock()
    const spool = await Spool.open(folder, 10_000, clock)
    await spool.append([letter('a')])
    const [file] = await readdir(folder)
    const path = join(folder, file!)
    await utimes(path, 0, 0)
    clock.advance(20_000)
    await expect.poll(async () => (await stat(path)).mtimeMs).toBeGreaterThan(Date.now() - 60_000)
    await spool.close()
    expect(clock.pending).toBe(0)
  })
})

test('a letter that is refused for good holds up none behind it, and stays in the spool', async () => {
  const first = await Spool.open(folder, 10_000)
  await first.append(['a', 'bad', 'c'].map(letter))
  await first.close()
  const spool = await Spool.open(folder, 10_000)
  const sent: string[] = []
  await resend({
    spool,
    clock: new ManualClock(),
    signal: new AbortController().signal,
    write: async ({ value }) => {
      if (String(value) === 'bad') throw new Error('too large')
      sent.push(String(value))
    },
    onResent: () => {},
  })
  await spool.close()
  expect(sent).toEqual(['a', 'c'])
  const next = await Spool.open(folder, 10_000)
  expect(await values(next)).toEqual(['bad'])
  await next.close()
})
