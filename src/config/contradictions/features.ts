/** Features that cannot be what their place says they are. */
import { nearest } from '../nearest.js';
import { pathText, type Path } from '../path.js';
import type { YamlConfig } from '../schema.js';
import type { Check, Contradiction } from './contradiction.js';

type Features = YamlConfig['features'];
type Feature = Features['user'][number];
type Side = 'user' | 'item' | 'context';

const sides: readonly Side[] = ['user', 'item', 'context'];

const all = (features: Features) =>
  sides.flatMap((side) =>
    features[side].map((feature, i) => ({ side, feature, path: ['features', side, i] as const })),
  );

const columnsOf = (feature: Feature): readonly string[] =>
  feature.kind === 'cross' ? feature.columns : [feature.column];

const columnPath = (path: Path, feature: Feature, i: number): Path =>
  feature.kind === 'cross' ? [...path, 'columns', i] : [...path, 'column'];

/** A feature's name is its name in weights, vocabularies and reports. */
const namesAreUnique: Check = ({ features }) => {
  const first = new Map<string, Path>();
  return all(features).flatMap(({ feature, path }): Contradiction[] => {
    const earlier = first.get(feature.name);
    if (!earlier) {
      first.set(feature.name, path);
      return [];
    }
    return [
      {
        paths: [
          [...path, 'name'],
          [...earlier, 'name'],
        ],
        what: `Two features are called \`${feature.name}\`: \`${pathText(earlier)}\` and \`${pathText(path)}\`.`,
        mend: 'Give each feature a name of its own.',
      },
    ];
  });
};

const homes: Readonly<Record<Side, { pattern: RegExp; words: string }>> = {
  user: {
    pattern: /^(users\.|requests\.user_)/,
    words: '`users.*`, or `requests.user_*` as frozen at the request',
  },
  item: { pattern: /^items\./, words: '`items.*`' },
  context: { pattern: /^requests\./, words: '`requests.*`' },
};

/** Each side of the model is fed from its own tables. */
const columnsAreAtHome: Check = ({ features }) =>
  all(features).flatMap(({ side, feature, path }) =>
    columnsOf(feature).flatMap((column, i): Contradiction[] => {
      if (homes[side].pattern.test(column)) return [];
      const fitting = sides.filter((other) => homes[other].pattern.test(column));
      return [
        {
          paths: [columnPath(path, feature, i)],
          what: `\`${column}\` cannot feed a feature of \`features.${side}\`, which reads ${homes[side].words}.`,
          mend: `Move the feature to ${fitting.map((other) => `\`features.${other}\``).join(' or ')}, or read another column.`,
        },
      ];
    }),
  );

/** A cross is computed where its columns stand together. */
const crossesStayInOneTable: Check = ({ features }) =>
  all(features).flatMap(({ feature, path }): Contradiction[] => {
    if (feature.kind !== 'cross') return [];
    const tables = [...new Set(feature.columns.map((column) => column.split('.')[0]!))];
    if (tables.length === 1) return [];
    return [
      {
        paths: [[...path, 'columns']],
        what: `The cross \`${pathText(path)}\` combines columns of different tables: ${feature.columns.join(', ')}.`,
        mend: `Use columns of one table only (${tables.join(' or ')}).`,
      },
    ];
  });

const boundariesAscend: Check = ({ features }) =>
  all(features).flatMap(({ feature, path }): Contradiction[] => {
    if (feature.kind !== 'bucketised') return [];
    const at = feature.boundaries.findIndex((value, i) => i > 0 && value <= feature.boundaries[i - 1]!);
    if (at === -1) return [];
    return [
      {
        paths: [[...path, 'boundaries']],
        what: `The boundaries of \`${pathText(path)}\` do not ascend: ${feature.boundaries[at]} comes after ${feature.boundaries[at - 1]}.`,
        mend: `Write them in order, each once: [${[...new Set(feature.boundaries)].toSorted((a, b) => a - b).join(', ')}].`,
      },
    ];
  });

/** A behaviour is described by item features that have embedding rows. */
const sequenceNamesItemFeatures: Check = ({ features }) => {
  const items = new Map(features.item.map((feature, i) => [feature.name, { feature, i }]));
  const embedded = features.item.filter(({ kind }) => kind !== 'numeric').map(({ name }) => name);
  const list = embedded.length > 0 ? embedded.join(', ') : 'none yet';
  return features.sequence.flatMap((name, i): Contradiction[] => {
    const path: Path = ['features', 'sequence', i];
    const item = items.get(name);
    if (!item) {
      const meant = nearest(name, embedded);
      return [
        {
          paths: [path, ['features', 'item']],
          what: `\`features.sequence\` names \`${name}\`, which is no item feature.`,
          mend: meant
            ? `Did you mean \`${meant}\`?`
            : `Name item features; those with embeddings are: ${list}.`,
        },
      ];
    }
    if (item.feature.kind !== 'numeric') return [];
    return [
      {
        paths: [path, ['features', 'item', item.i, 'kind']],
        what: `\`features.sequence\` names \`${name}\`, which is numeric and has no embedding to describe a behaviour with.`,
        mend: `Name others (${list}), or make it \`kind: bucketised\`.`,
      },
    ];
  });
};

export const featureChecks: readonly Check[] = [
  namesAreUnique,
  columnsAreAtHome,
  crossesStayInOneTable,
  boundariesAscend,
  sequenceNamesItemFeatures,
];
