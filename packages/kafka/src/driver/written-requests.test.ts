import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { expect, test } from 'vitest'
import { WrittenRequests } from './written-requests.ts'

async function pair(): Promise<{ socket: Socket; received: Promise<Buffer> }> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [other] = (await once(server, 'connection')) as [Socket]
  server.close()
  const chunks: Buffer[] = []
  other.on('data', (chunk) => chunks.push(chunk))
  const received = once(other, 'end').then(() => Buffer.concat(chunks))
  return { socket, received }
}

test('a large request arrives whole, and its memory is given back; what is small or shared is left alone', async () => {
  const { socket, received } = await pair()
  const written = new WrittenRequests(socket)
  const large = Buffer.alloc(8_000_000, 'large')
  const small = Buffer.from(new ArrayBuffer(1_000)).fill('s')
  const shared = Buffer.from(new ArrayBuffer(200_000), 1_000, 100_000).fill('p')
  const expected = Buffer.concat([large, small, shared])
  for (const bytes of [large, small, shared]) socket.write(bytes)
  // More than the kernel takes at once: what waits in the socket is not given back.
  expect(large.length).toBe(8_000_000)
  await written.all()
  expect(large.length).toBe(0)
  socket.end()
  expect((await received).equals(expected)).toBe(true)
  expect([large.length, small.length, shared.length]).toEqual([0, 1_000, 100_000])
})

test('what was never written is given back as well, and not said to be written', async () => {
  const { socket } = await pair()
  await once(socket, 'connect')
  const written = new WrittenRequests(socket)
  await written.all()
  const large = Buffer.alloc(64_000_000)
  socket.write(large)
  const lost = written.all().catch((error: unknown) => error)
  socket.destroy()
  await once(socket, 'close')
  expect(await lost).toBeInstanceOf(Error)
  await expect.poll(() => large.length).toBe(0)
})
