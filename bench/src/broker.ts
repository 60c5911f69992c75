import { startStack } from '@sluice/stack'

/** A broker for one benchmark. */
export interface BenchBroker extends AsyncDisposable {
  readonly bootstrap: string
}

// As Kafka's own start script has it: a server JVM, and not the small C1-only one of tests and demos.
const jvmOptions = ['-Xms1g', '-Xmx1g', '-server', '-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20']

/** Starts a broker of its own, or uses the one at `address` where that is not empty. */
export async function openBroker(address: string): Promise<BenchBroker> {
  if (address !== '') return { bootstrap: address, [Symbol.asyncDispose]: () => Promise.resolve() }
  const stack = await startStack({ kafka: { jvmOptions } })
  return {
    bootstrap: stack.kafka.bootstrapServers,
    [Symbol.asyncDispose]: () => stack.close(),
  }
}
