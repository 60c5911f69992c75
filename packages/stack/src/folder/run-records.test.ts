import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type ProcessIdentity, identify } from '../machine/identity.ts'
import { DataFolder } from './data-folder.ts'
import { writeJson } from './json-file.ts'
import { RunRecords } from './run-records.ts'

let path: string
let folder: DataFolder
let records: RunRecords
let orphans: ChildProcess[]

beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'run-records-'))
  folder = DataFolder.open(path)
  records = new RunRecords(folder)
  orphans = []
})
afterEach(() => {
  for (const orphan of orphans) orphan.kill('SIGKILL')
  folder.close()
  rmSync(path, { recursive: true })
})

async function orphan(script: string, before = ':'): Promise<ChildProcess & { identity: ProcessIdentity }> {
  const child = spawn('sh', ['-c', `${before}; echo up; ${script}`], { stdio: ['ignore', 'pipe', 'ignore'] })
  orphans.push(child)
  await once(child.stdout, 'data')
  return Object.assign(child, { identity: identify(child.pid!)! })
}

const ended = ({ exitCode, signalCode }: ChildProcess) => exitCode !== null || signalCode !== null

describe('what a killed supervisor has left', () => {
  it('is ended, also where it does not heed the signal', async () => {
    const meek = await orphan('exec sleep 60')
    const deaf = await orphan('while :; do sleep 0.05; done', `trap '' TERM`)
    for (const { identity } of [meek, deaf])
      records.note({ type: 'started', name: `p${identity.pid}`, pid: identity.pid })
    const over = Promise.all([once(meek, 'exit'), once(deaf, 'exit')])
    await records.endLeftovers(100, () => {})
    expect((await over).map(([, signal]) => signal as string)).toEqual(['SIGTERM', 'SIGKILL'])
    expect(readdirSync(folder.file('run'))).toEqual([])
  })

  it('is not a process that has come to its pid since, nor one of another folder', async () => {
    const later = await orphan('exec sleep 60')
    const elsewhere = await orphan('exec sleep 60')
    writeJson(join(folder.file('run'), 'a.json'), { ...later.identity, startedAt: 'earlier', dataDir: path })
    writeJson(join(folder.file('run'), 'b.json'), { ...elsewhere.identity, dataDir: '/another' })
    await records.endLeftovers(0, () => {})
    expect([ended(later), ended(elsewhere)]).toEqual([false, false])
  })

  it('is nothing where each process has ended in order', async () => {
    const child = await orphan('exec sleep 60')
    const { pid } = child.identity
    records.note({ type: 'started', name: 'a', pid })
    records.note({ type: 'exited', name: 'a', pid, exit: { code: 0, signal: null }, asked: true })
    await records.endLeftovers(0, () => {})
    expect(ended(child)).toBe(false)
  })
})
