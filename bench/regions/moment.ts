/** Milliseconds on a clock that all processes of the machine share (CLOCK_MONOTONIC, where Node has it). */
export const moment = (): number => Number(process.hrtime.bigint()) / 1_000_000
