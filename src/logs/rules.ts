/** The rules of the canonical tables, as queries for what breaks them, and the words for it: "3 rows of `feedback` with …". */
import {
  canonicalTables,
  eventTypes,
  stageReached,
  tableNames,
  type CanonicalTable,
  type TableName,
} from './tables.js';

export interface CheckSettings {
  /** Whether a candidate may be of an item that `items` does not know. */
  readonly unknownItems: 'error' | 'accept';
}

export interface Rule {
  readonly code: string;
  readonly table: TableName;
  readonly subject: string;
  /** A query for what breaks the rule, with the columns that tell which rows are meant. */
  readonly broken: string;
  /** What the query counts; rows when left out. */
  readonly noun?: string;
  readonly what: string;
  readonly mend: string;
}

export const allRules = (settings: CheckSettings): Rule[] => [
  ...tableNames.flatMap(nullRules),
  ...tableNames.flatMap(keyRules),
  ...labelRules,
  ...timeRules,
  ...candidateRules,
  ...(settings.unknownItems === 'error' ? [unknownItems] : []),
  unknownEventTypes,
];

/** The columns that tell a reader which row is meant. */
const idsOf = (table: TableName) => (table === 'behaviours' ? 'user_id, item_id, event_ts' : keyOf(table));
const keyOf = (table: TableName) => canonicalTables[table].key.join(', ');

// ------------------------------------------------------------------------------------------------------------ nulls and keys

function nullRules(table: TableName): Rule[] {
  const spec: CanonicalTable = canonicalTables[table];
  return Object.entries(spec.columns)
    .filter(([, column]) => !column.nullable)
    .filter(([name]) => name !== 'dt' || table === 'requests') // elsewhere it is the day of the request, or that is unknown
    .map(([name]) => ({
      code: name.endsWith('_id') ? 'data.null_id' : 'data.null_value',
      table,
      subject: name,
      broken: `SELECT ${idsOf(table)} FROM ${table} WHERE "${name}" IS NULL`,
      what: `without ${name}`,
      mend: 'Leave these rows out, or fill them in, in the query that makes the file.',
    }));
}

function keyRules(table: TableName): Rule[] {
  const key = keyOf(table);
  if (key === '') return [];
  const known = canonicalTables[table].key.map((name) => `${name} IS NOT NULL`).join(' AND ');
  return [
    {
      code: 'data.duplicate_key',
      table,
      subject: key,
      broken: `SELECT ${key}, count(*) AS times FROM ${table} WHERE ${known} GROUP BY ${key} HAVING count(*) > 1`,
      noun: 'key',
      what: `(${key}) on more than one row`,
      mend: `Keep one row per key (${table === 'candidates' ? 'the furthest stage' : 'the first'}), for example with QUALIFY row_number() OVER (PARTITION BY ${key} ORDER BY …) = 1.`,
    },
  ];
}

// ------------------------------------------------------------------------------------------------------------ values

const labelRules: Rule[] = (['click', 'long_view', 'like', 'follow', 'share', 'comment', 'buy'] as const).map(
  (label) => ({
    code: 'data.bad_label',
    table: 'feedback',
    subject: label,
    broken: `SELECT request_id, item_id, "${label}" FROM feedback WHERE "${label}" NOT IN (0, 1)`,
    what: `with a ${label} that is neither 0 nor 1`,
    mend: `Write 1 for "it happened within the attribution window" and 0 otherwise; amounts go to \`value\`.`,
  }),
);

const plausible = `BETWEEN TIMESTAMP '1990-01-01' AND TIMESTAMP '2100-01-01'`;

