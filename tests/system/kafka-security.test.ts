import { randomBytes } from 'node:crypto'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { Kafka, type SaslOptions, bytes, text, topic } from '@sluice/kafka'
import { type Stack, startStack } from '@sluice/stack'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runOk } from './support/child.ts'
import { kafkaTool } from './support/java.ts'
import { readTopic } from './support/read-topic.ts'

const mechanisms = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const
const user = { username: 'app', password: 'correct horse' }
/** SCRAM's grammar has a use of its own for both of these characters. */
const escapedNames = [
  ['SCRAM-SHA-256', 'team,svc,orders'],
  ['SCRAM-SHA-512', 'a=b,c=d,e'],
] as const
const storePassword = 'no secret'
const folder = mkdtempSync(join(tmpdir(), 'sluice-tls-'))
const words = topic('words', { value: text })

let stack: Stack
let certificate: string
let secureAddress: string
let mutualAddress: string
let client: { readonly cert: string; readonly key: string }

beforeAll(async () => {
  const keystore = join(folder, 'broker.p12')
  chmodSync(folder, 0o755)
  certificate = await selfSigned(keystore)
  const securePort = await freePort()
  secureAddress = `127.0.0.1:${securePort}`
  mutualAddress = `127.0.0.1:${await freePort()}`
  client = await clientCertificate()
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
        listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort},SASL_SSL://${secureAddress},SSL://${mutualAddress}`,
        'advertised.listeners': `PLAINTEXT://127.0.0.1:${port},SASL_SSL://${secureAddress},SSL://${mutualAddress}`,
        'ssl.keystore.type': 'PKCS12',
        'ssl.keystore.location': keystore,
        'ssl.keystore.password': storePassword,
        'listener.name.ssl.ssl.client.auth': 'required',
        'listener.name.ssl.ssl.truststore.type': 'PEM',
        'listener.name.ssl.ssl.truststore.location': join(folder, 'client.pem'),
        'sasl.enabled.mechanisms': [...mechanisms, 'OAUTHBEARER'].join(','),
        'listener.name.sasl_ssl.oauthbearer.sasl.jaas.config': `${login}.oauthbearer.OAuthBearerLoginModule required;`,
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

async function clientCertificate(): Promise<{ cert: string; key: string }> {
  const [cert, key] = [join(folder, 'client.pem'), join(folder, 'client.key')]
  const files = ['-keyout', key, '-out', cert]
  await runOk('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=app', ...files])
  chmodSync(cert, 0o644)
  return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') }
}

/** A token as brokers without an authority accept it: nobody signs it. */
function unsignedToken(lifeS: number): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const nowS = Math.floor(Date.now() / 1_000)
  return `${part({ alg: 'none' })}.${part({ sub: 'app', iat: nowS - 60, exp: nowS + lifeS })}.`
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

