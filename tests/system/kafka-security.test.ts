import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kafka, type SaslOptions, text, topic } from '@sluice/kafka'
import { type Stack, startStack } from '@sluice/stack'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runOk } from './support/child.ts'

const mechanisms = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const
const user = { username: 'app', password: 'correct horse' }
const storePassword = 'no secret'
const folder = mkdtempSync(join(tmpdir(), 'sluice-tls-'))
const words = topic('words', { value: text })

let stack: Stack
let certificate: string
let secureAddress: string

beforeAll(async () => {
  const keystore = join(folder, 'broker.p12')
  chmodSync(folder, 0o755)
  certificate = await selfSigned(keystore)
  const securePort = await freePort()
  secureAddress = `127.0.0.1:${securePort}`
  const login = 'org.apache.kafka.common.security'
  const credentials = `username="${user.username}" password="${user.password}"`
  const scram = `${login}.scram.ScramLoginModule required;`
  stack = await startStack({
    kafka: {
      formatArguments: ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
        '--add-scram',
        `${mechanism}=[name=${user.username},password=${user.password}]`,
      ]),
      properties: ({ port, controllerPort }) => ({
        listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort},SASL_SSL://${secureAddress}`,
        'advertised.listeners': `PLAINTEXT://127.0.0.1:${port},SASL_SSL://${secureAddress}`,
        'ssl.keystore.type': 'PKCS12',
        'ssl.keystore.location': keystore,
        'ssl.keystore.password': storePassword,
        'sasl.enabled.mechanisms': mechanisms.join(','),
        // A session that has to be renewed every second or so.
        'connections.max.reauth.ms': 1_500,
        'listener.name.sasl_ssl.plain.sasl.jaas.config': `${login}.plain.PlainLoginModule required ${credentials} user_${user.username}="${user.password}";`,
        'listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config': scram,
        'listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config': scram,
      }),
    },
  })
  await using kafka = new Kafka({ brokers: [stack.kafka.bootstrapServers] })
  await kafka.admin().createTopics([{ name: words.name, partitions: 1 }])
})

afterAll(async () => {
  await stack?.close()
  rmSync(folder, { recursive: true })
})

/** Made with the tool that comes with Java. The brokers may run as another user, who has to be able to read it. */
async function selfSigned(keystore: string): Promise<string> {
  const which = ['-alias', 'broker', '-keystore', keystore, '-storetype', 'PKCS12', '-storepass', storePassword]
  const names = ['-dname', 'CN=localhost', '-ext', 'SAN=dns:localhost,ip:127.0.0.1']
  await runOk('keytool', ['-genkeypair', '-keyalg', 'RSA', '-validity', '2', ...names, ...which])
  chmodSync(keystore, 0o644)
  return await runOk('keytool', ['-exportcert', '-rfc', ...which])
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address ? address.port : 0
}

function secure(sasl: SaslOptions): Kafka {
  return new Kafka({ brokers: [secureAddress], tls: { ca: certificate }, sasl })
}

test.each(mechanisms)('records go out and in over TLS with %s', async (mechanism) => {
  await using kafka = secure({ mechanism, ...user })
  await using producer = await kafka.producer()
  await producer.send(words, { value: mechanism })
  const seen: (string | null)[] = []
  await using consumer = await kafka.consumer({ group: `secure-${mechanism}`, topics: [words], reset: 'earliest' })
  const found = Promise.withResolvers<void>()
  const running = consumer.run(({ value }) => {
    seen.push(value)
    if (value === mechanism) found.resolve()
  })
  await Promise.race([found.promise, running])
  await consumer.close()
  await running
  expect(seen).toContain(mechanism)
})

test('nothing is lost or doubled while sessions are renewed', async () => {
  await using kafka = secure({ mechanism: 'SCRAM-SHA-512', ...user })
  const target = topic('renewed', { value: text })
  await kafka.admin().createTopics([{ name: target.name, partitions: 1 }])
  await using producer = await kafka.producer({ lingerMs: 0 })
  const offsets: number[] = []
  const untilMs = performance.now() + 5_000
  while (performance.now() < untilMs) {
    const deliveries = await Promise.all(['a', 'b', 'c'].map((value) => producer.send(target, { value })))
    offsets.push(...deliveries.map(({ offset }) => offset))
  }
  expect(offsets).toEqual(offsets.map((_, index) => index))
  expect(await kafka.admin().offsets([target.name])).toMatchObject([{ offset: offsets.length }])
})

test('a wrong password is told at once and not tried for ever', async () => {
  await using kafka = secure({ mechanism: 'SCRAM-SHA-512', ...user, password: 'wrong' })
  await expect(kafka.producer()).rejects.toMatchObject({
    code: 'authentication_failed',
    retriable: false,
    address: secureAddress,
  })
})

test('a certificate that nobody vouches for is told by that name', async () => {
  await using kafka = new Kafka({ brokers: [secureAddress], tls: {}, sasl: { mechanism: 'PLAIN', ...user } })
  await expect(kafka.producer()).rejects.toMatchObject({
    code: 'connection_failed',
    retriable: false,
    message: expect.stringContaining('self-signed certificate'),
  })
})

test('TLS on one side only is told so', async () => {
  await using plain = new Kafka({ brokers: [secureAddress] })
  await expect(plain.producer()).rejects.toMatchObject({ retriable: false, message: expect.stringContaining('TLS') })
  await using encrypted = new Kafka({ brokers: [stack.kafka.bootstrapServers], tls: {}, connectTimeoutMs: 2_000 })
  await expect(encrypted.producer()).rejects.toMatchObject({ code: 'connection_failed' })
})
