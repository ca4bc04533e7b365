export { connectDevPlane, type DevPlane } from './dev-plane.ts'
export { type DrillOptions, runDrill } from './drill/drill.ts'
export { type DrillReport, renderDrillReport } from './drill/report.ts'
export { createServiceCaller, type ServiceCaller } from './service-call.ts'
