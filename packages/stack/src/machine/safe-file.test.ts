import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { lchownSync, linkSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { runGuarded } from '../process/run-guarded.ts'
import { LogFile } from './log-file.ts'
import { serverAccount } from './account.ts'
import { copyFrom, readFrom, writeFor } from './safe-file.ts'

let root: string
let precious: string
let work: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'safe-file-'))
  chmodSync(root, 0o755)
  precious = join(root, 'precious')
  writeFileSync(precious, 'precious', { mode: 0o600 })
  work = join(root, 'work')
  mkdirSync(work)
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

describe('a file', () => {
  it('is written anew, never through a link', () => {
    symlinkSync(precious, join(work, 'file'))
    writeFor(undefined, join(work, 'file'), 'new')
    expect([readFileSync(precious, 'utf8'), readFileSync(join(work, 'file'), 'utf8')]).toEqual(['precious', 'new'])
    expect(lstatSync(join(work, 'file')).mode & 0o777).toBe(0o600)
  })

  it('takes the output of a program, never through a link, and what is said of it is what was written', async () => {
    const outputFile = join(work, 'output')
    symlinkSync(precious, outputFile)
    const script = `rm ${outputFile}; ln -s ${precious} ${outputFile}; echo said; exit 3`
    const command = { name: 'it', command: '/bin/sh', args: ['-c', script], cwd: work, env: {}, account: undefined }
    const run = runGuarded({ ...command, outputFile, timeoutMs: 60_000 })
    await expect(run).rejects.toMatchObject({ output: 'said' })
    expect(readFileSync(precious, 'utf8')).toBe('precious')
  })

  it('is not a log where it is a link', () => {
    symlinkSync(precious, join(work, 'kafka-1.log'))
    expect(() => new LogFile(join(work, 'kafka-1.log')).open()).toThrow(/ELOOP/)
  })
})

describe.runIf(process.getuid?.() === 0)('a file of a server', () => {
  const account = serverAccount()
  beforeEach(() => lchownSync(work, account!.uid, account!.gid))
  const target = (): string => join(root, 'copy')
  const asServer = (script: string): void => {
    execFileSync('/bin/sh', ['-c', script], { cwd: work, uid: account!.uid, gid: account!.gid })
  }

  it('is copied to one of ours that all may read', () => {
    asServer('echo classes > classes.jsa')
    copyFrom(account, join(work, 'classes.jsa'), target())
    expect(readFileSync(target(), 'utf8')).toBe('classes\n')
    expect(lstatSync(target())).toMatchObject({ uid: 0, gid: 0 })
    expect(lstatSync(target()).mode & 0o777).toBe(0o644)
    expect(Buffer.from(readFrom(account, join(work, 'classes.jsa'))).toString()).toBe('classes\n')
  })

  it('is not copied where it is a link, a second name of a file of another user, or a pipe', () => {
    asServer(`ln -s ${precious} link; mkfifo pipe`)
    linkSync(precious, join(work, 'second'))
    for (const name of ['link', 'second', 'pipe']) {
      expect(() => copyFrom(account, join(work, name), target())).toThrow(/ELOOP|not a file of the account/)
      expect(() => readFrom(account, join(work, name))).toThrow(/ELOOP|not a file of the account/)
    }
    expect(existsSync(target())).toBe(false)
  })
})
