/** The optimiser that a config names. */
import type { OptimizerConfig } from '../../config/config.js';
import { adagrad } from './adagrad.js';
import { adam } from './adam.js';
import type { Optimizer } from './optimizer.js';
import { sgd } from './sgd.js';

export function makeOptimizer(config: OptimizerConfig): Optimizer {
  switch (config.kind) {
    case 'adam':
      return adam(config, 0);
    case 'adamw':
      return adam(config, config.weightDecay);
    case 'adagrad':
      return adagrad(config);
    case 'sgd':
      return sgd(config);
  }
}
