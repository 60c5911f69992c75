export * from './errors.ts'
export { migrate, migrationSql } from './migrate.ts'
export type { TableOptions } from './tables.ts'
export type { Transaction } from './sql/transaction.ts'

export { postgresSink } from './sink/postgres-sink.ts'
export type { PostgresSink, PostgresSinkState } from './sink/postgres-sink.ts'
export type { PostgresSinkOptions, SinkConsumerOptions, SinkHandler } from './sink/options.ts'
export type { ClaimState } from './sink/claims.ts'
export type { SinkContext } from './sink/batch-writer.ts'
export type { SinkEvents } from './sink/events.ts'
export { crashPoints, relayCrashPoints, type CrashPoint, type RelayCrashPoint } from './crash-points.ts'

export { Outbox } from './outbox/outbox.ts'
export type { OutboxInsertOptions, OutboxRecord } from './outbox/outbox.ts'
export { outboxRelay } from './outbox/relay.ts'
export type { OutboxRelayEvents } from './outbox/events.ts'
export type { OutboxRelay, OutboxRelayOptions, OutboxRelayState } from './outbox/relay.ts'

export { postgresIdempotency } from './idempotency/postgres-idempotency.ts'
export type {
  PostgresIdempotency,
  PostgresIdempotencyOptions,
  PurgeOptions,
} from './idempotency/postgres-idempotency.ts'
export { redisIdempotency } from './idempotency/redis-idempotency.ts'
export type { RedisClient, RedisIdempotencyOptions } from './idempotency/redis-idempotency.ts'
export type { Handled, IdempotencyStore, Mark } from './idempotency/store.ts'
export { wrapHandler } from './idempotency/wrap-handler.ts'
export type { IdempotentContext, WrapHandlerOptions } from './idempotency/wrap-handler.ts'
