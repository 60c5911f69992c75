import { timestampOf, type Order, type Product, type User } from '../events/events.ts'
import { PAYMENT_METHODS } from './catalogue.ts'
import type { Random } from './random.ts'

const FREE_SHIPPING_FROM_WON = 50_000
const SHIPPING_WON = 3_000
/** Weighted by repetition: nine of ten orders succeed. */
const STATUSES = [...Array.from({ length: 18 }, () => 'Success'), 'Pending', 'Failed']
const QUANTITIES = [1, 1, 1, 1, 2, 2, 3, 4, 5]

/** One customer buys one product. */
export function newOrder(random: Random, user: User, product: Product, createdAtMs: number): Order {
  const quantity = random.pick(QUANTITIES)
  const goods = product.price * quantity
  const shipping = goods >= FREE_SHIPPING_FROM_WON && random.chance(0.8) ? 0 : SHIPPING_WON
  const discount = random.chance(0.3) ? random.integer(1, 20) * 100 : 0
  return {
    order_id: random.uuid(),
    created_at: timestampOf(createdAtMs),
    user_id: user.user_id,
    product_id: product.product_id,
    quantity,
    total_amount: totalAmount(product.price, quantity, shipping, discount),
    shipping_cost: shipping,
    discount_amount: discount,
    payment_method: random.pick(PAYMENT_METHODS),
    status: random.pick(STATUSES),
    category: product.category,
    user_region: user.region,
    user_gender: user.gender,
    user_age_group: user.age_group,
  }
}

/** Goods and shipping less the discount, in won. */
export function totalAmount(price: number, quantity: number, shipping: number, discount: number): number {
  return price * quantity + shipping - discount
}
