export * from './errors.ts'
export { systemClock } from './clock.ts'
export type { Clock, Timer } from './clock.ts'
export { ManualClock } from './manual-clock.ts'
export { Gate } from './gate/gate.ts'
export type { AcquireOptions, GateOptions, GateState } from './gate/gate.ts'
export type { WatermarkOptions } from './gate/watermarks.ts'
export { PriorityQueue } from './queue/priority-queue.ts'
export type { QueueEntry } from './queue/entries.ts'
export type { PriorityQueueOptions, PriorityQueueState, PushOptions, Shed } from './queue/priority-queue.ts'
export type { OverflowOptions } from './queue/overflow.ts'
export type { PerPriority, Priority } from './queue/priority.ts'
export { Lanes } from './lanes/lanes.ts'
export type { LaneTask } from './lanes/lane.ts'
export type { LaneItemOptions, LanesOptions, LanesState } from './lanes/lanes.ts'
export type { LaneKey } from './lanes/order.ts'
export type { StuckHead } from './lanes/stuck-head.ts'
export { aimdLimit } from './limits/aimd.ts'
export type { AimdOptions } from './limits/aimd.ts'
export { fixedLimit } from './limits/fixed.ts'
export { gradientLimit } from './limits/gradient2.ts'
export type { GradientOptions, GradientState } from './limits/gradient2.ts'
export { stepLimit } from './limits/step.ts'
export type { StepOptions, StepState } from './limits/step.ts'
export { windowedLimit } from './limits/windowed.ts'
export type { WindowedState } from './limits/windowed.ts'
export type { Limit, LimitBounds, LimitSample, LimitState } from './limits/limit.ts'
export { Limiter } from './limiter/limiter.ts'
export type {
  LimitChange,
  LimiterAcquireOptions,
  LimiterOptions,
  LimiterRunOptions,
  LimiterState,
  Token,
} from './limiter/limiter.ts'
export type { Shares } from './limiter/shares.ts'
export { Breaker } from './control/breaker.ts'
export type {
  BreakerInspection,
  BreakerOptions,
  BreakerPermit,
  BreakerReason,
  BreakerStateName,
  BreakerTransition,
} from './control/breaker.ts'
export type { Acknowledgeable, OnDrop } from './stream/dropping.ts'
export { FlowController } from './control/flow-controller.ts'
export type {
  FlowAlert,
  FlowControllerEvents,
  FlowControllerOptions,
  FlowControllerState,
  FlowTransition,
  RunOptions,
} from './control/flow-controller.ts'
export { RateLimiter } from './rate/token-bucket.ts'
export type { RateLimiterOptions, RateLimiterState } from './rate/token-bucket.ts'
export { AdaptiveBatchSize } from './rate/batch-size.ts'
export type { BatchSizeOptions, BatchSizeState } from './rate/batch-size.ts'
export { readResourceLimits } from './sensors/cgroup.ts'
export type { CgroupPaths, ResourceLimits } from './sensors/cgroup.ts'
export { cpuSensor } from './sensors/cpu.ts'
export type { CpuSensorOptions } from './sensors/cpu.ts'
export { memorySensor } from './sensors/memory.ts'
export type { MemorySensorOptions, MemoryUse } from './sensors/memory.ts'
export { eventLoopSensor } from './sensors/event-loop.ts'
export { PressureSensor, standardConditions } from './sensors/pressure.ts'
export type {
  ConditionState,
  PressureChange,
  PressureCondition,
  PressureSensorOptions,
  StandardReadings,
} from './sensors/pressure.ts'
export { Flow } from './stream/flow.ts'
export type { FlatMapConcurrency, FlowOptions } from './stream/flow.ts'
export type { FlowSource } from './stream/sources.ts'
export type { SinkOptions } from './stream/sinks.ts'
export type { Overflow } from './stream/operators/buffer.ts'
export type { AsyncMapper } from './stream/operators/map-async.ts'
export type { RetryOptions } from './stream/operators/retry.ts'
export { BufferedProcessor } from './stream/reactive/buffered-processor.ts'
export type { BufferedProcessorOptions, BufferedProcessorState } from './stream/reactive/buffered-processor.ts'
export type { Processor, Publisher, Subscriber, Subscription } from './stream/reactive/types.ts'
