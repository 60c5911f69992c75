// `npm run bench -- NAME [options]`; without a name it lists what there is.
import { globSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Bench } from './bench.ts'

const folder = join(import.meta.dirname, 'benches')

async function load(name: string): Promise<Bench> {
  return (await import(join(folder, `${name}.ts`))) as Bench
}

async function list(): Promise<void> {
  console.log('npm run bench -- NAME [options], where NAME is one of:')
  for (const name of names) {
    const { title, options } = await load(name)
    console.log(`\n  ${name}: ${title}`)
    for (const [option, { default: standard, help }] of Object.entries(options)) {
      console.log(`    --${option} (${standard || 'none'}): ${help}`)
    }
  }
}

/** Undefined, and told, where the command line names something else. */
function parse(args: string[], { options }: Bench): Readonly<Record<string, string>> | undefined {
  try {
    return parseArgs({ args, options, strict: true }).values
  } catch (error) {
    console.error(
      `${(error as Error).message} There are: ${Object.keys(options)
        .map((each) => `--${each}`)
        .join(', ')}.`,
    )
    process.exitCode = 2
    return undefined
  }
}

const names = globSync('*.ts', { cwd: folder })
  .map((file) => basename(file, '.ts'))
  .toSorted()
const [name, ...args] = process.argv.slice(2)
if (name === undefined) {
  await list()
} else if (!names.includes(name)) {
  console.error(`No benchmark is called ${name}; there are: ${names.join(', ')}.`)
  process.exitCode = 2
} else {
  const bench = await load(name)
  const values = parse(args, bench)
  if (values) await bench.run(values)
}
