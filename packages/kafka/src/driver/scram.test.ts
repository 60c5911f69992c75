import { createHmac, createHash, pbkdf2Sync } from 'node:crypto'
import { expect, test } from 'vitest'
import { ScramExchange } from './scram.ts'

// The example of RFC 7677, section 3.
const nonce = 'rOprNGfwEbeRWgbNEkqO'
const serverFirst = Buffer.from(
  'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
)
const serverFinal = Buffer.from('v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=')
const example = (): ScramExchange => new ScramExchange('SCRAM-SHA-256', 'user', 'pencil', nonce)

test('SCRAM says what the example of RFC 7677 says', async () => {
  const exchange = example()
  expect(exchange.first().toString()).toBe('n,,n=user,r=rOprNGfwEbeRWgbNEkqO')
  expect((await exchange.final(serverFirst)).toString()).toBe(
    'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
  )
  exchange.verify(serverFinal)
})

test('SCRAM escapes every comma and equals sign of a user name, once', () => {
  const first = (name: string): string => new ScramExchange('SCRAM-SHA-512', name, 'p', 'x').first().toString()
  expect(first('team,svc,orders')).toBe('n,,n=team=2Csvc=2Corders,r=x')
  expect(first('a=b,c=d,e')).toBe('n,,n=a=3Db=2Cc=3Dd=2Ce,r=x')
  expect(first('=2C')).toBe('n,,n==3D2C,r=x')
})

test.each([
  '',
  'hello',
  's=c2FsdA==,i=4096',
  `r=${nonce}x`,
  `r=${nonce}x,s=c2FsdA==`,
  `r=${nonce}x,s=c2FsdA==,i=`,
  `r=${nonce}x,s=,i=4096`,
  `r=other,s=c2FsdA==,i=4096`,
  `m=x,r=${nonce}x,s=c2FsdA==,i=4096`,
])('SCRAM refuses %j from a server', async (text) => {
  await expect(example().final(Buffer.from(text))).rejects.toThrow(/SCRAM/)
})

test.each(['0', '4095', '1000001', '400000000', '9'.repeat(400)])(
  'SCRAM does not make %s iterations',
  async (count) => {
    const text = `r=${nonce}x,s=c2FsdA==,i=${count}`
    await expect(example().final(Buffer.from(text))).rejects.toThrow(/but must ask for 4096 to 1000000/)
  },
)

test('a server without the password is not believed, and its own words are told', async () => {
  const exchange = example()
  await exchange.final(serverFirst)
  for (const text of ['', 'v=', 'v=AAAA', serverFinal.toString().replace('6', '7')]) {
    expect(() => exchange.verify(Buffer.from(text))).toThrow('does not know the password')
  }
  expect(() => exchange.verify(Buffer.from('e=invalid-proof'))).toThrow('invalid-proof')
  expect(() => example().verify(serverFinal)).toThrow('does not know the password')
})

test('SCRAM proves the password for any text in it', async () => {
  const password = 'p%20=,"x ä'
  const exchange = new ScramExchange('SCRAM-SHA-512', 'u', password, 'n')
  const first = 'r=nm,s=c2FsdA==,i=4096'
  const final = (await exchange.final(Buffer.from(first))).toString()
  const salted = pbkdf2Sync(password, Buffer.from('salt'), 4_096, 64, 'sha512')
  const clientKey = createHmac('sha512', salted).update('Client Key').digest()
  const stored = createHash('sha512').update(clientKey).digest()
  const signature = createHmac('sha512', stored).update(`n=u,r=n,${first},c=biws,r=nm`).digest()
  const proof = Buffer.from(final.split(',p=')[1]!, 'base64')
  expect(Buffer.from(proof.map((byte, i) => byte ^ signature[i]!)).equals(clientKey)).toBe(true)
})
