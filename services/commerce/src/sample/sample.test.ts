import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { order, product } from '../events/events.ts'
import { newOrder, totalAmount } from './orders.ts'
import { discountRate, newProduct, sampleProduct } from './products.ts'
import { Random } from './random.ts'
import { sampleUser } from './users.ts'

const NOW_MS = Date.UTC(2026, 1, 3, 14, 30, 0, 999)

describe('generated data', () => {
  it('subtracts the discount from the total', () => {
    expect(totalAmount(259_000, 2, 3_000, 500)).toBe(520_500)
  })

  it('cuts the discount rate after two decimals', () => {
    expect(discountRate(259_000, 299_000)).toBe(13.37)
    expect(discountRate(299_000, 299_000)).toBe(0)
    expect(discountRate(0, 0)).toBe(0)
  })

  it('gives the same customer and product for the same number', () => {
    expect(sampleUser(7, NOW_MS)).toEqual(sampleUser(7, NOW_MS))
    expect(sampleProduct(7, NOW_MS)).toEqual(sampleProduct(7, NOW_MS))
    expect(sampleUser(7, NOW_MS).user_id).toBe('u_7')
    expect(sampleProduct(7, NOW_MS).product_id).toBe('p_7')
  })

  it('gives the same orders for the same seed, and others for another', () => {
    const draw = (seed: number) => {
      const random = new Random('orders', seed)
      return Array.from({ length: 20 }, () => newOrder(random, sampleUser(1, 0), sampleProduct(1, 0), NOW_MS))
    }
    expect(draw(1)).toEqual(draw(1))
    expect(draw(1)[0]?.order_id).not.toBe(draw(2)[0]?.order_id)
  })

  it('always fits the message formats, with a total that adds up', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0 }), fc.integer({ min: 1, max: 20_000 }), (seed, n) => {
        const random = new Random(seed)
        const item = newProduct(random, NOW_MS)
        expect(product.parse(item)).toEqual(item)
        expect(item.price).toBeLessThanOrEqual(item.org_price)
        const made = newOrder(random, sampleUser(n, NOW_MS), item, NOW_MS)
        expect(order.parse(made)).toEqual(made)
        expect(made.created_at).toBe('2026-02-03T14:30:00')
        const goods = item.price * made.quantity
        expect(made.total_amount).toBe(goods + made.shipping_cost - made.discount_amount)
      }),
    )
  })

  it('writes no id twice', () => {
    const random = new Random('ids')
    expect(new Set(Array.from({ length: 10_000 }, () => random.uuid())).size).toBe(10_000)
    expect(new Set(Array.from({ length: 10_000 }, () => random.digits(18))).size).toBe(10_000)
  })
})
