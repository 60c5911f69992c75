import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findJava, majorOf } from './java.ts'

let home: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'java-'))
  mkdirSync(join(home, 'bin'))
})
afterEach(() => rmSync(home, { recursive: true }))

function installJava(versionLine: string): void {
  writeFileSync(join(home, 'bin', 'java'), `#!/bin/sh\necho '${versionLine}' >&2\n`)
  chmodSync(join(home, 'bin', 'java'), 0o755)
}

describe('the version of Java', () => {
  it.each([
    ['openjdk version "17.0.15" 2025-04-15', 17],
    ['openjdk version "25" 2025-09-16', 25],
    ['java version "1.8.0_402"', 8],
    ['command not found', undefined],
  ])('%s is %s', (text, major) => expect(majorOf(text)).toBe(major))
})

describe('the search for Java', () => {
  it('takes that of JAVA_HOME before that of the PATH', async () => {
    installJava('openjdk version "21.0.1"')
    expect(await findJava({ JAVA_HOME: home, PATH: '' })).toMatchObject({
      major: 21,
      command: join(home, 'bin', 'java'),
    })
    expect(await findJava({ PATH: join(home, 'bin') })).toMatchObject({ major: 21 })
  })

  it('says that there is none, and how to get one', async () => {
    await expect(findJava({ PATH: home })).rejects.toMatchObject({
      code: 'java_missing',
      remedy: expect.stringContaining('apt install'),
    })
  })

  it('says that JAVA_HOME is wrong', async () => {
    await expect(findJava({ JAVA_HOME: '/nowhere', PATH: '' })).rejects.toMatchObject({
      code: 'java_missing',
      message: expect.stringContaining('JAVA_HOME'),
    })
  })

  it('says that it is too old', async () => {
    installJava('java version "1.8.0_402"')
    await expect(findJava({ JAVA_HOME: home })).rejects.toMatchObject({
      code: 'java_too_old',
      message: expect.stringContaining('1.8.0_402'),
    })
  })
})
