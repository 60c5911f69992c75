import { readdir, readFile } from 'node:fs/promises'
import type { Stack } from '@sluice/stack'
import { expect, vi } from 'vitest'

/** Freezes broker 1. Resolves when every thread of it stands still: the signal takes its time. */
export async function freeze({ kafka }: Stack): Promise<void> {
  kafka.pause(1)
  const { pid } = kafka.brokers[0]!
  await vi.waitFor(async () => {
    const threads = await readdir(`/proc/${pid}/task`)
    const states = await Promise.all(threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/stat`, 'utf8')))
    expect(states.every((stat) => / T /.test(stat))).toBe(true)
  })
}
