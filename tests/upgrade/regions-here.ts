/** Regions in this process, which is a newer build than the regions that `serveRegion` starts. Tests can access their stores. */
import './newer-build.ts'
import { CognitoIdentityProviderClient } from '@aws-sdk/client-cognito-identity-provider'
import { KMSClient } from '@aws-sdk/client-kms'
import { createRegion, parseConfig, type RegionConfigInput } from '@twinpool/server'
import type { Store } from '@twinpool/server/internal/store/store'
import { credentials } from '@twinpool/testing/regions'

export interface RegionHere {
  readonly name: string
  readonly cognito: CognitoIdentityProviderClient
  readonly kms: KMSClient
  readonly store: Store
  stop(): Promise<void>
}

export async function startHere(config: RegionConfigInput): Promise<RegionHere> {
  const region = await createRegion(parseConfig({ ...config, log: { level: 'silent' } }))
  const { port } = await region.start()
  const settings = {
    region: config.region,
    endpoint: `http://127.0.0.1:${port}`,
    credentials: { ...credentials },
    maxAttempts: 1,
  }
  const cognito = new CognitoIdentityProviderClient(settings)
  const kms = new KMSClient(settings)
  return {
    name: config.region,
    cognito,
    kms,
    store: region.context.store,
    stop: async () => {
      cognito.destroy()
      kms.destroy()
      await region.stop()
    },
  }
}
