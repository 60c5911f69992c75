// Apart from the connections, since the package's declarations show it: those of the client library stay out of them.

export interface Address {
  readonly host: string
  readonly port: number
}

/** How to log in: with a user name and a password, or a token. */
export interface SaslOptions {
  /** How it logs in. Kafka: `sasl.mechanism`. */
  readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512' | 'OAUTHBEARER'
  /** For PLAIN and SCRAM. Kafka: `sasl.username` of librdkafka. */
  readonly username?: string
  /** For PLAIN and SCRAM. Kafka: `sasl.password` of librdkafka. */
  readonly password?: string
  /** For OAUTHBEARER: asked for every session, again before it ends; has 80 % of `connectTimeoutMs`, or what is left of it. */
  readonly token?: string | (() => string | Promise<string>)
}
