import { runService } from '@hyperguild/io/process/service.ts'
import { readScript } from '@hyperguild/io/simulated/script.ts'
import { startSimulatedModels } from '@hyperguild/io/simulated/server.ts'

// The models as a process of their own, so that they share no event loop with what is measured.
await runService(async () => startSimulatedModels({ script: await readScript(process.argv[2]!) }))
