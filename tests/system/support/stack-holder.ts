import { type StackOptions, startStack } from '@sluice/stack'

/**
 * A program that holds a stack until SIGTERM: what a test kills, or starts twice.
 * Argument: the options as JSON. Prints `ready <status>` or `refused <code>` on one line.
 */
const options = JSON.parse(process.argv[2] ?? '{}') as StackOptions
const { promise: asked, resolve } = Promise.withResolvers<void>()
process.once('SIGTERM', () => resolve())
const alive = setInterval(() => {}, 60_000)

try {
  await using stack = await startStack(options)
  process.stdout.write(`ready ${JSON.stringify(stack.inspect())}\n`)
  await asked
} catch (error) {
  process.stdout.write(`refused ${(error as { code?: string }).code ?? String(error)}\n`)
  await asked
} finally {
  clearInterval(alive)
}
