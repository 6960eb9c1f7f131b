/** Settings that several workers cannot share. */
import { vectorLossesOf } from '../lossWeights.js';
import type { Check } from './contradiction.js';

/** The requests that alignment looks at are shared like all others. */
const workersShareAlignment: Check = ({ training: { workers }, distill }) => {
  const { alignment_requests: requests } = distill.losses;
  if (!vectorLossesOf(distill).includes('alignment') || requests % workers === 0) return [];
  return [
    {
      paths: [
        ['distill', 'losses', 'alignment_requests'],
        ['training', 'workers'],
      ],
      what: `\`distill.losses.alignment_requests\` is ${requests}, which ${workers} workers (\`training.workers\`) cannot share evenly.`,
      mend: `Use a multiple of ${workers}, for example ${Math.ceil(requests / workers) * workers}.`,
    },
  ];
};

/** Each worker has the whole table, and there is one file. */
const workersKeepTablesInMemory: Check = ({ training: { workers, embeddings } }) => {
  if (workers === 1 || embeddings.kind === 'memory') return [];
  return [
    {
      paths: [
        ['training', 'embeddings', 'kind'],
        ['training', 'workers'],
      ],
      what: `\`training.embeddings.kind\` is file, and ${workers} workers (\`training.workers\`) cannot share a file.`,
      mend: 'Train with one worker, or keep the tables in memory.',
    },
  ];
};

/** Workers add up gradients after every step. */
const workersMeetAfterSteps: Check = ({ training: { workers, steps_per_run } }) => {
  if (workers === 1 || steps_per_run <= 1) return [];
  return [
    {
      paths: [
        ['training', 'steps_per_run'],
        ['training', 'workers'],
      ],
      what: `\`training.steps_per_run\` is ${steps_per_run}, and ${workers} workers (\`training.workers\`) meet after every step.`,
      mend: 'Leave `training.steps_per_run` out, or train with one worker.',
    },
  ];
};

export const workerChecks: readonly Check[] = [
  workersShareAlignment,
  workersKeepTablesInMemory,
  workersMeetAfterSteps,
];
