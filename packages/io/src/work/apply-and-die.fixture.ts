import { readFileSync } from 'node:fs'
import { applyPatch } from './apply-patch.ts'

// Run by apply-patch.test.ts in a process of its own: applies a patch and dies at the given stage.
const [root, patchPath, jobId, journalDir, deadlyStage, time] = process.argv.slice(2)
let left = Number(time)
await applyPatch({
  root: root!,
  patch: JSON.parse(readFileSync(patchPath!, 'utf8')),
  jobId: jobId!,
  journalDir: journalDir!,
  onStage: (stage) => {
    if (stage === deadlyStage && --left === 0) process.kill(process.pid, 'SIGKILL')
  },
})
