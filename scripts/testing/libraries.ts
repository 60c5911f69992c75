import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** Declarations of libraries in a folder of their own, removed when it is disposed of. */
export class Declarations implements Disposable {
  readonly root = mkdtempSync(join(tmpdir(), 'sluice-declarations-'))

  /** @param files texts by path from the root */
  constructor(files: Readonly<Record<string, string>>) {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(this.root, path)), { recursive: true })
      writeFileSync(join(this.root, path), text)
    }
  }

  path(name: string): string {
    return join(this.root, name)
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true, force: true })
  }
}
