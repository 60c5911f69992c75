import { timestampOf, type Product } from '../events/events.ts'
import { CATEGORIES } from './catalogue.ts'
import { Random } from './random.ts'

/** Prices are full hundreds of won. */
const STEP_WON = 100
const MAX_DISCOUNT_PERCENT = 60

/** The n-th product of the seeded range, `p_<n>`: always the same one for the same `createdAtMs`. */
export function sampleProduct(n: number, createdAtMs: number): Product {
  return drawProduct(`p_${n}`, new Random('product', n), createdAtMs)
}

/** A product that did not exist before. 18 random digits: in ten million of them a repeat has odds of 1 to 18,000. */
export function newProduct(random: Random, createdAtMs: number): Product {
  return drawProduct(`p_${random.digits(18)}`, random, createdAtMs)
}

function drawProduct(productId: string, random: Random, createdAtMs: number): Product {
  const category = random.pick(CATEGORIES)
  const brand = random.pick(category.brands)
  const [min, max] = category.price
  const orgPrice = random.integer(min / STEP_WON, max / STEP_WON) * STEP_WON
  const off = random.chance(0.6) ? random.integer(1, MAX_DISCOUNT_PERCENT) : 0
  const price = Math.ceil((orgPrice * (100 - off)) / 100 / STEP_WON) * STEP_WON
  return {
    product_id: productId,
    name: `${brand} ${random.pick(category.goods)}`,
    category: category.name,
    brand,
    price,
    org_price: orgPrice,
    discount_rate: discountRate(price, orgPrice),
    stock: random.integer(0, 1_000),
    created_at: timestampOf(createdAtMs),
  }
}

/** Percent, cut after two decimals: 259,000 of 299,000 is 13.37 %, though 13.378 would round up. */
export function discountRate(price: number, orgPrice: number): number {
  return orgPrice === 0 ? 0 : Math.floor(((orgPrice - price) * 10_000) / orgPrice) / 100
}
