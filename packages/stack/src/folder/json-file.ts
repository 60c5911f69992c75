import { randomUUID } from 'node:crypto'
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { folderError, systemErrorCode } from '../errors.ts'

/** What a JSON file holds; undefined where there is no such file. */
export function readJson<T>(path: string): T | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT' || error instanceof SyntaxError) return undefined
    throw folderError(path, error)
  }
}

/** Replaces a JSON file in one step, readable by its owner alone. */
export function writeJson(path: string, value: unknown): void {
  const draft = `${path}.${randomUUID()}.new`
  try {
    writeFileSync(draft, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600, flag: 'wx' })
    renameSync(draft, path)
  } catch (error) {
    rmSync(draft, { force: true })
    throw folderError(path, error)
  }
}
