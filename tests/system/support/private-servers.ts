import { chmodSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A new folder for servers. As root they run as somebody else, who has to get there. */
export function serverFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-servers-'))
  chmodSync(folder, 0o755)
  return folder
}

/** The environment for a `sluice` that keeps its servers in `dataDir`, whatever servers ours names. */
export function privateServers(dataDir: string): Record<string, string | undefined> {
  const foreign = Object.keys(process.env).filter((name) => /^(KAFKA|POSTGRES|REDIS|DATABASE|DB|PG)_?/.test(name))
  return { ...Object.fromEntries(foreign.map((name) => [name, undefined])), SLUICE_DATA_DIR: dataDir }
}
