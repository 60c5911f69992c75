import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { startStack } from '@sluice/stack'
import { expect, it } from 'vitest'
import { processesOf } from './no-process-left.ts'

it.skipIf(process.platform !== 'linux')(
  'sees every server of a test, also one that hides its environment',
  async () => {
    const run = process.env['SLUICE_TEST_RUN'] ?? ''
    await using stack = await startStack({ redis: true, postgres: true, environment: 'ignore' })
    const pids = stack.inspect().processes.map(({ pid }) => String(pid))
    expect(pids).toHaveLength(2)
    const hidden = pids.filter((pid) => !readFileSync(`/proc/${pid}/environ`, 'utf8').includes(run))
    expect(hidden).not.toEqual([])
    const seen = processesOf(run, tmpdir()).map((line) => line.split(' ')[0])
    expect(seen).toEqual(expect.arrayContaining(pids))
  },
)
