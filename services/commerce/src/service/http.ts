import fastify from 'fastify'
import type { Metrics } from './metrics.ts'

export interface HttpOptions {
  readonly host: string
  readonly port: number
  readonly metrics: Metrics
  /** Why the service cannot work now; undefined where it can. */
  readonly notReady: () => string | undefined
}

export interface HttpServer extends AsyncDisposable {
  readonly url: string
  close(): Promise<void>
}

/** /healthz: the process answers. /readyz: it can do its work, or 503 and why not. /metrics: Prometheus' text. */
export async function serveHttp({ host, port, metrics, notReady }: HttpOptions): Promise<HttpServer> {
  const app = fastify({ forceCloseConnections: true })
  app.get('/healthz', () => ({ status: 'ok' }))
  app.get('/readyz', (_request, reply) => {
    const reason = notReady()
    if (reason === undefined) return { status: 'ready' }
    return reply.code(503).send({ status: 'not_ready', reason })
  })
  app.get('/metrics', async (_request, reply) => {
    return reply.type(metrics.registry.contentType).send(await metrics.registry.metrics())
  })
  const url = await app.listen({ host, port })
  const close = async (): Promise<void> => {
    await app.close()
  }
  return { url, close, [Symbol.asyncDispose]: close }
}
