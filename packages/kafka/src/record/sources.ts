import type { Topic } from './record.ts'
import type { TopicPattern } from './topic.ts'

/** A topic of any types. */
// A codec both takes and gives its type, so that only `any` matches all.
// oxlint-disable-next-line typescript/no-explicit-any
export type AnyTopic = Topic<any, any, any, any>

/** What can be subscribed to: a topic, those that a pattern matches, or those that a RegExp matches, as bytes. */
// oxlint-disable-next-line typescript/no-explicit-any
export type AnySource = AnyTopic | TopicPattern<any, any, any, any> | RegExp
