import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { Ports, isFree } from './ports.ts'

async function listener() {
  const server = createServer()
  server.listen(0)
  await once(server, 'listening')
  return { port: (server.address() as AddressInfo).port, [Symbol.dispose]: () => server.close() }
}

describe('ports', () => {
  it('are not free while somebody listens, also on every address', async () => {
    using taken = await listener()
    expect(await isFree(taken.port)).toBe(false)
  })

  it('are the preferred one where it is free, else another', async () => {
    using taken = await listener()
    const free = await new Ports().take()
    const ports = new Ports()
    expect(await ports.take([taken.port, free])).toBe(free)
    expect(await ports.take([free])).not.toBe(free)
  })

  it('are never given twice, and never from the range that outgoing connections use', async () => {
    const ports = new Ports()
    const given = await Promise.all(Array.from({ length: 20 }, () => ports.take()))
    expect(new Set(given).size).toBe(20)
    expect(Math.max(...given)).toBeLessThan(32_000)
  })

  it('are an error that names the port, where exactly that one is wanted', async () => {
    using taken = await listener()
    await expect(new Ports().takeExactly(taken.port, 'redis.port')).rejects.toMatchObject({
      code: 'port_taken',
      port: taken.port,
    })
  })
})