test('large requests arrive as they were sent', async () => {
  await using kafka = secure({ mechanism: 'PLAIN', ...user })
  const target = topic('large', { value: bytes })
  await kafka.admin().createTopics([{ name: target.name, partitions: 1 }])
  await using producer = await kafka.producer({ compression: 'none' })
  const values = Array.from({ length: 100 }, (_, i) => Buffer.alloc(200_000 + i, randomBytes(1_000)))
  const deliveries = await Promise.all(values.map((value) => producer.send(target, { value })))
  expect(deliveries.map(({ offset }) => offset)).toEqual(values.map((_, i) => i))
  const found = await readTopic(kafka, target, values.length)
  expect(found.every(({ value }, i) => value?.equals(values[i]!))).toBe(true)
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

test.each(mechanisms)('a wrong password for %s is told at once, in the words of the broker', async (mechanism) => {
  await using kafka = secure({ mechanism, ...user, password: 'wrong' })
  await expect(kafka.producer()).rejects.toMatchObject({
    code: 'authentication_failed',
    retriable: false,
    address: secureAddress,
    message: expect.stringMatching(/invalid (credentials|username or password)/i),
  })
})

test.each(escapedNames)('%s takes the user name %s', async (mechanism, username) => {
  const who = ['--entity-type', 'users', '--entity-name', username]
  const what = ['--alter', '--add-config', `${mechanism}=[password=${user.password}]`]
  await kafkaTool('kafka.admin.ConfigCommand', ['--bootstrap-server', stack.kafka.bootstrapServers, ...what, ...who])
  await using kafka = secure({ mechanism, username, password: user.password })
  expect(await kafka.admin().offsets([words.name])).toHaveLength(1)
})

test('a mechanism that the broker does not offer is told with those that it does', async () => {
  await using kafka = new Kafka({
    brokers: [stack.kafka.bootstrapServers],
    sasl: { mechanism: 'PLAIN', ...user },
  })
  await expect(kafka.producer()).rejects.toMatchObject({ code: 'authentication_failed', retriable: false })
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

test('a client shows its certificate, from code and from the environment', async () => {
  await using kafka = new Kafka({ brokers: [mutualAddress], tls: { ca: certificate, ...client } })
  await using producer = await kafka.producer()
  await producer.send(words, { value: 'from code' })
  writeFileSync(join(folder, 'ca.pem'), certificate)
  await using other = Kafka.fromEnv({
    KAFKA_BOOTSTRAP_SERVERS: mutualAddress,
    KAFKA_SECURITY_PROTOCOL: 'SSL',
    KAFKA_SSL_CA_LOCATION: join(folder, 'ca.pem'),
    KAFKA_SSL_CERTIFICATE_LOCATION: join(folder, 'client.pem'),
    KAFKA_SSL_KEY_LOCATION: join(folder, 'client.key'),
  })
  expect(await other.admin().offsets([words.name])).toMatchObject([{ topic: words.name }])
})

test('a client without the certificate that a broker asks for is told so, once', async () => {
  await using kafka = new Kafka({ brokers: [mutualAddress], tls: { ca: certificate } })
  await expect(kafka.producer()).rejects.toMatchObject({
    code: 'connection_failed',
    retriable: false,
    message: expect.stringContaining('certificate'),
  })
})

test('a name that the certificate does not have is told by that name', async () => {
  const tls = { ca: certificate, servername: 'elsewhere.test' }
  await using kafka = new Kafka({ brokers: [secureAddress], tls, sasl: { mechanism: 'PLAIN', ...user } })
  await expect(kafka.producer()).rejects.toMatchObject({
    code: 'connection_failed',
    retriable: false,
    message: expect.stringContaining('elsewhere.test'),
  })
})

test('a token is asked for again before its session ends, and nothing is lost meanwhile', async () => {
  let asked = 0
  const token = async (): Promise<string> => {
    asked++
    return unsignedToken(60)
  }
  await using kafka = secure({ mechanism: 'OAUTHBEARER', token })
  await using producer = await kafka.producer({ lingerMs: 0 })
  await producer.send(words, { value: 'first' })
  const before = asked
  while (asked < before + 3) await producer.send(words, { value: 'more' })
})

test('an expired token is refused at once, and is not shown', async () => {
  const token = unsignedToken(-30)
  await using kafka = secure({ mechanism: 'OAUTHBEARER', token })
  const refused: Error = await kafka.producer().then(
    () => expect.fail('the token was accepted'),
    (error: Error) => error,
  )
  expect(refused).toMatchObject({ code: 'authentication_failed', retriable: false })
  expect(inspect(refused, { depth: 9 })).not.toContain(token)
})

test.each([
  ['throws', () => Promise.reject(new Error('no such client')), 'no such client'],
  ['hangs', () => new Promise<string>(() => {}), 'the token callback took longer than'],
  ['gives nothing', () => '', 'not return a bearer token'],
])('a token callback that %s is reported by name and in time', async (_, token, text) => {
  const sasl = { mechanism: 'OAUTHBEARER', token } as const
  await using kafka = new Kafka({ brokers: [secureAddress], tls: { ca: certificate }, sasl, connectTimeoutMs: 2_000 })
  await expect(kafka.admin().listTopics()).rejects.toMatchObject({
    code: 'token_failed',
    message: expect.stringContaining(text),
  })
})
