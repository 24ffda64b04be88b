import type { Environment } from '@hyperguild/io/config/environment.ts'
import { examine } from './doctor/examine.ts'
import { renderReport } from './doctor/render.ts'
import { print } from './terminal.ts'

export interface DoctorOptions {
  json?: boolean
  /** Call every model, cold and cloud ones too. */
  all?: boolean
  /** False: call no model at all. */
  calls?: boolean
}

/** Prints what is there, what is missing and what to do about it. Returns the exit code: 0 fine, 1 problems. */
export async function doctor(environment: Environment, options: DoctorOptions): Promise<number> {
  const { json = false, all = false, calls = true } = options
  const call = !calls ? 'nobody' : all ? 'everybody' : 'warm_local'
  const report = await examine(environment, { call })
  print(json ? JSON.stringify(report, null, 2) : renderReport(report))
  return report.ok ? 0 : 1
}
