import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { identify } from '../machine/identity.ts'
import { stopStack } from '../stop-stack.ts'
import { openSupervisorLog } from './logs.ts'
import { DataFolder, cleanDataDir, projectDataDir } from './data-folder.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'data-folder-'))
})
afterEach(() => rmSync(root, { recursive: true }))

describe('the data folder of a project', () => {
  it('is what SLUICE_DATA_DIR says, from where we are', () => {
    expect(projectDataDir('/tmp', { SLUICE_DATA_DIR: '/tmp/there' })).toBe('/tmp/there')
    expect(projectDataDir('/tmp', { SLUICE_DATA_DIR: 'here' })).toBe('/tmp/here')
  })

  it('is of the project that we are in, also where one further up has data of its own', () => {
    chmodSync(root, 0o755)
    const project = join(root, 'far', 'project')
    mkdirSync(join(project, 'src'), { recursive: true })
    mkdirSync(join(root, '.sluice'))
    expect(projectDataDir(join(project, 'src'), {})).toBe(join(root, '.sluice'))
    writeFileSync(join(project, 'package.json'), '{}')
    expect(projectDataDir(join(project, 'src'), {})).toBe(join(project, '.sluice'))
    mkdirSync(join(root, 'far', '.git'))
    expect(projectDataDir(join(project, 'src'), {})).toBe(join(root, 'far', '.sluice'))
    mkdirSync(join(project, '.sluice'))
    expect(projectDataDir(join(project, 'src'), {})).toBe(join(project, '.sluice'))
  })

  it.skipIf(process.getuid?.() !== 0)(
    'is kept where the servers can reach it, when we are root and it is private',
    () => {
      const dir = projectDataDir(root, {})
      expect(dir).toMatch(/^\/var\/lib\/sluice\/data-folder-.*-[0-9a-f]{8}$/)
      expect(projectDataDir(root, {})).toBe(dir)
    },
  )
})

describe('a temporary folder', () => {
  it('is gone at its end, and the folder of a killed owner with the next', () => {
    const abandoned = mkdtempSync(join(tmpdir(), 'sluice-stack-'))
    const held = mkdtempSync(join(tmpdir(), 'sluice-stack-'))
    const old = new Date(Date.now() - 3_600_000)
    writeFileSync(
      join(abandoned, 'lock.1'),
      JSON.stringify({ pid: process.pid, startedAt: 'earlier', released: false }),
    )
    writeFileSync(join(held, 'lock.1'), JSON.stringify({ ...identify(process.pid), released: false }))
    for (const dir of [abandoned, held]) utimesSync(dir, old, old)
    const folder = DataFolder.temporary()
    expect([abandoned, held, folder.path].map((dir) => existsSync(dir))).toEqual([false, true, true])
    folder.close()
    rmSync(held, { recursive: true })
    expect(existsSync(folder.path)).toBe(false)
  })
})

describe('a data folder', () => {
  it('is not cleaned while somebody holds it, and then only of what is ours', () => {
    const path = root
    const folder = DataFolder.open(path)
    writeFileSync(join(path, 'mine'), '')
    folder.serverFolder('redis')
    expect(() => cleanDataDir(path)).toThrow(expect.objectContaining({ code: 'already_running' }))
    folder.close()
    cleanDataDir(path)
    expect([join(path, 'mine'), join(path, 'redis')].map((entry) => existsSync(entry))).toEqual([true, false])
  })

  it('keeps what belongs to the servers from everybody else', () => {
    const path = root
    const folder = DataFolder.open(path)
    const file = join(folder.serverFolder('redis'), 'redis.conf')
    folder.writeForServers(file, 'requirepass x')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(statSync(join(path, 'redis')).mode & 0o777).toBe(0o700)
    folder.close()
  })
})

describe("somebody else's folder", () => {
  const refusal = expect.objectContaining({ code: 'folder_unusable', path: expect.stringContaining('theirs') })
  let theirs: string
  beforeEach(() => {
    chmodSync(root, 0o755)
    theirs = join(root, 'theirs')
    mkdirSync(join(theirs, 'redis'), { recursive: true, mode: 0o755 })
    writeFileSync(join(theirs, 'redis', 'dump.rdb'), 'precious', { mode: 0o644 })
  })
  const asItWas = { entries: ['redis'], size: 8, uid: process.getuid?.() }
  const asItIs = () => {
    const { size, uid } = statSync(join(theirs, 'redis', 'dump.rdb'))
    return { entries: readdirSync(theirs), size, uid }
  }

  it('is neither opened nor cleaned', () => {
    expect(() => DataFolder.open(theirs)).toThrow(refusal)
    expect(() => cleanDataDir(theirs)).toThrow(refusal)
    expect(asItIs()).toEqual(asItWas)
  })

  it('is left as it is by a stop, which refuses to clean it', async () => {
    expect(await stopStack(theirs)).toBe(false)
    await expect(stopStack(theirs, { clean: true })).rejects.toEqual(refusal)
    expect(asItIs()).toEqual(asItWas)
  })

  it.skipIf(process.getuid?.() !== 0)('does not change hands through a link', () => {
    const folder = DataFolder.open(join(root, 'ours'))
    mkdirSync(join(folder.path, 'redis'))
    symlinkSync(join(theirs, 'redis', 'dump.rdb'), join(folder.path, 'redis', 'link'))
    folder.serverFolder('redis')
    expect(lstatSync(join(folder.path, 'redis', 'link')).uid).toBe(folder.account?.uid)
    expect(asItIs()).toEqual(asItWas)
    folder.close()
  })
})

