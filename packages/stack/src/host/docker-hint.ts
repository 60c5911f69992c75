import { findCommand } from './commands.ts'

/** The last way out, where a server cannot be had otherwise: one in Docker, used through its address. */
export function dockerHint(run: string, setting: string): string {
  if (!findCommand('docker')) return ''
  return `; or run one in Docker (\`docker run -d --rm ${run}\`) and set ${setting}`
}
