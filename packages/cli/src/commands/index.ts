import type { CommandEntry } from '../command.ts'

export interface CommandGroup {
  readonly title: string
  readonly commands: readonly CommandEntry[]
}

const servers: readonly CommandEntry[] = [
  {
    name: 'up',
    description: 'Start Kafka, PostgreSQL and Redis in the background and say where they are',
    load: async () => (await import('./up.ts')).configureUp,
  },
  {
    name: 'down',
    description: 'Stop what runs: applications first, servers last; the data is kept',
    load: async () => (await import('./down.ts')).configureDown,
  },
  {
    name: 'status',
    description: 'Show what runs, and where',
    load: async () => (await import('./status.ts')).configureStatus,
  },
  {
    name: 'logs',
    description: 'Show what a process has written; without a name, the names',
    load: async () => (await import('./logs.ts')).configureLogs,
  },
  {
    name: 'doctor',
    description: 'Check what this machine has and say what to do about what it lacks',
    load: async () => (await import('./doctor.ts')).configureDoctor,
  },
  {
    name: 'demo',
    description: 'Run the commerce pipeline on real servers: orders through Kafka into PostgreSQL, live',
    load: async () => (await import('./demo.ts')).configureDemo,
  },
]

const kafka: readonly CommandEntry[] = [
  {
    name: 'topics',
    description: 'List, describe, create, alter, trim, delete and watch topics',
    load: async () => (await import('./topics/index.ts')).configureTopics,
  },
  {
    name: 'groups',
    description: 'List, describe, reset, delete and watch consumer groups and their offsets',
    load: async () => (await import('./groups/index.ts')).configureGroups,
  },
  {
    name: 'lag',
    description: 'Show how many records groups are behind; of one group, by partition',
    load: async () => (await import('./lag.ts')).configureLag,
  },
  {
    name: 'tail',
    description:
      'Show records of a topic without joining a group: the newest 10, all that fit a filter, or from a place',
    load: async () => (await import('./tail.ts')).configureTail,
  },
  {
    name: 'produce',
    description: 'Send records to a topic, one per line, from standard input or a file',
    load: async () => (await import('./produce.ts')).configureProduce,
  },
  {
    name: 'transactions',
    description: 'List, describe and abort transactions',
    load: async () => (await import('./transactions/index.ts')).configureTransactions,
  },
  {
    name: 'dlq',
    description: 'List, show, replay and purge dead letters',
    load: async () => (await import('./dlq/index.ts')).configureDlq,
  },
]

const more: readonly CommandEntry[] = [
  {
    name: 'completion',
    description: 'Print a script that completes commands, options and names in bash, zsh or fish',
    load: async () => (await import('./completion.ts')).configureCompletion,
  },
]

/** All commands, in the order in which the help lists them. */
export const commandGroups: readonly CommandGroup[] = [
  { title: 'Servers on this machine:', commands: servers },
  { title: 'Kafka, here or anywhere:', commands: kafka },
  { title: 'More:', commands: more },
]