describe.runIf(process.getuid?.() === 0)('as root', () => {
  const nobody = 65_534
  let precious: string
  beforeEach(() => {
    chmodSync(root, 0o755)
    precious = join(root, 'precious')
    writeFileSync(precious, 'precious', { mode: 0o600 })
  })
  const asNobody = (script: string): void => {
    execFileSync('/bin/sh', ['-c', script, 'sh', root], { uid: nobody, gid: nobody, stdio: 'ignore' })
  }
  const refusal = (why: RegExp) =>
    expect.objectContaining({
      code: 'folder_unusable',
      message: expect.stringMatching(why),
      remedy: expect.stringContaining('SLUICE_DATA_DIR'),
    })

  it('a data folder that another user has made is refused, to start, to stop and to clean', async () => {
    mkdirSync(join(root, 'open'))
    chmodSync(join(root, 'open'), 0o1777)
    asNobody(
      'cd "$1/open" && mkdir -p .sluice/logs && touch .sluice/.sluice-data && ln -s "$1/precious" .sluice/logs/kafka-1.log',
    )
    const planted = join(root, 'open', '.sluice')
    // It is found as any would be, and then refused.
    expect(projectDataDir(join(root, 'open'), {})).toBe(planted)
    for (const use of [() => DataFolder.open(planted), () => openSupervisorLog(planted)]) {
      expect(use).toThrow(refusal(/belongs to another user \(uid 65534\)/))
    }
    await expect(stopStack(planted)).rejects.toEqual(refusal(/belongs to another user/))
    expect(readFileSync(precious, 'utf8')).toBe('precious')
  })

  it('a data folder is refused where another user could put another one in its place', () => {
    mkdirSync(join(root, 'open'))
    chmodSync(join(root, 'open'), 0o777)
    expect(() => DataFolder.open(join(root, 'open', 'data'))).toThrow(refusal(/other users can write to/))
    expect(existsSync(join(root, 'open', 'data'))).toBe(false)
  })

  it('the data of a project of another user is kept elsewhere', () => {
    mkdirSync(join(root, 'project'))
    writeFileSync(join(root, 'project', 'package.json'), '{}')
    lchownSync(join(root, 'project'), nobody, nobody)
    expect(projectDataDir(join(root, 'project'), {})).toMatch(/^\/var\/lib\/sluice\/project-/)
  })

  it('a file for the servers is never written through a link that they have made', () => {
    const folder = DataFolder.open(join(root, 'ours'))
    const redis = folder.serverFolder('redis')
    asNobody('ln -s "$1/precious" "$1/ours/redis/redis.conf"')
    folder.writeForServers(join(redis, 'redis.conf'), 'requirepass x')
    expect(readFileSync(precious, 'utf8')).toBe('precious')
    expect(lstatSync(join(redis, 'redis.conf'))).toMatchObject({ uid: folder.account?.uid, size: 13 })
    folder.close()
  })

  it('the folders above those of servers are ours, also where an earlier start has given them away', () => {
    const folder = DataFolder.open(join(root, 'ours'))
    mkdirSync(join(folder.path, 'kafka', 'node-1'), { recursive: true })
    for (const name of ['kafka', 'kafka/node-1']) lchownSync(join(folder.path, name), nobody, nobody)
    asNobody('ln -s "$1/precious" "$1/ours/kafka/node-1/format.out"')
    const data = folder.serverFolder('kafka/node-1/data')
    for (const name of ['kafka', 'kafka/node-1']) expect(lstatSync(join(folder.path, name)).uid).toBe(0)
    expect(lstatSync(data).uid).toBe(folder.account?.uid)
    expect(() => asNobody('touch "$1/ours/kafka/node-1/new"')).toThrow(/Command failed/)
    asNobody('touch "$1/ours/kafka/node-1/data/new"')
    folder.close()
  })

  it('what servers of another account have made is taken back without its links, where root runs them itself', () => {
    const folder = DataFolder.open(join(root, 'ours'))
    const redis = folder.serverFolder('redis')
    asNobody(
      'mkdir "$1/ours/redis/inner"; touch "$1/ours/redis/inner/file"; ln -s "$1/precious" "$1/ours/redis/inner/link"',
    )
    expect(folder.serverFolder('redis', { account: undefined })).toBe(redis)
    const uids = [redis, join(redis, 'inner'), join(redis, 'inner', 'file')].map((path) => lstatSync(path).uid)
    expect([uids, existsSync(join(redis, 'inner', 'link'))]).toEqual([[0, 0, 0], false])
    expect(readFileSync(precious, 'utf8')).toBe('precious')
    folder.close()
  })

  it('a folder of a server is refused where there is a link in its place', () => {
    const folder = DataFolder.open(join(root, 'ours'))
    symlinkSync(root, join(folder.path, 'redis'))
    expect(() => folder.serverFolder('redis')).toThrow(expect.objectContaining({ code: 'folder_unusable' }))
    folder.close()
  })
})

describe('a folder of a stack', () => {
  beforeEach(() => chmodSync(root, 0o755))

  it('may be empty at first, or have been made before folders were marked', () => {
    const old = join(root, 'old')
    mkdirSync(join(old, 'redis'), { recursive: true })
    writeFileSync(join(old, 'lock.3'), '{"pid":1,"startedAt":"earlier","released":true}')
    DataFolder.open(old).close()
    cleanDataDir(old)
    expect(existsSync(join(old, 'redis'))).toBe(false)
  })
})
