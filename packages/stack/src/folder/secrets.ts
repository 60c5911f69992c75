import { randomBytes } from 'node:crypto'
import type { DataFolder } from './data-folder.ts'
import { readJson, writeJson } from './json-file.ts'

export interface Secrets {
  readonly postgres: string
  readonly redis: string
}

/** The passwords of the private servers: random, made once for a data folder, readable by its owner alone. */
export function loadSecrets(folder: DataFolder): Secrets {
  const path = folder.file('secrets.json')
  const known = readJson<Secrets>(path)
  if (known) return known
  const secrets = { postgres: randomBytes(18).toString('hex'), redis: randomBytes(18).toString('hex') }
  writeJson(path, secrets)
  return secrets
}
