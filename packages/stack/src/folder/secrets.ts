import { randomBytes } from 'node:crypto'
import type { DataFolder } from './data-folder.ts'
import { readJson, writeJson } from './json-file.ts'

export const secretsFile = 'secrets.json'

export interface Secrets {
  readonly postgres: string
  readonly redis: string
  readonly kafkaAdmin: string
  readonly kafkaGuest: string
  /** Of the brokers' key store. */
  readonly kafkaStore: string
}

/** The passwords of the private servers: random, made once for a data folder, readable by its owner alone. */
export function loadSecrets(folder: DataFolder): Secrets {
  const path = folder.file(secretsFile)
  const known = readJson<Partial<Secrets>>(path)
  const names = ['postgres', 'redis', 'kafkaAdmin', 'kafkaGuest', 'kafkaStore'] as const
  if (known && names.every((name) => known[name] !== undefined)) return known as Secrets
  const fresh = Object.fromEntries(names.map((name) => [name, randomBytes(18).toString('hex')]))
  // A folder of an earlier version lacks some.
  const secrets = { ...fresh, ...known } as Secrets
  writeJson(path, secrets)
  return secrets
}
