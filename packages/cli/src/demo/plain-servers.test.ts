import { describe, expect, it } from 'vitest'
import { requirePlainServers } from './plain-servers.ts'

describe('requirePlainServers', () => {
  it.each([
    ['KAFKA_SECURITY_PROTOCOL', 'SASL_SSL'],
    ['KAFKA_SECURITY_PROTOCOL', 'SSL'],
    ['DB_TYPE', 'cloud'],
  ])('refuses %s=%s, names it and says what to do', (name, value) => {
    expect(() => requirePlainServers({ [name]: value })).toThrow(
      expect.objectContaining({
        code: 'environment_invalid',
        variable: name,
        message: expect.stringContaining(`${name} is ${value}`) as string,
        remedy: expect.stringContaining(`unset ${name}`) as string,
      }),
    )
  })

  it.each([{}, { KAFKA_SECURITY_PROTOCOL: '' }, { KAFKA_SECURITY_PROTOCOL: 'PLAINTEXT' }, { DB_TYPE: 'local' }])(
    'takes %j',
    (env) => expect(() => requirePlainServers(env)).not.toThrow(),
  )
})
