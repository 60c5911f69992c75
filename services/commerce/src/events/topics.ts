import { json, text, topic } from '@sluice/kafka'
import { orderCreated, productCreated } from './events.ts'

/** Key: the customer, so that one customer's orders stay in order. */
export const ordersTopic = topic('orders', { key: text, value: json(orderCreated) })

/** Key: the product. */
export const productsTopic = topic('products', { key: text, value: json(productCreated) })
