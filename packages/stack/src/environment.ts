import { isIPv6 } from 'node:net'
import { StackError } from './errors.ts'
import { askApiVersions } from './kafka/api-versions.ts'
import { query } from './postgres/server.ts'
import { pingRedis } from './redis/resp.ts'

const probeTimeoutMs = 5_000

/** Servers that the environment names, each with the variable that named it. */
export interface EnvironmentServers {
  readonly kafka?: { readonly bootstrapServers: string; readonly variable: string }
  readonly postgres?: { readonly url: string; readonly variable: string }
  readonly redis?: { readonly url: string; readonly variable: string }
}

/**
 * Reads `KAFKA_BOOTSTRAP_SERVERS`; `DATABASE_URL` or `POSTGRES_HOST`, `_PORT`, `_USER`, `_PASSWORD`, `_DB`; `REDIS_URL` or
 * `REDIS_HOST`, `_PORT`, `_PASSWORD`, `_DB`. Throws `environment_invalid` for an address that is none.
 */
export function readEnvironment(env: NodeJS.ProcessEnv = process.env): EnvironmentServers {
  return { ...readKafka(env), ...readPostgres(env), ...readRedis(env) }
}

/** Throws one error that names the variable, where what it names does not answer as it should. */
export async function checkKafka({
  bootstrapServers,
  variable,
}: NonNullable<EnvironmentServers['kafka']>): Promise<void> {
  const failures: unknown[] = []
  for (const address of bootstrapServers.split(',')) {
    const { host, port } = parseAddress(address, variable)
    try {
      await askApiVersions(host, port, probeTimeoutMs)
      return
    } catch (error) {
      failures.push(error)
    }
  }
  throw unreachable(variable, bootstrapServers, 'Kafka', failures[0])
}

export async function checkPostgres({ url, variable }: NonNullable<EnvironmentServers['postgres']>): Promise<void> {
  try {
    await query(url, 'SELECT 1')
  } catch (error) {
    const code = (error as { code?: unknown }).code
    if (code === '28P01' || code === '28000') throw loginRefused(variable, 'PostgreSQL', error)
    if (code === '3D000') throw loginRefused(variable, 'PostgreSQL', error, 'there is no such database')
    throw unreachable(variable, withoutPassword(url), 'PostgreSQL', error)
  }
}

export async function checkRedis({ url, variable }: NonNullable<EnvironmentServers['redis']>): Promise<void> {
  let answer: string
  try {
    answer = await pingRedis(url, probeTimeoutMs)
  } catch (error) {
    throw unreachable(variable, withoutPassword(url), 'Redis', error)
  }
  if (answer === '+PONG') return
  if (/^-(WRONGPASS|NOAUTH|ERR.*AUTH)/.test(answer)) throw loginRefused(variable, 'Redis', new Error(answer.slice(1)))
  throw unreachable(variable, withoutPassword(url), 'Redis', new Error(`it answered ${answer.slice(0, 100)}`))
}

/** An address for people: its password is left out. */
export function withoutPassword(url: string): string {
  if (!URL.canParse(url)) return url
  const shown = new URL(url)
  if (shown.password) shown.password = '***'
  for (const name of ['password', 'sslpassword']) {
    if (shown.searchParams.has(name)) shown.searchParams.set(name, '***')
  }
  return shown.href
}

function readKafka(env: NodeJS.ProcessEnv): EnvironmentServers {
  const variable = 'KAFKA_BOOTSTRAP_SERVERS'
  const bootstrapServers = env[variable]?.trim()
  if (!bootstrapServers) return {}
  for (const address of bootstrapServers.split(',')) parseAddress(address, variable)
  return { kafka: { bootstrapServers, variable } }
}

function readPostgres(env: NodeJS.ProcessEnv): EnvironmentServers {
  if (env['DATABASE_URL']) {
    return {
      postgres: {
        url: parseUrl(env['DATABASE_URL'], 'DATABASE_URL', ['postgres:', 'postgresql:']),
        variable: 'DATABASE_URL',
      },
    }
  }
  if (!env['POSTGRES_HOST']) return {}
  // The setters of URL keep what was there where a value is none, so each is checked before.
  const url = new URL(`postgres://${parseHost(env['POSTGRES_HOST'], 'POSTGRES_HOST')}`)
  url.port = parsePort(env['POSTGRES_PORT'] ?? '5432', 'POSTGRES_PORT')
  url.username = encodeURIComponent(env['POSTGRES_USER'] ?? 'postgres')
  url.password = encodeURIComponent(env['POSTGRES_PASSWORD'] ?? '')
  url.pathname = `/${encodeURIComponent(env['POSTGRES_DB'] ?? 'postgres')}`
  return { postgres: { url: url.href, variable: 'POSTGRES_HOST' } }
}

