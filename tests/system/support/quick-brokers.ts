/** Settings of brokers that are killed or frozen: they are missed, and taken back, after three seconds instead of five. */
export const quickBrokers = { 'broker.session.timeout.ms': 3_000, 'broker.heartbeat.interval.ms': 500 }
