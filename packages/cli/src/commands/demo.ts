import { duration, wholeNumber } from '../arguments.ts'
import type { ConfigureCommand } from '../command.ts'
import type { DemoFlags } from '../demo/run-demo.ts'

const MAX_RATE = 1_000_000
const MAX_SEED = 0xffff_ffff

export const configureDemo: ConfigureCommand = (command, context) => {
  command
    .option(
      '--rate <count>',
      'orders a second, with a tenth as many products (default: small bursts)',
      wholeNumber(1, MAX_RATE),
    )
    .option('--for <duration>', 'end after 60s, 5m ...: 0 if nothing was lost, else 1', duration)
    .option('--brokers <count>', 'how many Kafka brokers (default: what there is, else 1)', wholeNumber(1, 9))
    .option('--seed <number>', 'generate the same events for the same seed and cache', wholeNumber(0, MAX_SEED))
    .action(async (flags: DemoFlags) => {
      // What the demo needs is large; the other commands start without it.
      const { runDemo } = await import('../demo/run-demo.ts')
      await runDemo(context, flags)
    })
}
