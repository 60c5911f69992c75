import { callListener } from './listener.ts'
import { requireFunction } from './require.ts'

/** Whatever it returns is dropped; a promise that rejects is reported as a process warning. */
export type Listener<Payload> = (payload: Payload) => unknown

/** Sees each event; `isHeard`: a listener has been given it. */
export type Observer<Events extends Record<string, unknown>> = <Name extends keyof Events>(
  name: Name,
  payload: Events[Name],
  isHeard: boolean,
) => void

/** Typed events. A listener that throws or rejects is reported as a process warning and stops nobody. */
export class Emitter<Events extends Record<string, unknown>> {
  /** Lists are replaced, never changed, so that a listener may come or go during an emit. */
  readonly #listeners = new Map<keyof Events, readonly Listener<never>[]>()
  readonly #observe: Observer<Events> | undefined

  /** @param observe sees each event after the listeners; it must not throw */
  constructor(observe?: Observer<Events>) {
    this.#observe = observe
  }

  /** Returns the function that takes the listener off again. */
  on<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): () => void {
    requireFunction('listener', listener)
    // A wrapper of its own makes each registration removable alone, even of the same function.
    const own: Listener<Events[Name]> = (payload) => listener(payload)
    this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), own])
    return () => this.#remove(name, own)
  }

  once<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): () => void {
    requireFunction('listener', listener)
    const off = this.on(name, (payload) => {
      off()
      return listener(payload)
    })
    return off
  }

  emit<Name extends keyof Events>(name: Name, payload: Events[Name]): void {
    const listeners = this.#listeners.get(name) as readonly Listener<Events[Name]>[] | undefined
    if (listeners !== undefined) for (const listener of listeners) callListener(listener, payload, String(name))
    this.#observe?.(name, payload, listeners !== undefined)
  }

  /** How many listen to this name: lets a caller skip making a payload that nobody reads. */
  listenerCount(name: keyof Events): number {
    return this.#listeners.get(name)?.length ?? 0
  }

  #remove(name: keyof Events, own: Listener<never>): void {
    const left = this.#listeners.get(name)?.filter((listener) => listener !== own) ?? []
    if (left.length === 0) this.#listeners.delete(name)
    else this.#listeners.set(name, left)
  }
}
