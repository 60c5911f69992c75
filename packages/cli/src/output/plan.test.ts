import { describe, expect, it, vi } from 'vitest'
import { captureTerminal } from '../testing/capture-terminal.ts'
import { planned } from './plan.ts'

const plan = { summary: 'delete 1 topic', titles: ['TOPIC'], rows: [['orders']], json: { topics: ['orders'] } }

describe('a dangerous command', () => {
  it('shows its plan and does nothing until it is told to execute it', async () => {
    const { terminal, out } = captureTerminal()
    const carryOut = vi.fn(async () => {})
    await planned(terminal, plan, {}, carryOut)
    expect(carryOut).not.toHaveBeenCalled()
    expect(out()).toMatch(/^Plan: delete 1 topic\n\nTOPIC\norders\n\nNothing was changed. Add --execute/)
    await planned(terminal, plan, { execute: true }, carryOut)
    expect(carryOut).toHaveBeenCalledOnce()
    expect(out()).toMatch(/done\n$/)
  })

  it('tells a program whether it was done, in one object', async () => {
    const { terminal, out } = captureTerminal()
    await planned(terminal, plan, { json: true }, async () => {})
    expect(JSON.parse(out())).toEqual({ plan: { topics: ['orders'] }, executed: false })
  })

  it('does not say that it is done where it failed', async () => {
    const { terminal, out } = captureTerminal()
    const failing = planned(terminal, plan, { execute: true }, () => Promise.reject(new Error('no')))
    await expect(failing).rejects.toThrow('no')
    expect(out()).not.toContain('done')
  })
})
