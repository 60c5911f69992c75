import { describe, expect, it } from 'vitest'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { copyDependencies, mavenError, pomOf, progressOf } from './maven.ts'

const lines = [
  '[INFO] Scanning for projects...',
  'Downloading from central: https://repo.maven.apache.org/maven2/a/a.jar',
  'Downloaded from central: https://repo.maven.apache.org/maven2/a/a.jar (1.5 MB at 3.0 MB/s)',
  'Downloaded from central: https://repo.maven.apache.org/maven2/b/b.jar (500 kB at 3.0 MB/s)',
  '[INFO] Downloaded from central: https://repo.maven.apache.org/maven2/c/c.pom (750 B at 10 kB/s)',
].join('\n')

it('is run so that a file with a wrong checksum fails it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'maven-'))
  const path = process.env['PATH']
  writeFileSync(join(folder, 'mvn'), `#!/bin/sh\necho "$@" > ${folder}/arguments\n`)
  chmodSync(join(folder, 'mvn'), 0o755)
  process.env['PATH'] = `${folder}:${path}`
  try {
    await copyDependencies([], folder, { what: 'it', workDir: folder, onProgress: () => {} })
    expect(readFileSync(join(folder, 'arguments'), 'utf8')).toMatch(/^-B -C -f /)
  } finally {
    process.env['PATH'] = path
    rmSync(folder, { recursive: true })
  }
})

describe('what Maven says', () => {
  it('becomes the files and megabytes so far', () => {
    expect(progressOf(lines)).toBe('3 files, 2.0 MB')
    expect(progressOf('[INFO] Scanning for projects...')).toBeUndefined()
  })

  it('becomes disk_full where the disk is full', () => {
    expect(mavenError('Kafka', '[ERROR] x.jar: No space left on device')).toMatchObject({ code: 'disk_full' })
  })

  it('becomes download_failed with its first error elsewhere, and says what to check', () => {
    const error = mavenError('Kafka', '[INFO] x\n[ERROR] Could not transfer artifact: Unknown host\n[ERROR] more')
    expect(error).toMatchObject({ code: 'download_failed', retriable: true })
    expect(error.message).toBe('Maven could not fetch Kafka: Could not transfer artifact: Unknown host')
    expect(error.remedy).toMatch(/network/)
  })
})

describe('a project file', () => {
  it('names exactly the artefacts', () => {
    expect(pomOf([{ group: 'g', name: 'n', version: '1.2' }])).toContain(
      '<dependency><groupId>g</groupId><artifactId>n</artifactId><version>1.2</version></dependency>',
    )
  })
})
