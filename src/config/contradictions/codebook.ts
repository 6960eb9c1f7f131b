/** Settings of the codebook that cannot work together, or that leave each other without effect. */
import type { Path } from '../path.js';
import type { YamlConfig } from '../schema.js';
import type { Check, Contradiction } from './contradiction.js';

type Codebook = YamlConfig['codebook'];

const at = (...keys: string[]): Path => ['codebook', ...keys];

/** A balanced step gives each code at least one item. */
const balanceHasItems: Check = ({ codebook: { assignment, codes, items_per_step: items } }) => {
  if (assignment.kind !== 'sinkhorn' || codes <= items) return [];
  return [
    {
      paths: [at('assignment', 'kind'), at('codes'), at('items_per_step')],
      what: `\`codebook.assignment.kind: sinkhorn\` gives every code the same number of items, but a step has ${items} items for ${codes} codes.`,
      mend: `Raise \`codebook.items_per_step\` to ${codes} or, better, several times that, or lower \`codebook.codes\`.`,
    },
  ];
};

/** Moving averages are taken over the items that are nearest to a code. */
const averagesFollowTheNearest: Check = ({ codebook: { assignment, updates } }) => {
  if (assignment.kind !== 'sinkhorn' || updates.kind !== 'ema') return [];
  return [
    {
      paths: [at('updates', 'kind'), at('assignment', 'kind')],
      what: '`codebook.updates.kind: ema` moves codes to the items that are nearest to them, `codebook.assignment.kind: sinkhorn` assigns other ones.',
      mend: 'Use `updates: {kind: gradient}` with sinkhorn, or `assignment: {kind: nearest}` with moving averages.',
    },
  ];
};

/** What acts in RQ-VAE steps needs some. */
const stepsAreThere: Check = ({ codebook }) => {
  if (codebook.steps > 0) return [];
  return onlyInSteps(codebook).map((path): Contradiction => ({
    paths: [path, at('steps')],
    what: `\`${path.join('.')}\` acts in RQ-VAE steps only, and \`codebook.steps\` is 0.`,
    mend: 'Raise `codebook.steps` (400 is the default), or leave the setting out.',
  }));
};

const onlyInSteps = ({ assignment, quantizer_dropout: dropout }: Codebook): Path[] => [
  ...(assignment.kind === 'sinkhorn' ? [at('assignment', 'kind')] : []),
  ...(dropout > 0 ? [at('quantizer_dropout')] : []),
];

/** Dropped levels leave some. */
const levelsCanBeDropped: Check = ({ codebook: { quantizer_dropout: dropout, levels } }) => {
  if (dropout === 0 || levels > 1) return [];
  return [
    {
      paths: [at('quantizer_dropout'), at('levels')],
      what: `\`codebook.quantizer_dropout\` is ${dropout}, but there is one level only: nothing can be dropped.`,
      mend: 'Raise `codebook.levels`, or leave `codebook.quantizer_dropout` at 0.',
    },
  ];
};

/** Each part of a product has coordinates. */
const partsHaveCoordinates: Check = ({ codebook: { structure, levels, latent_width: width } }) => {
  if (structure === 'residual' || levels <= width) return [];
  return [
    {
      paths: [at('levels'), at('latent_width'), at('structure')],
      what: `\`codebook.structure: product\` gives each of ${levels} levels its own part of the latent, which has ${width} coordinates only.`,
      mend: `Lower \`codebook.levels\` to ${width} or less, or raise \`codebook.latent_width\`.`,
    },
  ];
};

/** The first parts of a product say nothing about the others. */
const prefixesMeanSomething: Check = ({ codebook: { structure, quantizer_dropout: dropout } }) => {
  if (structure === 'residual' || dropout === 0) return [];
  return [
    {
      paths: [at('quantizer_dropout'), at('structure')],
      what: `\`codebook.quantizer_dropout\` is ${dropout}: it makes the first levels stand for the whole item, but the levels of a product are parts of it.`,
      mend: 'Use `structure: residual`, or leave `codebook.quantizer_dropout` at 0.',
    },
  ];
};

export const codebookChecks: readonly Check[] = [
  balanceHasItems,
  averagesFollowTheNearest,
  stepsAreThere,
  levelsCanBeDropped,
  partsHaveCoordinates,
  prefixesMeanSomething,
];
