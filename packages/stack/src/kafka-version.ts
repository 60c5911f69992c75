export const kafkaVersion = '4.3.1'
