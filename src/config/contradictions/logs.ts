/** What the logs, as configured, can never hold. */
import { pathText } from '../path.js';
import type { YamlConfig } from '../schema.js';
import type { Check, Contradiction } from './contradiction.js';

type Simulated = Extract<YamlConfig['logs'], { kind: 'simulate' }>;

/** Each stage of the funnel passes on at most what it was given. */
const funnelNarrows: Check = ({ logs }) => {
  if (logs.kind !== 'simulate') return [];
  return notAbove(
    logs,
    ['exposed', 'ranked', 'preranked', 'retrieved'],
    'a stage passes on at most what it was given',
  );
};

/** A category spans groups, and a group holds items. */
const groupsNest: Check = ({ logs }) => {
  if (logs.kind !== 'simulate') return [];
  return notAbove(
    logs,
    ['categories', 'groups', 'items'],
    'a category spans one or more groups, a group holds one or more items',
  );
};

/** A request cannot retrieve more than the catalogue holds. */
const catalogueSuffices: Check = ({ logs }) => {
  if (logs.kind !== 'simulate') return [];
  return notAbove(logs, ['retrieved', 'items'], 'no item is retrieved twice in a request');
};

/** Wants a ≤ b for each pair of neighbours. */
function notAbove(
  logs: Simulated,
  keys: readonly ('exposed' | 'ranked' | 'preranked' | 'retrieved' | 'categories' | 'groups' | 'items')[],
  because: string,
): Contradiction[] {
  return keys.slice(1).flatMap((large, i) => {
    const small = keys[i]!;
    if (logs[small] <= logs[large]) return [];
    return {
      paths: [
        ['logs', small],
        ['logs', large],
      ],
      what: `\`logs.${small}\` is ${logs[small]}, more than \`logs.${large}\`, which is ${logs[large]}; ${because}.`,
      mend: `Lower \`logs.${small}\` to ${logs[large]} or less, or raise \`logs.${large}\`.`,
    };
  });
}

/** A level cannot use more codes than there are items. */
const codesHaveItems: Check = ({ logs, codebook }) => {
  if (logs.kind !== 'simulate' || codebook.codes <= logs.items) return [];
  return [
    {
      paths: [
        ['codebook', 'codes'],
        ['logs', 'items'],
      ],
      what: `\`codebook.codes\` is ${codebook.codes}, but the simulated catalogue has only ${logs.items} items; most codes would stay unused.`,
      mend: `Lower \`codebook.codes\` well below ${logs.items}, or raise \`logs.items\`.`,
    },
  ];
};

/** Validation ends where test begins. */
const datesInOrder: Check = ({ samples: { split } }) => {
  if (split.kind !== 'dates' || split.validation_from < split.test_from) return [];
  return [
    {
      paths: [
        ['samples', 'split', 'validation_from'],
        ['samples', 'split', 'test_from'],
      ],
      what: `Validation begins on ${split.validation_from}, not before the test days, which begin on ${split.test_from}.`,
      mend: '`samples.split.validation_from` must be an earlier day than `samples.split.test_from`.',
    },
  ];
};

/** The simulated days leave some for training beside validation and test. */
const daysRemainForTraining: Check = ({ logs, samples: { split } }) => {
  if (logs.kind !== 'simulate') return [];
  if (split.kind === 'days') {
    const held = split.validation + split.test;
    if (held < logs.days) return [];
    return [
      {
        paths: [
          ['samples', 'split', 'test'],
          ['samples', 'split', 'validation'],
          ['logs', 'days'],
        ],
        what: `The simulation has ${logs.days} days; ${split.validation} of validation and ${split.test} of test leave none for training.`,
        mend: `Raise \`logs.days\` above ${held}, or hold out fewer days.`,
      },
    ];
  }
  const first = '2024-01-01';
  const last = new Date(Date.UTC(2024, 0, logs.days)).toISOString().slice(0, 10);
  return (['validation_from', 'test_from'] as const)
    .filter((key) => split[key] <= first || split[key] > last)
    .map((key) => ({
      paths: [
        ['samples', 'split', key],
        ['logs', 'days'],
      ] as const,
      what: `\`${pathText(['samples', 'split', key])}\` is ${split[key]}, but the simulation runs from ${first} to ${last} and its first day is for training.`,
      mend: `Give a day after ${first} and not after ${last}, or use \`split: {kind: days}\`.`,
    }));
};

/** Negatives of one split must not come from the days of another. */
const partsAreSplits: Check = ({ logs, samples: { split } }) => {
  if (logs.kind !== 'taobao' || split.kind !== 'dates') return [];
  const borders = [split.validation_from, split.test_from];
  const parts = logs.negatives.parts_from;
  if (parts.length === borders.length && borders.every((day) => parts.includes(day))) return [];
  return [
    {
      paths: [
        ['logs', 'negatives', 'parts_from'],
        ['samples', 'split', 'validation_from'],
        ['samples', 'split', 'test_from'],
      ],
      what: `Negatives are drawn within parts that begin on ${parts.join(' and ') || 'no day'}, but validation begins on ${borders.join(' and test on ')}: a split would get negatives from the days of another.`,
      mend: `Set \`logs.negatives.parts_from: [${borders.join(', ')}]\`, or change \`samples.split\`.`,
    },
  ];
};

export const logsChecks: readonly Check[] = [
  funnelNarrows,
  groupsNest,
  catalogueSuffices,
  codesHaveItems,
  datesInOrder,
  daysRemainForTraining,
  partsAreSplits,
];
