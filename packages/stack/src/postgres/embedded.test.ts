import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { requireDigest } from './embedded.ts'

it('takes an archive only where it is the one whose digest is known', () => {
  const folder = mkdtempSync(join(tmpdir(), 'embedded-'))
  const file = join(folder, 'archive.tgz')
  writeFileSync(file, 'archive')
  const digest = createHash('sha512').update('archive').digest('base64')
  expect(() => requireDigest(file, digest)).not.toThrow()
  writeFileSync(file, 'another')
  expect(() => requireDigest(file, digest)).toThrow(/SHA-512 of archive\.tgz is .*, but must be/)
  rmSync(folder, { recursive: true })
})
