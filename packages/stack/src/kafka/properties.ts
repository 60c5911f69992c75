import type { BrokerAddress, BrokerProperties } from './options.ts'

/** The configuration of one node of a cluster on this machine: broker and controller in one process. */
export function serverProperties(
  node: BrokerAddress,
  cluster: readonly BrokerAddress[],
  dataDir: string,
  more: BrokerProperties,
): string {
  const copies = Math.min(cluster.length, 3)
  const inSync = copies > 1 ? copies - 1 : 1
  const properties: BrokerProperties = {
    'process.roles': 'broker,controller',
    'node.id': node.id,
    listeners: `PLAINTEXT://127.0.0.1:${node.port},CONTROLLER://127.0.0.1:${node.controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${node.port}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map':
      'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL',
    // Voters by address in the configuration, so that a node may come back on another port.
    'controller.quorum.voters': cluster.map((voter) => `${voter.id}@127.0.0.1:${voter.controllerPort}`).join(','),
    'log.dirs': dataDir,
    'auto.create.topics.enable': false,
    'default.replication.factor': copies,
    'min.insync.replicas': inSync,
    'offsets.topic.replication.factor': copies,
    'offsets.topic.num.partitions': 3,
    'transaction.state.log.replication.factor': copies,
    'transaction.state.log.min.isr': inSync,
    'transaction.state.log.num.partitions': 3,
    'share.coordinator.state.topic.replication.factor': copies,
    'share.coordinator.state.topic.min.isr': inSync,
    'share.coordinator.state.topic.num.partitions': 3,
    // A killed broker is taken back only when its session has ended: five seconds instead of nine.
    'broker.heartbeat.interval.ms': 1_000,
    'broker.session.timeout.ms': 5_000,
    'group.initial.rebalance.delay.ms': 0,
    ...more,
  }
  return formatProperties(properties)
}

/** Logging to the standard output, which the supervisor keeps and bounds. */
export const log4jProperties = [
  'status = error',
  'appender.out.type = Console',
  'appender.out.name = out',
  'appender.out.layout.type = PatternLayout',
  'appender.out.layout.pattern = [%d{yyyy-MM-dd HH:mm:ss,SSS}] %p %m (%c)%n',
  'rootLogger.level = info',
  'rootLogger.appenderRef.out.ref = out',
  '',
].join('\n')

function formatProperties(properties: BrokerProperties): string {
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${String(value).replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n`)
    .join('')
}
