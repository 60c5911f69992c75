export { StackError, type StackErrorCode, type StackErrorOptions } from './errors.ts'
export { withoutPassword } from './environment.ts'
export { cleanDataDir, projectDataDir } from './folder/data-folder.ts'
export { listLogs, openLog, openSupervisorLog } from './folder/logs.ts'
export { type StackState, type StackStatus, kafkaEnvironment, readStatus } from './status-file.ts'
export type { Account } from './machine/account.ts'
export { type MachineCheck, checkMachine } from './machine-checks.ts'
export { serverEnvironment } from './host/server-environment.ts'
export { kafkaToolsClassPath } from './kafka/artefacts.ts'
export { kafkaVersion } from './kafka-version.ts'
export type { BrokerAddress, BrokerProperties, KafkaOptions } from './kafka/options.ts'
export type { KafkaClientOptions } from './kafka/client-options.ts'
export type { KafkaSecurity } from './kafka/security.ts'
export type { BrokerView, KafkaServers } from './kafka/servers.ts'
export type { PostgresOptions, PostgresServer } from './postgres/server.ts'
export type { RestartBackOff } from './process/back-off.ts'
export type { ProcessExit } from './process/guarded-process.ts'
export type { LogFile } from './machine/log-file.ts'
export type {
  ProcessEvent,
  ProcessSpec,
  ProcessState,
  ProcessStatus,
  ReadinessAttempt,
} from './process/process-spec.ts'
export { SupervisedProcess } from './process/supervised-process.ts'
export { Supervisor, type SupervisorOptions, type SupervisorState } from './process/supervisor.ts'
export type { RedisOptions, RedisServer } from './redis/server.ts'
export type { Stack } from './stack.ts'
export { type StackOptions, startStack } from './start-stack.ts'
export { type StopOptions, stopStack } from './stop-stack.ts'
