import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FedRecord } from './feed.ts'
import { type GroupRun, standstills } from './group-verdict.ts'
import type { MemberEvent, Members } from './members.ts'

/** In a folder of its own, which is gone afterwards; where there are anomalies it stays, and is told. */
export async function inFolder(
  prefix: string,
  tell: (line: string) => void,
  run: (folder: string) => Promise<readonly string[]>,
): Promise<readonly string[]> {
  const folder = mkdtempSync(join(tmpdir(), prefix))
  const anomalies = await run(folder)
  if (anomalies.length === 0) rmSync(folder, { recursive: true, force: true })
  else tell(`what the members wrote down is in ${folder}`)
  return anomalies
}

const settleMs = 60_000

/** Waits until members have handled so much. @throws Error where nothing comes of it */
export async function untilHandled(members: Members, count: number): Promise<void> {
  await until(() => members.events().filter(isEnd).length >= count)
}

/** Waits for all that was acknowledged. Not an error where it takes too long: the verdict says what is missing. */
export async function untilAllHandled(members: Members, sent: readonly FedRecord[]): Promise<void> {
  const due = sent.filter(({ offset }) => offset >= 0).map(({ partition, offset }) => `${partition}/${offset}`)
  const areHandled = (): boolean => {
    const ends = members.events().filter(isEnd)
    const handled = new Set(ends.map(({ partition, offset }) => `${partition}/${offset}`))
    return due.every((place) => handled.has(place))
  }
  await until(areHandled).catch(() => {})
}

/** How much happened, for whoever reads the report. */
export function totals(run: Omit<GroupRun, 'stallMs'>): string {
  const { sent, events } = run
  const of = (what: MemberEvent['what']): number => events.filter((event) => event.what === what).length
  const outcomes = Object.entries(Object.groupBy(sent, ({ outcome }) => outcome)).map(
    ([outcome, own]) => `${own.length} ${outcome}`,
  )
  const group = `${of('assigned')} assignments, ${of('lost')} partitions lost`
  const longest = `longest standstill ${standstills(run)[0]?.ms ?? 0} ms`
  return `${sent.length} records sent, ${outcomes.join(', ')}; ${of('end')} handlings, ${group}; ${longest}`
}

async function until(condition: () => boolean): Promise<void> {
  const startMs = performance.now()
  while (!condition()) {
    if (performance.now() - startMs > settleMs) throw new Error(`the group did nothing for ${settleMs} ms`)
    await sleep(250)
  }
}

const isEnd = ({ what }: MemberEvent): boolean => what === 'end'
