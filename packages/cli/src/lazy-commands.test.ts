import { spawnSync } from 'node:child_process'
import { expect, it } from 'vitest'

/** Runs command lines in a process of their own. Returns the modules that were loaded for them. */
function modulesFor(...commandLines: readonly (readonly string[])[]): string {
  const program = new URL('program.ts', import.meta.url)
  const script = `
    import { registerHooks } from 'node:module'
    const loaded = []
    registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) })
    const { run } = await import('${program.href}')
    for (const args of ${JSON.stringify(commandLines)}) await run(args)
    console.error(loaded.join('\\n'))`
  const node = ['--conditions=@sluice/source', '--input-type=module', '--eval', script]
  const { status, stderr, stdout } = spawnSync(process.execPath, node, { encoding: 'utf8' })
  expect([status, stdout]).toEqual([0, expect.stringMatching(/./)])
  return stderr
}

it('loads nothing of a command for the version and the list of all commands', () => {
  const loaded = modulesFor(['--version'], ['--help'])
  expect(loaded).toContain('/cli/src/commands/index.ts')
  expect(loaded).not.toMatch(/\/cli\/src\/commands\/(?!index\.ts)|\/packages\/(kafka|stack)\/|string-width/)
})

it('loads neither the Kafka client nor the local servers for the help of commands that connect', () => {
  const groups = ['topics', 'groups', 'dlq', 'tail', 'produce', 'lag']
  const loaded = modulesFor(...groups.map((name) => [name, '--help']), ['topics', 'create', '--help'])
  expect(loaded).toContain('/cli/src/commands/topics/create.ts')
  expect(loaded).not.toMatch(/\/packages\/(kafka|stack)\//)
})
