export * from './errors.ts'
export {
  BackpressureError,
  CircuitOpenError,
  ClosedError,
  ConfigError,
  SluiceError,
  aimdLimit,
  gradientLimit,
  stepLimit,
} from '@sluice/flow'
export type {
  Acknowledgeable,
  AimdOptions,
  BackpressureReason,
  BreakerInspection,
  BreakerReason,
  BreakerStateName,
  BreakerTransition,
  Clock,
  ConditionState,
  ErrorFacts,
  GateState,
  GradientOptions,
  GradientState,
  Limit,
  LimitBounds,
  LimitSample,
  LimitState,
  PerPriority,
  Priority,
  SluiceErrorOptions,
  StepOptions,
  StepState,
  Timer,
  WindowedState,
} from '@sluice/flow'
export { Kafka } from './kafka.ts'
export type { KafkaConsumerOptions, KafkaPipeOptions, KafkaState } from './kafka.ts'
export type { ClusterState } from './cluster/cluster.ts'
export type { KafkaCloseReport } from './close-parts.ts'
export type { KafkaOptions } from './config.ts'
export type { LogFacts, Logger, LogLevel } from './log/logger.ts'
export type { Log, LogLine } from './log/log.ts'
export type { EventLog, Line, LinesOf } from './log/lines.ts'
export type { Environment } from './environment/environment.ts'
export { requireTopic } from './record/require-topic.ts'
export { requireTopicName, topic, topicPattern } from './record/topic.ts'
export type { TopicPattern } from './record/topic.ts'
export { bytes } from './codecs/bytes.ts'
export { json, nullable, SchemaError } from './codecs/json.ts'
export { text } from './codecs/text.ts'
export type { Codec, Decoder, Encoder } from './codecs/codec.ts'
export type { Compression } from './batch/batch.ts'
export type { DecodedRecord } from './batch/decoded.ts'
export type { SaslOptions } from './driver/connect-options.ts'
export type {
  Delivery,
  HeaderInput,
  HeadersInput,
  OutgoingRecord,
  TargetTopic,
  Topic,
  WireHeaders,
} from './record/record.ts'

export type { Producer } from './producer/producer.ts'
export type { CloseOptions, SendOptions } from './producer/producer.ts'
export type { ProducerEvents } from './producer/events.ts'
export type { ProducerActivity } from './producer/send/activity.ts'
export type {
  Acks,
  DeadLetterOptions,
  ProducerBreakerOptions,
  ProducerOptions,
  QueueOptions,
} from './producer/options.ts'
export type { AddHeadersOptions } from './outgoing/added-headers.ts'
export type { DeadLetterPlace, DeadLettersEvent, DeadLettersState } from './producer/dead-letters/dead-letters.ts'
export type { CloseReport, ProducerState, QueueState } from './producer/producer-state.ts'
export type { DeliveryCounts } from './producer/queue/account.ts'
export type { SendStatsState, TopicSendStats } from './producer/send/send-stats.ts'
export type { SenderState } from './producer/send/sender.ts'
export type { BrokerSenderState } from './producer/send/broker-sender.ts'
export type { RecordSource, SendAllOptions } from './producer/send-all.ts'

