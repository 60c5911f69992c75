/** The Kafka that the stack runs. */
export const kafkaVersion = '4.3.1'
