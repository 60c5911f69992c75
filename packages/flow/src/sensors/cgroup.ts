import { readFileSync } from 'node:fs'
import { availableParallelism, totalmem } from 'node:os'
import { dirname, join } from 'node:path'

/** What this process may use: its container's limits, or the machine where there are none. */
export interface ResourceLimits {
  /** Memory that the process may use. */
  readonly memoryBytes: number
  /** May have a fraction. */
  readonly cpus: number
}

/** Where the files of cgroups are. Default: as Linux has them. */
export interface CgroupPaths {
  /** Default /sys/fs/cgroup. */
  readonly root?: string
  /** Default /proc/self/cgroup. */
  readonly self?: string
}

/**
 * Reads the limits of the control groups that this process is in, version 2 and 1; the smallest on the way up to the
 * root holds. Only limits are read: the groups' own usage counts the page cache, which is no pressure.
 */
export function readResourceLimits({
  root = '/sys/fs/cgroup',
  self = '/proc/self/cgroup',
}: CgroupPaths = {}): ResourceLimits {
  let memoryBytes = totalmem()
  let cpus = availableParallelism()
  for (const group of groupsOf(root, read(self) ?? '')) {
    memoryBytes = Math.min(memoryBytes, memoryLimit(group))
    cpus = Math.min(cpus, cpuLimit(group))
  }
  return { memoryBytes, cpus }
}

/** The folders of this process's groups and of all above them. Inside a container they often are just the roots. */
function groupsOf(root: string, self: string): Set<string> {
  const groups = new Set([root, join(root, 'memory'), join(root, 'cpu'), join(root, 'cpu,cpuacct')])
  for (const line of self.split('\n')) {
    const [, controllers = '', path = '/'] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? []
    const base = controllers === '' ? root : join(root, controllers)
    for (let up = path; up !== '/'; up = dirname(up)) groups.add(join(base, up))
  }
  return groups
}

function memoryLimit(group: string): number {
  const text = read(join(group, 'memory.max')) ?? read(join(group, 'memory.limit_in_bytes'))
  return positiveOr(Infinity, Number(text))
}

function cpuLimit(group: string): number {
  const [quota, period] = (read(join(group, 'cpu.max')) ?? '').split(' ')
  const quotaUs = Number(quota || read(join(group, 'cpu.cfs_quota_us')))
  const periodUs = Number(period ?? read(join(group, 'cpu.cfs_period_us')))
  return positiveOr(Infinity, quotaUs / periodUs)
}

/** Without a limit the files say "max", -1, or are not there. */
function positiveOr(other: number, value: number): number {
  return value > 0 ? value : other
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    // Not there on this system, in this version, or for this group: the next one may be.
    return undefined
  }
}
