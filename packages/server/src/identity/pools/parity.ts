import type { Context } from '../../context.ts'

/** The regions that may have a primary or a replica. https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-multi-region-replication.html */
const ELIGIBLE_REGIONS: ReadonlySet<string> = new Set([
  'us-east-1',
  'us-east-2',
  'us-west-1',
  'us-west-2',
  'ap-south-1',
  'ap-northeast-1',
  'ap-northeast-2',
  'ap-southeast-1',
  'ap-southeast-2',
  'ca-central-1',
  'eu-central-1',
  'eu-west-1',
  'eu-west-2',
  'eu-west-3',
  'eu-north-1',
  'sa-east-1',
])

export interface Parity {
  /** Maximum number of replicas of a pool, without the primary. */
  replicas: number
  /** Whether a region may have a primary or a replica. */
  isEligible(region: string): boolean
}

/** Every difference between `extended` and the documented limits of Cognito (`aws`), one row each. */
// biome-ignore format: a table
const DIFFERENCES: { [D in keyof Parity]: Record<Context['parity'], Parity[D]> } = {
  replicas:   { aws: 1,                                          extended: Infinity },
  isEligible: { aws: (region) => ELIGIBLE_REGIONS.has(region),   extended: () => true },
}

export const parityOf = ({ parity }: Pick<Context, 'parity'>): Parity => ({
  replicas: DIFFERENCES.replicas[parity],
  isEligible: DIFFERENCES.isEligible[parity],
})
