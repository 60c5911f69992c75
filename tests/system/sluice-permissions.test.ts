import { Kafka, text, topic } from '@sluice/kafka'
import { type Stack, startStack } from '@sluice/stack'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePort } from './support/holding-proxy.ts'
import { kafkaTool } from './support/java.ts'
import { sluice as runSluice, type SluiceResult } from './support/sluice.ts'

let stack: Stack
let guarded: string

/** As `guest`, who may see `seen` and nothing else. */
const asGuest = (...args: string[]): Promise<SluiceResult> => as('guest', 'guest', args)

function as(username: string, password: string, args: readonly string[]): Promise<SluiceResult> {
  return runSluice(guarded, args, {
    KAFKA_SECURITY_PROTOCOL: 'SASL_PLAINTEXT',
    KAFKA_SASL_USERNAME: username,
    KAFKA_SASL_PASSWORD: password,
  })
}

beforeAll(async () => {
  guarded = `127.0.0.1:${await freePort()}`
  const login = 'org.apache.kafka.common.security.plain.PlainLoginModule required'
  stack = await startStack({
    kafka: {
      properties: ({ port, controllerPort }) => ({
        listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort},SASL_PLAINTEXT://${guarded}`,
        'advertised.listeners': `PLAINTEXT://127.0.0.1:${port},SASL_PLAINTEXT://${guarded}`,
        'sasl.enabled.mechanisms': 'PLAIN',
        'listener.name.sasl_plaintext.plain.sasl.jaas.config': `${login} user_guest="guest";`,
        'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
        // Who needs no name to get in: the test itself.
        'super.users': 'User:ANONYMOUS',
      }),
    },
  })
  await using kafka = new Kafka({ brokers: [stack.kafka.bootstrapServers] })
  await kafka.admin().createTopics([{ name: 'seen' }, { name: 'hidden' }])
  await using producer = await kafka.producer()
  await producer.send(topic('seen', { value: text }), { value: 'secret' })
  await kafka.admin().alterOffsets('others', [{ topic: 'seen', partition: 0, offset: 0 }])
  const grant = ['--add', '--allow-principal', 'User:guest', '--operation', 'Describe', '--topic', 'seen']
  await kafkaTool('org.apache.kafka.tools.AclCommand', ['--bootstrap-server', stack.kafka.bootstrapServers, ...grant])
})

afterAll(async () => {
  await stack?.close()
})

test.each([
  [['topics', 'describe', 'hidden']],
  [['topics', 'alter', 'hidden', '-p', '9', '--execute']],
  [['topics', 'alter', 'seen', '-p', '9', '--execute']],
  [['topics', 'delete', 'seen', '--execute']],
  [['topics', 'create', 'new']],
  [['tail', 'hidden']],
  [['tail', 'seen']],
  [['tail', 'seen', '-f', '--from', 'earliest']],
  [['groups', 'describe', 'others']],
  [['groups', 'reset', 'others', '--to', 'earliest', '--all-topics', '--execute']],
  [['groups', 'delete', 'others', '--execute']],
  [['lag', 'others']],
])('who lacks the right is told so, and for what: %s', async (args) => {
  const { code, stdout, stderr } = await asGuest(...args)
  expect(code).toBe(1)
  expect(stdout).not.toContain('done')
  expect(stderr).toMatch(
    /^sluice: broker_refused: (TOPIC|GROUP)_AUTHORIZATION_FAILED \((topic|group) \w+.*grant it with an ACL$/m,
  )
})

test('who may write to no topic is told so before anything is read', async () => {
  const { code, stdout, stderr } = await asGuest('produce', 'seen', '--file', import.meta.filename)
  expect([code, stdout]).toEqual([1, ''])
  expect(stderr).toMatch(/CLUSTER_AUTHORIZATION_FAILED .* - .*a producer needs the right to write/)
})

test('what may be seen is shown, without the settings that may not', async () => {
  expect((await asGuest('topics', 'list')).stdout).toMatch(/^TOPIC.*\nseen +1 +1 +1\n$/)
  const { code, stdout } = await asGuest('topics', 'describe', 'seen')
  expect([code, stdout]).toEqual([0, expect.stringContaining('this user may not read its settings')])
})

test('wrong credentials are named, never shown', async () => {
  const { code, stderr } = await as('guest', 'wrong-password', ['topics', 'list'])
  expect(code).toBe(1)
  expect(stderr).toMatch(/sluice: authentication_failed: .* - check KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME/)
  expect(stderr).not.toContain('wrong-password')
})
