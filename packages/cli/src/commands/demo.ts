import { InvalidArgumentError } from 'commander'
import type { RegisterCommand } from '../command.ts'
import { parseDuration } from '../demo/duration.ts'
import type { DemoFlags } from '../demo/run-demo.ts'

const MAX_RATE = 1_000_000
const MAX_SEED = 0xffff_ffff

export const registerDemo: RegisterCommand = (program, context) => {
  program
    .command('demo')
    .description('Run the commerce pipeline on real servers: orders through Kafka into PostgreSQL, live')
    .option('--rate <count>', 'orders a second, with a tenth as many products (default: small bursts)', parseRate)
    .option('--for <duration>', 'end after 60s, 5m ...: 0 if nothing was lost, else 1', parseFor)
    .option('--brokers <count>', 'how many Kafka brokers (default: what there is, else 1)', parseBrokers)
    .option('--seed <number>', 'generate the same events for the same seed and cache', parseSeed)
    .action(async (flags: DemoFlags) => {
      // What the demo needs is large; the other commands start without it.
      const { runDemo } = await import('../demo/run-demo.ts')
      await runDemo(context, flags)
    })
}

function wholeNumber(text: string, min: number, max: number): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= min && value <= max)) throw new InvalidArgumentError(`a whole number from ${min} to ${max} is wanted`)
  return value
}

const parseRate = (text: string): number => wholeNumber(text, 1, MAX_RATE)
const parseSeed = (text: string): number => wholeNumber(text, 0, MAX_SEED)
const parseBrokers = (text: string): number => wholeNumber(text, 1, 9)

function parseFor(text: string): number {
  const ms = parseDuration(text)
  if (ms === undefined) throw new InvalidArgumentError('a duration is wanted, such as 60s, 5m or 2h')
  return ms
}
