import { describe, expect, it } from 'vitest'
import { checkKafkaOptions, jvmOptions } from './options.ts'

describe('the options of the JVM', () => {
  it('are small without any wish', () => {
    expect(jvmOptions(undefined, {})).toEqual(['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'])
  })

  it("are those of Kafka's own variables, each in the place of its default", () => {
    expect(jvmOptions(undefined, { KAFKA_HEAP_OPTS: ' -Xms1g  -Xmx1g ' })).toEqual([
      '-Xms1g',
      '-Xmx1g',
      '-XX:+UseSerialGC',
      '-XX:TieredStopAtLevel=1',
    ])
    expect(jvmOptions(undefined, { KAFKA_JVM_PERFORMANCE_OPTS: '-XX:+UseG1GC' })).toEqual(['-Xmx256m', '-XX:+UseG1GC'])
  })

  it('are the given ones before all', () => {
    expect(jvmOptions(['-Xmx2g'], { KAFKA_HEAP_OPTS: '-Xmx1g' })).toEqual(['-Xmx2g'])
  })
})

describe('the number of brokers', () => {
  it.each([0, 2, 10, 1.5, Number.NaN])('is refused as %s', (brokers) => {
    expect(() => checkKafkaOptions({ brokers })).toThrow(expect.objectContaining({ code: 'option_invalid' }))
  })

  it('has to fit the ports', () => {
    expect(() => checkKafkaOptions({ brokers: 3, ports: [1, 2] })).toThrow(/ports/)
    expect(() => checkKafkaOptions({ brokers: 3, ports: [1, 2, 3] })).not.toThrow()
  })
})
