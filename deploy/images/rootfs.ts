import { mustRun } from './run-program.ts'

/** What an image says about how it wants to be run. */
export interface ImageConfig {
  User: string
  Env: string[]
  Entrypoint?: string[]
  Cmd: string[]
  WorkingDir: string
  Labels: Record<string, string>
}

export interface Rootfs {
  /** Folder with the image's files. */
  path: string
  config: ImageConfig
  sizeBytes: number
  close(): Promise<void>
}

/** Unpacks an image of buildah's storage; nothing is written to it. */
export async function openRootfs(imageId: string): Promise<Rootfs> {
  const described = JSON.parse(await mustRun('buildah', ['inspect', '--type', 'image', imageId]))
  const container = await mustRun('buildah', ['from', '--pull-never', imageId])
  const path = await mustRun('buildah', ['mount', container])
  const size = await mustRun('du', ['--summarize', '--bytes', path])
  return {
    path,
    config: described.OCIv1.config,
    sizeBytes: Number.parseInt(size, 10),
    close: async () => {
      await mustRun('buildah', ['umount', container])
      await mustRun('buildah', ['rm', container])
    },
  }
}
