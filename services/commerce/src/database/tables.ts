import type { Order, Product, User } from '../events/events.ts'
import { setInsert } from './insert.ts'

export const insertUsers = setInsert<User>('users', [
  ['user_id', 'text'],
  ['name', 'text'],
  ['gender', 'text'],
  ['age_group', 'text'],
  ['region', 'text'],
  ['created_at', 'timestamp'],
])

export const insertProducts = setInsert<Product>('products', [
  ['product_id', 'text'],
  ['name', 'text'],
  ['category', 'text'],
  ['brand', 'text'],
  ['price', 'integer'],
  ['org_price', 'integer'],
  ['discount_rate', 'numeric'],
  ['stock', 'integer'],
  ['created_at', 'timestamp'],
])

export const insertOrders = setInsert<Order>('orders', [
  ['order_id', 'uuid'],
  ['created_at', 'timestamp'],
  ['user_id', 'text'],
  ['product_id', 'text'],
  ['quantity', 'integer'],
  ['total_amount', 'integer'],
  ['shipping_cost', 'integer'],
  ['discount_amount', 'integer'],
  ['payment_method', 'text'],
  ['status', 'text'],
  ['category', 'text'],
  ['user_region', 'text'],
  ['user_gender', 'text'],
  ['user_age_group', 'text'],
])