export type {
  BatchHandler,
  CloseOptions as ConsumerCloseOptions,
  Consumer,
  PauseTarget,
  RecordHandler,
  RecordRunOptions,
  RunOptions,
} from './consumer/consumer.ts'
export type { NameOf, RecordOf } from './incoming/record-of.ts'
export type {
  ConsumerCommitterState,
  ConsumerDispatcherState,
  ConsumerGateState,
  ConsumerMembershipState,
  ConsumerPartitionState,
  ConsumerSessionState,
  ConsumerState,
  OldestCall,
} from './consumer/consumer-state.ts'
export type { FetchedBroker } from './fetch/broker-loop.ts'
export type { FetchLoopsState } from './fetch/fetch-loops.ts'
export type { LetterCounts } from './consumer/letter-counts.ts'
export type { MembershipState } from './consumer/group/membership.ts'
export type { PartitionPhase, Usage as PartitionUsage } from './consumer/partition.ts'
export { ConsumerRecord, RecordHeaders } from './incoming/consumer-record.ts'
export {
  AbandonedHandlersError,
  HandlerError,
  HandlerTimeoutError,
  MembershipError,
  NoPositionError,
  OffsetOutsideLogError,
  PostponedError,
  RevokedError,
  StateInUseError,
  UnknownEventTypeError,
} from './consumer/errors.ts'
export { UnreadableBatchError } from './incoming/errors.ts'
export type { ConsumerActivity, ConsumerEvents, ResetReason } from './consumer/events.ts'
export type { UnreadableRange } from './incoming/unreadable.ts'
export type { OffsetPlace, PartitionPlace } from './record/places.ts'
export type { EventHandler, EventTypeSource, HandlersByType } from './consumer/handlers.ts'
export {
  deadLetterHeader,
  deadLetterHeaders,
  readDeadLetter,
  replaysOf,
  type DeadLetter,
  type LetterPart,
} from './failure/dead-letter-headers.ts'
export type { DeadLetterLog } from './dead-letters/dead-letter-log.ts'
export type { FoundLetter, LetterFilter, ReplayFailure, ReplayOptions, ReplayReport } from './dead-letters/replay.ts'
export { DeadLetterRefusedError, type RefusedLetter } from './failure/errors.ts'
export type { DeadLetterRecord } from './failure/dead-letter-record.ts'
export type { LetterOptions, OversizePolicy, WrittenLetter } from './dead-letters/deliver-letter.ts'
export type { OriginalRecord, RetryFacts } from './incoming/original-record.ts'
export type { Refusal } from './failure/refusal.ts'
export type { ConsumerDeadLetterOptions } from './consumer/failure/dead-letter-options.ts'
export { deadLetterTopic, isDeadLetterTopic, isRetryTopic, retryTopic } from './failure/topic-names.ts'
export type { HandlerContext } from './consumer/dispatch/invocation.ts'
export type { Ownership, PositionStore, StoredPartition } from './consumer/position-store.ts'
export type { PrioritySource } from './consumer/dispatch/record-priority.ts'
export type { PressureState } from './consumer/pressure.ts'
export type { ConsumerPressure } from './consumer/events.ts'
export type {
  ConsumerGateOptions,
  ConsumerOptions,
  ConsumerOrder,
  DeadLetterListener,
  HandlerRetryOptions,
  ResetPolicy,
} from './consumer/options.ts'
export type { AnySource, AnyTopic } from './record/sources.ts'
export type { SkippedRecords, UnreadablePolicy } from './incoming/unreadable.ts'
export type { ConsumerStream } from './consumer/stream/stream.ts'
export type { Carrier, StreamElement } from './consumer/stream/stream-element.ts'
export type { CloseReport as ConsumerCloseReport } from './consumer/session.ts'

export { ProducerFencedError, TransactionError, type TransactionOutcome } from './transactions/errors.ts'
export { OutputRefusedError } from './errors.ts'
export { outputTo, type TopicOutput } from './pipe/options.ts'
export type { OneOutput, PipeConsumerOptions, PipeHandler, PipeOptions, PipeOutput } from './pipe/options.ts'
export type { Pipe, PipeEvents, PipeState } from './pipe/pipe.ts'
export type { TransactionEvents } from './pipe/transaction-commits.ts'
export type { TransactionStep, TransactionStepMessage } from './transactions/steps.ts'
export type { CommittingMember } from './transactions/transaction.ts'
export type {
  SentOffsets,
  TransactionScope,
  TransactionalProducer,
  TransactionalProducerState,
} from './transactions/transactional-producer.ts'
export type { TransactionsState } from './transactions/transaction-writer.ts'
export type { TransactionOptions } from './transactions/writer-options.ts'

export { noteDuplicate, noteFailedAttempt } from './consumer/dispatch/call-notes.ts'
export { type WithHeaders, withActiveTrace } from './tracing/trace-headers.ts'
export { KafkaMetrics, type MetricRegistry } from './metrics/kafka-metrics.ts'
export type { ReaderOptions, ReadFrom } from './reader/options.ts'
export type { Reader, ReaderState } from './reader/reader.ts'
export type { ReaderEvents } from './reader/events.ts'

export type { Admin } from './admin/admin.ts'
export type {
  GroupDescription,
  GroupListing,
  MemberDescription,
  OwnedTopic,
  UnknownBroker,
} from './admin/describe-groups.ts'
export type { OffsetAt, PartitionOffset, UnknownPartition } from './admin/find-offsets.ts'
export type { LagQuery, PartitionLag, UnknownLag, UnknownTopic } from './admin/lag.ts'
export type { OffsetSurvey } from './admin/offsets.ts'
export type { AdminCallOptions, SurveyOptions } from './admin/options.ts'
export type { GroupsSurvey, GroupSurvey } from './admin/survey-groups.ts'
export type { PartitionSurvey, TopicsSurvey, TopicSurvey } from './admin/survey-topics.ts'
export type { LogStart } from './admin/records.ts'
export type { OpenTransaction, TransactionDescription, TransactionsSurvey } from './admin/transactions.ts'
export type { CreatedTopic, TopicChange, TopicDescription, TopicSpec } from './admin/topics.ts'
export type {
  BrokerNode,
  CommittedOffset,
  Isolation,
  ListedGroup,
  PartitionKey,
  PartitionMetadata,
} from './driver/driver.ts'
