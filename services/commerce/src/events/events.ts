import { z } from 'zod'

/** Local time without a zone, to the second, as `2026-02-03T14:30:00`. The service writes UTC. */
const timestamp = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?$/)
const won = z.int().min(0).max(2_147_483_647)
const text = z.string().min(1).max(200)

export const order = z.object({
  order_id: z.uuid(),
  created_at: timestamp,
  user_id: text,
  product_id: text,
  quantity: z.int().min(1).max(1_000_000),
  /** price x quantity + shipping_cost - discount_amount. */
  total_amount: won,
  shipping_cost: won,
  discount_amount: won,
  payment_method: text,
  status: text,
  category: text,
  user_region: text,
  user_gender: text,
  user_age_group: text,
})

export const product = z.object({
  product_id: text,
  name: text,
  category: text,
  brand: text,
  price: won,
  org_price: won,
  /** Percent off `org_price`, cut (not rounded) after two decimals. */
  discount_rate: z.number().min(0).max(100),
  stock: z.int().min(0).max(2_147_483_647),
  created_at: timestamp,
})

export const orderCreated = z.object({ event_type: z.literal('order_created'), data: order })
export const productCreated = z.object({ event_type: z.literal('product_created'), data: product })

export type Order = z.infer<typeof order>
export type Product = z.infer<typeof product>
export type OrderCreated = z.infer<typeof orderCreated>
export type ProductCreated = z.infer<typeof productCreated>

/** A row of `users`, as it is seeded and cached. */
export interface User {
  readonly user_id: string
  readonly name: string
  readonly gender: string
  readonly age_group: string
  readonly region: string
  readonly created_at: string
}

/** `2026-02-03T14:30:00`, in UTC. */
export function timestampOf(wallMs: number): string {
  return new Date(wallMs).toISOString().slice(0, 19)
}
