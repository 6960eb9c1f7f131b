import type { ScheduleConfig } from '../../config/config.js';

/**
 * Share of the learning rate at a step (from 1) of `total`: a linear rise over the warm-up, then constant, or falling linearly or
 * along a half cosine to `finalShare` at the end.
 */
export function scheduleShare(config: ScheduleConfig, step: number, total: number): number {
  if (step <= config.warmUpSteps) return step / config.warmUpSteps;
  if (config.kind === 'constant') return 1;
  const passed = Math.min(1, (step - config.warmUpSteps) / Math.max(1, total - config.warmUpSteps));
  const fall = config.kind === 'linear' ? passed : (1 - Math.cos(Math.PI * passed)) / 2;
  return 1 - (1 - config.finalShare) * fall;
}
