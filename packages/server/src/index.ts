export { type Clock, systemClock } from './clock.ts'
export { ConfigError, parseConfig, readConfig } from './config/read.ts'
export type { RegionConfig, RegionConfigInput } from './config/schema.ts'
export { createRegion, DRAIN_SECONDS, type Region } from './server.ts'
