import { randomUUID } from 'node:crypto'
import type { InputRequests } from '@modelcontextprotocol/server'
import type { ToolEntry } from '../mcp-session.ts'
import { type ParkedTasks, requireTasks, type Task } from '../mcp-tasks.ts'
import { fixture, said } from './mcp-fixture.ts'
import { elicit } from './mcp-fixture-rounds.ts'

interface Parked {
  task: Task
  asks: InputRequests
}

/** Tasks that wait for their caller. No job of ours does that, so these live only here, behind the same methods. */
export function parkedTasks(): ParkedTasks & { tools: readonly ToolEntry[] } {
  const all = new Map<string, Parked>()

  function park(asks: InputRequests) {
    const now = new Date().toISOString()
    const task: Task = {
      taskId: randomUUID(),
      status: 'input_required',
      createdAt: now,
      lastUpdatedAt: now,
      ttlMs: 600_000,
      pollIntervalMs: 100,
      statusMessage: 'waiting for input',
    }
    all.set(task.taskId, { task, asks })
    return { resultType: 'task' as const, ...task }
  }

  return {
    tools: [
      fixture('confirm_delete', (ctx) => {
        requireTasks(ctx)
        return park({ confirm: elicit('Delete the file?', 'confirm') })
      }),
      fixture('multi_input', (ctx) => {
        requireTasks(ctx)
        return park({ first: elicit('First?', 'name'), second: elicit('Second?', 'name') })
      }),
    ],

    read(taskId) {
      const parked = all.get(taskId)
      if (!parked) return undefined
      const { task, asks } = parked
      return task.status === 'input_required' ? { ...task, inputRequests: asks } : task
    },

    update(taskId, responses) {
      const parked = all.get(taskId)!
      const left = Object.entries(parked.asks).filter(([key]) => !(key in responses))
      parked.asks = Object.fromEntries(left)
      if (left.length > 0) return
      parked.task = { ...parked.task, status: 'completed', result: said('Input received.') }
    },

    cancel(taskId) {
      const parked = all.get(taskId)!
      if (parked.task.status === 'input_required') parked.task.status = 'cancelled'
    },
  }
}