const timeRules: Rule[] = [
  ...(
    [
      ['requests', 'request_ts'],
      ['behaviours', 'event_ts'],
    ] as const
  ).map(([table, column]) => ({
    code: 'data.bad_time',
    table,
    subject: column,
    broken: `SELECT ${table === 'requests' ? 'request_id' : 'user_id, item_id'}, ${column} FROM ${table} WHERE ${column} NOT ${plausible}`,
    what: `with ${column} outside of 1990 to 2100`,
    mend: `Times are in UTC, numbers are milliseconds since 1970: seconds need 1000 * ${column}.`,
  })),
  {
    code: 'data.bad_day',
    table: 'requests',
    subject: 'dt',
    broken: `SELECT request_id, dt FROM requests WHERE NOT regexp_full_match(dt, '\\d{4}-\\d{2}-\\d{2}')`,
    what: 'with a dt that is no day like 2022-05-06',
    mend: 'Write days as YYYY-MM-DD, or leave `dt` out: it then comes from request_ts.',
  },
  {
    code: 'data.bad_validity',
    table: 'items',
    subject: 'valid_to',
    broken: 'SELECT item_id, valid_from, valid_to FROM items WHERE valid_from >= valid_to',
    what: 'with valid_from at or after valid_to: such an item is never there',
    mend: 'valid_to is the first moment at which the item is gone; null = it never is.',
  },
];

const unknownEventTypes: Rule = {
  code: 'data.bad_event_type',
  table: 'behaviours',
  subject: 'event_type',
  broken: `SELECT event_type, count(*) AS times FROM behaviours
           WHERE event_type NOT IN (${Object.values(eventTypes).join(', ')}) GROUP BY event_type`,
  noun: 'event type',
  what: 'that is not known',
  mend: `Types are ${Object.entries(eventTypes)
    .map(([name, type]) => `${type} ${name}`)
    .join(', ')}.`,
};

// --------------------------------------------------------------------------------------------------- how the tables fit together

const candidateRules: Rule[] = [
  ...(['candidates', 'feedback'] as const).map((table) => ({
    code: 'data.unknown_request',
    table,
    subject: 'request_id',
    broken: `SELECT request_id, item_id FROM ${table} AS rows
             WHERE NOT EXISTS (SELECT 1 FROM requests WHERE requests.request_id = rows.request_id)`,
    what: 'without a row in `requests`',
    mend: 'Write both tables from the same days; keep rows only of requests that are logged.',
  })),
  {
    code: 'data.not_exposed',
    table: 'feedback',
    subject: 'item_id',
    broken: `SELECT request_id, item_id FROM feedback AS rows
             WHERE NOT EXISTS (SELECT 1 FROM candidates AS shown
                               WHERE shown.request_id = rows.request_id AND shown.item_id = rows.item_id AND shown.exposed)`,
    what: 'about an item that `candidates` does not know as exposed',
    mend: 'Only what was shown has feedback: add the exposure to `candidates`, or leave the row out.',
  },
  {
    code: 'data.bad_stage',
    table: 'candidates',
    subject: 'stage_reached',
    broken: `SELECT request_id, item_id, stage_reached FROM candidates WHERE stage_reached NOT BETWEEN 0 AND ${stageReached.exposed}`,
    what: `with a stage_reached outside of 0..${stageReached.exposed}`,
    mend: `Stages are ${Object.entries(stageReached)
      .map(([name, stage]) => `${stage} ${name}`)
      .join(', ')}.`,
  },
  {
    code: 'data.stage_mismatch',
    table: 'candidates',
    subject: 'exposed',
    broken: `SELECT request_id, item_id, stage_reached, exposed FROM candidates
             WHERE NOT forced AND exposed <> (stage_reached = ${stageReached.exposed})`,
    what: 'not forced, with exposed and stage_reached at odds',
    mend: `stage_reached ${stageReached.exposed} means exposed; only an item that a rule forced in (forced) is exposed from any stage.`,
  },
  {
    code: 'data.bad_incl_prob',
    table: 'candidates',
    subject: 'incl_prob',
    broken: `SELECT request_id, item_id, incl_prob FROM candidates WHERE NOT (incl_prob > 0 AND incl_prob <= 1)`,
    what: 'with an incl_prob outside of (0, 1]',
    mend: 'It is the probability that log sampling kept this row: 1 where everything is kept.',
  },
];

const unknownItems: Rule = {
  code: 'data.unknown_item',
  table: 'candidates',
  subject: 'item_id',
  broken: `SELECT item_id, count(*) AS candidates FROM candidates AS rows
           WHERE item_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM items WHERE items.item_id = rows.item_id) GROUP BY item_id`,
  noun: 'item',
  what: 'that `items` does not know',
  mend: 'Add them to `items`, or set logs.unknown_items: accept, and their attributes count as unknown.',
};
