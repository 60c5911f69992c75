import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmdirSync } from 'node:fs'
import { readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Spool } from './dead-letters/spool.ts'

let disk: string

// A disk of its own is mounted, which only root may.
describe.skipIf(process.getuid?.() !== 0)('a disk that is full', () => {
  beforeEach(() => {
    disk = mkdtempSync(join(tmpdir(), 'sluice-full-disk-'))
    run('mount', '-t', 'tmpfs', '-o', 'size=128k,mode=700', 'tmpfs', disk)
  })

  afterEach(() => {
    run('umount', '--lazy', disk)
    rmdirSync(disk)
  })

  test('no letter is lost that was said to be kept, and what is counted is what is there', async () => {
    const letter = (value: number) => ({
      topic: 'letters',
      partition: 0,
      key: null,
      value: Buffer.from(`${value}${'x'.repeat(3_000)}`),
      headers: [],
    })
    const filler = join(disk, 'filler')
    await writeFile(filler, Buffer.alloc(96 * 1_024))
    const spool = await Spool.open(join(disk, 'spool'), 1_000_000)
    const kept: number[] = []
    const codes: unknown[] = []
    // Two at a time, so that the disk fills up in the middle of some and between others.
    const keep = async (first: number): Promise<void> => {
      const { letters, error } = await spool.append([letter(first), letter(first + 1)])
      for (let i = 0; i < letters; i++) kept.push(first + i)
      codes.push((error as NodeJS.ErrnoException | undefined)?.code)
    }
    for (let i = 0; i < 20; i += 2) await keep(i)
    expect(codes).toContain('ENOSPC')
    await rm(filler)
    for (let i = 20; i < 24; i += 2) await keep(i)
    expect(codes.at(-1)).toBeUndefined()
    const files = (await readdir(join(disk, 'spool'))).map((file) => stat(join(disk, 'spool', file)))
    const sizes = (await Promise.all(files)).map(({ size }) => size)
    expect(spool.bytes).toBe(sizes.reduce((sum, size) => sum + size, 0))
    await spool.close()
    const next = await Spool.open(join(disk, 'spool'), 1_000_000)
    const read: number[] = []
    for (const name of next.taken) {
      for await (const { value } of next.read(name)) read.push(Number.parseInt(String(value), 10))
    }
    expect(read).toEqual(kept)
    expect(kept.length).toBeLessThan(24)
    await next.close()
  })
})

function run(command: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command} ended with ${status}: ${stderr}`)
}
