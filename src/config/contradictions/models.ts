/** Models, losses and metrics that the other settings leave without what they need. */
import { vectorLossesOf } from '../lossWeights.js';
import { pathText, type Path } from '../path.js';
import type { Check, Contradiction } from './contradiction.js';

/** Each head gets an equal part of the width. */
const headsDivideWidth: Check = ({ teacher, distill }) => {
  const models = [
    ...(teacher.kind === 'attention'
      ? [{ path: ['teacher'], heads: teacher.heads, width: teacher.width }]
      : []),
    ...(distill.student.kind === 'tarq'
      ? [{ path: ['distill', 'student'], heads: distill.student.heads, width: distill.student.width }]
      : []),
  ];
  return models
    .filter(({ heads, width }) => width % heads !== 0)
    .map(({ path, heads, width }): Contradiction => ({
      paths: [
        [...path, 'heads'],
        [...path, 'width'],
      ],
      what: `\`${pathText([...path, 'width'])}\` is ${width}, which ${heads} heads do not divide.`,
      mend: `Use ${divisors(width).join(', ')} heads, or a width that is a multiple of ${heads}.`,
    }));
};

const divisors = (n: number) =>
  Array.from({ length: Math.min(n, 16) }, (_, i) => i + 1).filter((divisor) => n % divisor === 0);

/** Attention, alignment and the cosine rivals look at behaviours. */
const sequenceIsThere: Check = ({ features, distill }) => {
  if (features.sequence.length > 0) return [];
  const needing: Path[] = [
    ['teacher'],
    ['distill', 'student'],
    ...(distill.rivals.length > 0 ? [['distill', 'rivals']] : []),
    ...vectorLossesOf(distill).map((loss) => ['distill', 'losses', loss]),
  ];
  return [
    {
      paths: [['features', 'sequence']],
      what: `\`features.sequence\` is empty, so that models see no behaviours; ${needing.map((path) => `\`${pathText(path)}\``).join(', ')} cannot work without them.`,
      mend: 'Name the item features that describe a behaviour, for example `sequence: [item_id]`.',
    },
  ];
};

/** A score in a log is a number: what the ranker made it of is gone. */
const loggedTeacherHasNoVector: Check = ({ distill }) => {
  const taken = vectorLossesOf(distill);
  if (distill.teacher !== 'logged' || taken.length === 0) return [];
  const names = taken.map((loss) => `\`distill.losses.${loss}\``).join(' and ');
  return [
    {
      paths: [
        ['distill', 'losses', taken[0]!],
        ...taken.slice(1).map((loss) => ['distill', 'losses', loss]),
        ['distill', 'teacher'],
      ],
      what: `${names} compare${taken.length === 1 ? 's' : ''} the student's vector with the teacher's, and \`distill.teacher: logged\` has scores only.`,
      mend: `Set ${names} to 0: \`distill.losses.tutor\` is what teaches by scores. Or let a teacher be trained: \`distill.teacher: frozen\`.`,
    },
  ];
};

/** Which kinds of logs hold no scores of a ranker, whatever is in their files. */
const scoresAreLogged: Check = ({ logs, distill: { teacher, logged_scores: scores } }) => {
  if (teacher !== 'logged' || logs.kind === 'tables') return [];
  if (logs.kind === 'simulate' && scores.column === 'rank_score') return [];
  const simulated = logs.kind === 'simulate';
  return [
    {
      paths: simulated
        ? [
            ['distill', 'logged_scores', 'column'],
            ['logs', 'kind'],
          ]
        : [
            ['distill', 'teacher'],
            ['logs', 'kind'],
          ],
      what: simulated
        ? 'The simulation logs what its ranker gave as `rank_score`, and no `teacher_logit`.'
        : `\`distill.teacher\` is logged, but logs of kind ${logs.kind} hold no scores of a ranker.`,
      mend: simulated
        ? 'Use `distill.logged_scores.column: rank_score`.'
        : 'Let a teacher be trained: `distill.teacher: frozen`.',
    },
  ];
};

/** A student's vector that is drawn to the teacher's must be as wide. */
const studentFitsTeacher: Check = ({ teacher, distill }) => {
  const taken = vectorLossesOf(distill);
  const { student } = distill;
  if (taken.length === 0 || student.width === teacher.width) return [];
  if (distill.teacher === 'logged') return []; // has no vector at all
  return [
    {
      paths: [
        ['distill', 'student', 'width'],
        ['teacher', 'width'],
        ...taken.map((loss) => ['distill', 'losses', loss]),
      ],
      what: `\`distill.student.width\` is ${student.width} and \`teacher.width\` ${teacher.width}: a student of kind ${student.kind} learns the teacher's vector (${taken.map((loss) => `\`distill.losses.${loss}\``).join(' and ')} above 0), which must be as wide as its own.`,
      mend: 'Give both the same width, or set these losses to 0.',
    },
  ];
};

/** Something must move the student's scores. */
const studentHasALoss: Check = ({ distill: { losses } }) => {
  const keys = ['click_a', 'click_b', 'tutor'] as const;
  if (keys.some((key) => losses[key] > 0)) return [];
  return [
    {
      paths: [['distill', 'losses', 'click_a'], ...keys.slice(1).map((key) => ['distill', 'losses', key])],
      what: '`distill.losses.click_a`, `click_b` and `tutor` are all 0: nothing teaches the student to score.',
      mend: 'Give at least one of them a weight above 0; `click_a: 1` is the default.',
    },
  ];
};

/** Recall against the teacher's picks tells nothing when they are the whole list. */
const picksAreFewer: Check = ({ eval: { teacher_top: top }, samples: { b } }) => {
  if (top < b.max_candidates) return [];
  return [
    {
      paths: [
        ['eval', 'teacher_top'],
        ['samples', 'b', 'max_candidates'],
      ],
      what: `\`eval.teacher_top\` is ${top}, but a list of set B holds at most ${b.max_candidates} logged candidates (\`samples.b.max_candidates\`): every candidate would be a pick.`,
      mend: `Lower \`eval.teacher_top\` below ${b.max_candidates}, or raise \`samples.b.max_candidates\`.`,
    },
  ];
};

/** A list that names a thing twice means it once, or something else. */
const listsNameOnce: Check = ({ logs, samples, features, distill, eval: { cutoffs, slices } }) => {
  const lists: readonly { path: Path; values: readonly (string | number)[] }[] = [
    ...(logs.kind === 'taobao' ? [{ path: ['logs', 'files'], values: logs.files }] : []),
    { path: ['samples', 'sequence', 'events'], values: samples.sequence.events },
    { path: ['features', 'sequence'], values: features.sequence },
    { path: ['distill', 'rivals'], values: distill.rivals },
    { path: ['eval', 'cutoffs'], values: cutoffs },
    { path: ['eval', 'slices'], values: slices },
  ];
  return lists.flatMap(({ path, values }): Contradiction[] => {
    const again = values.findIndex((value, i) => values.indexOf(value) !== i);
    if (again === -1) return [];
    return [
      {
        paths: [
          [...path, again],
          [...path, values.indexOf(values[again]!)],
        ],
        what: `\`${pathText(path)}\` names ${values[again]} twice.`,
        mend: 'Name it once.',
      },
    ];
  });
};

export const modelChecks: readonly Check[] = [
  headsDivideWidth,
  sequenceIsThere,
  studentFitsTeacher,
  loggedTeacherHasNoVector,
  scoresAreLogged,
  studentHasALoss,
  picksAreFewer,
  listsNameOnce,
];
