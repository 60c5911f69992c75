import { describe, expect, it } from 'vitest'
import { serverProperties } from './properties.ts'

const node = (id: number) => ({ id, port: 9090 + 2 * id, controllerPort: 9091 + 2 * id })

describe('the properties of a broker', () => {
  it('keep one copy of everything on one broker, on the loopback address', () => {
    const lines = serverProperties(node(1), [node(1)], '/data', {}).split('\n')
    expect(lines).toContain('listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093')
    expect(lines).toContain('offsets.topic.replication.factor=1')
    expect(lines).toContain('transaction.state.log.min.isr=1')
  })

  it('keep three copies, two of them in sync, on three and more', () => {
    const nodes = [1, 2, 3, 4].map(node)
    const lines = serverProperties(nodes[1]!, nodes, '/data', {}).split('\n')
    expect(lines).toContain('default.replication.factor=3')
    expect(lines).toContain('min.insync.replicas=2')
    expect(lines).toContain(
      'controller.quorum.voters=1@127.0.0.1:9093,2@127.0.0.1:9095,3@127.0.0.1:9097,4@127.0.0.1:9099',
    )
  })

  it('are overridden by given ones, each on one line', () => {
    const text = serverProperties(node(1), [node(1)], '/data', { 'auto.create.topics.enable': true, x: 'a\\b\nc' })
    expect(text).toContain('auto.create.topics.enable=true\n')
    expect(text).toContain('x=a\\\\b\\nc\n')
  })
})
