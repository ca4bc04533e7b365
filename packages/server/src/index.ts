export { type Clock, systemClock } from './clock.ts'
export { ConfigError, parseConfig, type RegionConfig, type RegionConfigInput, readConfig } from './config.ts'
export { createRegion, DRAIN_SECONDS, type Region } from './server.ts'
