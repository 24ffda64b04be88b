import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { mustRun } from './run-program.ts'

const INDEX = 'application/vnd.oci.image.index.v1+json'
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json'

interface Descriptor {
  mediaType: string
  digest: string
  size: number
}

/**
 * Writes an archive as BuildKit does with provenance: an index of an image and of the attestation that belongs to it.
 * @returns the digest of the index
 */
export async function writeOciArchive(file: string, label: string): Promise<string> {
  const layout = await mkdtemp(`${file}-`)
  const blobs = join(layout, 'blobs/sha256')
  await mkdir(blobs, { recursive: true })
  const add = async (mediaType: string, content: object): Promise<Descriptor> => {
    const text = JSON.stringify(content)
    const hash = createHash('sha256').update(text).digest('hex')
    await writeFile(join(blobs, hash), text)
    return { mediaType, digest: `sha256:${hash}`, size: Buffer.byteLength(text) }
  }
  const manifestOf = async (config: object, layers: Descriptor[]) =>
    add(MANIFEST, {
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: await add('application/vnd.oci.image.config.v1+json', config),
      layers,
    })
  const rootfs = { type: 'layers', diff_ids: [] }
  const platform = { architecture: 'amd64', os: 'linux' }
  const image = await manifestOf({ ...platform, rootfs, config: { Labels: { label } } }, [])
  const nowhere = { architecture: 'unknown', os: 'unknown' }
  const statement = await add('application/vnd.in-toto+json', { predicate: label })
  const attestation = await manifestOf({ ...nowhere, rootfs }, [statement])
  const index = await add(INDEX, {
    schemaVersion: 2,
    mediaType: INDEX,
    manifests: [
      { ...image, platform },
      { ...attestation, platform: nowhere },
    ],
  })
  await writeFile(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  await writeFile(
    join(layout, 'index.json'),
    JSON.stringify({ schemaVersion: 2, manifests: [index] }),
  )
  await mustRun('tar', ['-C', layout, '-cf', file, '.'])
  await rm(layout, { recursive: true })
  return index.digest
}
