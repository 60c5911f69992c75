import type { Client } from './client.ts'

/** Each loaded only in the process that measures it. */
export const clients: Readonly<Record<string, () => Promise<Client>>> = {
  sluice: () => import('./sluice.ts'),
  '@platformatic/kafka': () => import('./platformatic.ts'),
  kafkajs: () => import('./kafkajs.ts'),
}

export type Task = keyof Client
