// One measurement of one client, in a process of its own.
import type { ClientJob } from '../clients/client.ts'
import { type Task, clients } from '../clients/index.ts'
import { answer, job } from '../in-process.ts'

const { client, task, way, ...rest } = job<ClientJob & { client: string; task: Task; way: string }>()
const { [task]: ways } = await clients[client]!()
answer(await ways[way]!(rest))
