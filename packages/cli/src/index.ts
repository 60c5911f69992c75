export { ExitCode } from './exit-codes.ts'
export { run } from './program.ts'
export { Terminal } from './terminal.ts'
