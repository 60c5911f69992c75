import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'

export type ScramMechanism = 'SCRAM-SHA-256' | 'SCRAM-SHA-512'

/** As Java's client: less is a broker that wants the password's hash cheaply. */
const minIterations = 4_096

/** Kafka itself allows 16,384. The server chooses the number, and each attempt holds one of the few threads of Node. */
const maxIterations = 1_000_000

const hashes = {
  'SCRAM-SHA-256': { algorithm: 'sha256', keyLength: 32 },
  'SCRAM-SHA-512': { algorithm: 'sha512', keyLength: 64 },
} as const

const derive = promisify(pbkdf2)

/** One SCRAM login (RFC 5802, RFC 7677), without channel binding. The client speaks first, twice. */
export class ScramExchange {
  readonly #hash: (typeof hashes)[ScramMechanism]
  readonly #password: string
  readonly #nonce: string
  readonly #firstBare: string
  #serverSignature: Buffer | undefined

  constructor(mechanism: ScramMechanism, username: string, password: string, nonce = newNonce()) {
    this.#hash = hashes[mechanism]
    this.#password = password
    this.#nonce = nonce
    this.#firstBare = `n=${saslName(username)},r=${nonce}`
  }

  first(): Buffer {
    return Buffer.from(`n,,${this.#firstBare}`)
  }

  /** @throws Error that says what is wrong with the server's message */
  async final(serverFirst: Buffer): Promise<Buffer> {
    const text = serverFirst.toString('utf8')
    const { nonce, salt, iterations } = parseServerFirst(text, this.#nonce)
    const { algorithm, keyLength } = this.#hash
    const salted = await derive(this.#password, salt, iterations, keyLength, algorithm)
    const withoutProof = `c=biws,r=${nonce}`
    const message = `${this.#firstBare},${text},${withoutProof}`
    const clientKey = this.#hmac(salted, 'Client Key')
    const storedKey = createHash(algorithm).update(clientKey).digest()
    const proof = xor(clientKey, this.#hmac(storedKey, message))
    this.#serverSignature = this.#hmac(this.#hmac(salted, 'Server Key'), message)
    return Buffer.from(`${withoutProof},p=${proof.toString('base64')}`)
  }

  /** @throws Error where the server does not know the password either, or refuses this one */
  verify(serverFinal: Buffer): void {
    const [attribute = ''] = serverFinal.toString('utf8').split(',')
    if (attribute.startsWith('e=')) throw new Error(attribute.slice(2, 202))
    const signature = attribute.startsWith('v=') ? Buffer.from(attribute.slice(2), 'base64') : undefined
    const expected = this.#serverSignature
    if (!expected || signature?.length !== expected.length || !timingSafeEqual(signature, expected)) {
      throw new Error('the SCRAM signature of the server is wrong: it does not know the password')
    }
  }

  #hmac(key: Buffer, text: string): Buffer {
    return createHmac(this.#hash.algorithm, key).update(text).digest()
  }
}

function newNonce(): string {
  return randomBytes(18).toString('base64url')
}

/** RFC 5802, `saslname`: a comma would end the name, and an equals sign begins an escape. */
function saslName(name: string): string {
  return name.replaceAll('=', '=3D').replaceAll(',', '=2C')
}

function xor(a: Buffer, b: Buffer): Buffer {
  return Buffer.from(a.map((byte, i) => byte ^ b[i]!))
}

interface ServerFirst {
  readonly nonce: string
  readonly salt: Buffer
  readonly iterations: number
}

/** RFC 5802: `r=` nonce, `s=` salt, `i=` iterations, in this order; what may follow is ignored. */
const serverFirstPattern = /^r=([\x21-\x2b\x2d-\x7e]+),s=([A-Za-z0-9+/]+={0,2}),i=(\d+)(?:,|$)/

function parseServerFirst(text: string, clientNonce: string): ServerFirst {
  const [, nonce, salt, count] = serverFirstPattern.exec(text) ?? []
  if (nonce === undefined || salt === undefined) throw new Error('the first SCRAM message of the server is malformed')
  if (!nonce.startsWith(clientNonce))
    throw new Error('the SCRAM nonce of the server does not begin with that of the client')
  const iterations = Number(count)
  if (iterations < minIterations || iterations > maxIterations) {
    throw new Error(
      `the server asks for ${count!.slice(0, 20)} SCRAM iterations, but must ask for ${minIterations} to ${maxIterations}`,
    )
  }
  return { nonce, salt: Buffer.from(salt, 'base64'), iterations }
}
