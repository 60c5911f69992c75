import { kafkaToolsClassPath } from '@sluice/stack'
import { Child, type ChildOptions, runOk } from './child.ts'

// Short-lived programs on shared cores: C1 alone compiles them sooner than it pays to optimise.
const jvmOptions = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Dlog4j2.level=WARN']

/** Runs a class of Kafka's own jars, such as `org.apache.kafka.tools.ConsoleConsumer`, and returns what it prints. */
export async function kafkaTool(mainClass: string, args: readonly string[], options?: ChildOptions): Promise<string> {
  return runOk('java', [...jvmOptions, '-cp', await kafkaToolsClassPath(), mainClass, ...args], options)
}

/** The same beside the test, until it is killed. */
export async function kafkaToolBeside(mainClass: string, args: readonly string[]): Promise<Child> {
  return new Child('java', [...jvmOptions, '-cp', await kafkaToolsClassPath(), mainClass, ...args])
}

/** How many records a topic holds, counted by Java's tool from its end offsets (which count transaction markers too). */
async function countWithJava(bootstrap: string, topic: string): Promise<number> {
  const args = ['--bootstrap-server', bootstrap, '--topic', topic]
  const lines = (await kafkaTool('org.apache.kafka.tools.GetOffsetShell', args)).split('\n')
  return lines.reduce((total, line) => total + Number(line.split(':').at(-1)), 0)
}

export interface JavaReading {
  /** How many to wait for. Default: as many as the topic holds by its end offsets. */
  readonly records?: number
  /** Instead of a number: until nothing comes for so long. Topics with transactions have more offsets than records. */
  readonly untilIdleMs?: number
  /** Default `read_committed`. */
  readonly isolation?: 'read_committed' | 'read_uncommitted'
  /** What is printed beside the value: `print.key=true` and the like. */
  readonly format?: readonly string[]
  readonly timeoutMs?: number
}

/** The records of a whole topic in text, a line each, as Java's console consumer reads them: an independent witness. */
export async function readWithJava(bootstrap: string, topic: string, options: JavaReading = {}): Promise<string[]> {
  const { format = [], timeoutMs = 120_000, isolation = 'read_committed', untilIdleMs } = options
  const what = ['--bootstrap-server', bootstrap, '--topic', topic, '--from-beginning', '--isolation-level', isolation]
  const properties = format.flatMap((property) => ['--formatter-property', property])
  const args = [...what, ...properties, '--timeout-ms', `${untilIdleMs ?? 30_000}`]
  if (untilIdleMs === undefined) {
    const records = options.records ?? (await countWithJava(bootstrap, topic))
    if (records === 0) return []
    args.push('--max-messages', `${records}`)
  }
  const output = await kafkaTool('org.apache.kafka.tools.consumer.ConsoleConsumer', args, { timeoutMs })
  return output.split('\n')
}

export interface JavaWriting {
  readonly compression?: string
  /** What stands between key and value in a line. Default: lines are values without a key. */
  readonly keySeparator?: string
}

/** Writes lines as records with Java's console producer. */
export async function writeWithJava(
  bootstrap: string,
  topic: string,
  lines: readonly string[],
  { compression = 'none', keySeparator }: JavaWriting = {},
): Promise<void> {
  const properties =
    keySeparator === undefined
      ? []
      : ['--reader-property', 'parse.key=true', '--reader-property', `key.separator=${keySeparator}`]
  const args = ['--bootstrap-server', bootstrap, '--topic', topic, '--compression-codec', compression, ...properties]
  const stdin = lines.map((line) => `${line}\n`).join('')
  await kafkaTool('org.apache.kafka.tools.ConsoleProducer', args, { stdin })
}

/** Whether this Java can run a program from its source. */
export async function canCompileJava(): Promise<boolean> {
  return (await runOk('java', ['--list-modules'])).includes('jdk.compiler')
}