function readRedis(env: NodeJS.ProcessEnv): EnvironmentServers {
  if (env['REDIS_URL']) {
    return { redis: { url: parseUrl(env['REDIS_URL'], 'REDIS_URL', ['redis:', 'rediss:']), variable: 'REDIS_URL' } }
  }
  if (!env['REDIS_HOST']) return {}
  const host = parseHost(env['REDIS_HOST'], 'REDIS_HOST')
  const login = env['REDIS_PASSWORD'] ? `:${encodeURIComponent(env['REDIS_PASSWORD'])}@` : ''
  const port = parsePort(env['REDIS_PORT'] ?? '6379', 'REDIS_PORT')
  const url = `redis://${login}${host}:${port}/${parseRedisDatabase(env['REDIS_DB'] ?? '0')}`
  return { redis: { url, variable: 'REDIS_HOST' } }
}

/** A host as it is written in a URL. */
function parseHost(text: string, variable: string): string {
  const bare = text.replace(/^\[(.*)\]$/, '$1')
  const host = isIPv6(bare) ? `[${bare}]` : text
  if (/^[A-Za-z0-9._-]+$|^\[[0-9A-Fa-f.:]+\]$/.test(host) && URL.canParse(`postgres://${host}`)) return host
  throw new StackError(
    'environment_invalid',
    `${variable} is ${shown(text)}, which is not a host`,
    'set it to a host name or an IP address alone; a port has a variable of its own',
    { facts: { variable } },
  )
}

function parseRedisDatabase(text: string): string {
  if (/^\d{1,5}$/.test(text)) return text
  throw new StackError(
    'environment_invalid',
    `REDIS_DB is ${shown(text)}`,
    'set it to the number of a database, such as 0',
    { facts: { variable: 'REDIS_DB' } },
  )
}

function parseUrl(text: string, variable: string, protocols: readonly string[]): string {
  if (URL.canParse(text) && protocols.includes(new URL(text).protocol) && new URL(text).hostname !== '') return text
  throw new StackError(
    'environment_invalid',
    `${variable} is not an address`,
    `set it to ${protocols[0]}//user:password@host:port/..., or unset it to get a private server`,
    { facts: { variable } },
  )
}

function parsePort(text: string, variable: string): string {
  if (/^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535) return text
  throw new StackError('environment_invalid', `${variable} is ${shown(text)}`, 'set it to a port, 1 to 65535', {
    facts: { variable },
  })
}

function parseAddress(text: string, variable: string): { readonly host: string; readonly port: number } {
  const match = /^\s*\[?([^\s\]/@]+?)\]?:(\d{1,5})\s*$/.exec(text)
  if (match?.[1] && match[2]) return { host: match[1], port: Number(parsePort(match[2], variable)) }
  throw new StackError(
    'environment_invalid',
    `${variable} holds ${shown(text)}, which is not an address`,
    'set it to host:port, several with commas between, or unset it to get a private broker',
    { facts: { variable } },
  )
}

/** What is wrong with a setting, for people; with an @ in it there may be a login. */
function shown(text: string): string {
  return text.includes('@') ? 'a text with a login in it (not shown)' : JSON.stringify(text)
}

function unreachable(variable: string, address: string, server: string, cause: unknown): StackError {
  const why = cause instanceof Error && cause.message !== '' ? cause.message : String(cause)
  return new StackError(
    'server_unreachable',
    `${variable} names ${address}, where ${server} does not answer (${why})`,
    `start that server, correct ${variable}, or unset it to get a private one`,
    { retriable: true, cause, facts: { variable } },
  )
}

function loginRefused(
  variable: string,
  server: string,
  cause: unknown,
  why = 'user or password are wrong',
): StackError {
  const said = cause instanceof Error ? cause.message : String(cause)
  return new StackError(
    'login_refused',
    `${server} at the address in ${variable} refuses the login: ${why} (${said})`,
    `correct ${variable}, or unset it to get a private server`,
    { cause, facts: { variable } },
  )
}
