import { connect as connectPlain } from 'node:net'
import { connect as connectTls } from 'node:tls'

/** What Redis says to AUTH (where there is a password) and PING: the text of its last reply or of its first error. */
export async function pingRedis(url: string, timeoutMs: number): Promise<string> {
  const { hostname, port, username, password, protocol } = new URL(url)
  const commands: string[][] = []
  if (password) {
    const name = decodeURIComponent(username)
    commands.push(['AUTH', ...(name ? [name] : []), decodeURIComponent(password)])
  }
  commands.push(['PING'])
  const options = { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 6379) }
  const socket = protocol === 'rediss:' ? connectTls({ ...options, servername: hostname }) : connectPlain(options)
  const timer = setTimeout(() => socket.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs)
  try {
    socket.write(commands.map(encodeCommand).join(''))
    let text = ''
    for await (const chunk of socket) {
      text += String(chunk)
      const lines = text.split('\r\n').slice(0, -1)
      const refused = lines.find((line) => !line.startsWith('+'))
      if (refused !== undefined) return refused
      if (lines.length >= commands.length) return lines.at(-1) ?? ''
    }
    throw new Error('the connection was closed without an answer')
  } finally {
    clearTimeout(timer)
    socket.destroy()
  }
}

function encodeCommand(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`
}
