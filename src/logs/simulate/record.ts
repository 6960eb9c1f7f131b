/** The logs of the simulation, some actions at a time, and the item and user tables, as batches of columns. */
import { columnsOf, type Batch, type Schema } from '../../data/columns.js';
import { dayMs, dayOf } from '../days.js';
import { eventTypes, stageReached } from '../tables.js';
import { sigmoid } from './clickModel.js';
import type { Funnel } from './funnel.js';
import { Rows } from './rows.js';
import { clicksWithinMs } from './traffic.js';
import type { SimulationConfig, World } from './world.js';

/** What the simulation fills in; the rest of the canonical columns is null or has its usual value. */
export const simulatedSchemas = {
  requests: {
    dt: 'VARCHAR',
    request_id: 'BIGINT',
    request_ts: 'TIMESTAMP_MS',
    user_id: 'BIGINT',
    scene: 'INTEGER',
    n_retrieved: 'INTEGER',
    n_preranked: 'INTEGER',
    n_ranked: 'INTEGER',
    n_exposed: 'INTEGER',
    retrieval_version: 'VARCHAR',
    prerank_version: 'VARCHAR',
    rank_version: 'VARCHAR',
    exploration: 'BOOLEAN',
    ctx_hour: 'INTEGER',
  },
  candidates: {
    dt: 'VARCHAR',
    request_id: 'BIGINT',
    item_id: 'BIGINT',
    stage_reached: 'TINYINT',
    retrieval_channels: 'SMALLINT[]',
    retrieval_score: 'FLOAT',
    retrieval_rank: 'INTEGER',
    prerank_score: 'FLOAT',
    prerank_rank: 'INTEGER',
    rank_score: 'FLOAT',
    rank_rank: 'INTEGER',
    exposed: 'BOOLEAN',
    expose_pos: 'SMALLINT',
    forced: 'BOOLEAN',
    incl_prob: 'FLOAT',
  },
  feedback: {
    dt: 'VARCHAR',
    request_id: 'BIGINT',
    item_id: 'BIGINT',
    click: 'TINYINT',
    first_event_ts: 'TIMESTAMP_MS',
    label_ready_ts: 'TIMESTAMP_MS',
  },
  behaviours: {
    user_id: 'BIGINT',
    item_id: 'BIGINT',
    event_ts: 'TIMESTAMP_MS',
    event_type: 'SMALLINT',
    request_id: 'BIGINT',
  },
  truth: {
    request_id: 'BIGINT',
    item_id: 'BIGINT',
    click_probability: 'DOUBLE',
    same_group_count: 'DOUBLE',
    group_id: 'INTEGER',
  },
  items: {
    item_id: 'BIGINT',
    publish_ts: 'TIMESTAMP_MS',
    valid_from: 'TIMESTAMP_MS',
    valid_to: 'TIMESTAMP_MS',
    category_id: 'BIGINT',
    author_id: 'BIGINT',
    tags: 'INTEGER[]',
    editor_score: 'DOUBLE',
  },
  users: { user_id: 'BIGINT', segment: 'INTEGER' },
} as const satisfies Record<string, Schema>;

export type SimulatedTable = keyof typeof simulatedSchemas;

/** Ids as the tables show them: from 1. */
const idOf = (index: number) => index + 1;

/** Clicks count for a label within this time after the request; none of ours comes later. */
const attributionMs = clicksWithinMs;

/** Rows of the longest table in one part of the log: what memory holds, however many users a day has. */
const rowsPerPart = 2 ** 14;

export class LogPart {
  private readonly requests: Rows<typeof simulatedSchemas.requests>;
  private readonly candidates: Rows<typeof simulatedSchemas.candidates>;
  private readonly feedback: Rows<typeof simulatedSchemas.feedback>;
  private readonly behaviours: Rows<typeof simulatedSchemas.behaviours>;
  private readonly truth: Rows<typeof simulatedSchemas.truth>;

  private readonly mostActions: number;
  private actions = 0;

  constructor(
    private readonly world: World,
    private readonly config: SimulationConfig,
  ) {
    const considered = config.retrieved + 1;
    const shown = config.exposed + 1;
    this.mostActions = Math.max(1, Math.floor(rowsPerPart / considered));
    this.requests = new Rows(simulatedSchemas.requests, this.mostActions);
    this.candidates = new Rows(simulatedSchemas.candidates, this.mostActions * considered);
    this.feedback = new Rows(simulatedSchemas.feedback, this.mostActions * shown);
    this.behaviours = new Rows(simulatedSchemas.behaviours, this.mostActions * 2 * shown);
    this.truth = new Rows(simulatedSchemas.truth, this.mostActions * considered);
  }

  /** No further request or click has room. */
  get isFull(): boolean {
    return this.actions === this.mostActions;
  }

  request(requestId: number, scene: number, user: number, atMs: number, funnel: Funnel): void {
    const { columns } = this.requests;
    const row = this.requests.count++;
    this.actions++;
    columns.request_id[row] = requestId;
    columns.request_ts[row] = atMs;
    columns.user_id[row] = idOf(user);
    columns.scene[row] = scene;
    columns.n_retrieved[row] = funnel.retrieved;
    columns.n_preranked[row] = Math.min(this.config.preranked, funnel.retrieved);
    columns.n_ranked[row] = Math.min(this.config.ranked, funnel.retrieved);
    columns.n_exposed[row] = funnel.shown.length;
    columns.exploration[row] = funnel.isExploring ? 1 : 0;
    columns.ctx_hour[row] = Math.floor(((atMs - this.world.startMs) % dayMs) / 3_600_000);
  }

  candidate(requestId: number, slot: number, funnel: Funnel): void {
    const { list } = funnel;
    const { columns } = this.candidates;
    const row = this.candidates.count++;
    const isCut = list.stage[slot] === stageReached.retrieved;
    columns.request_id[row] = requestId;
    columns.item_id[row] = idOf(list.item[slot]!);
    columns.stage_reached[row] = list.stage[slot]!;
    columns.retrieval_channels[row] = list.channels[slot]!;
    if (list.retrievalRank[slot]! > 0) {
      columns.retrieval_rank[row] = list.retrievalRank[slot]!;
      columns.retrieval_score[row] = 1 / list.retrievalRank[slot]!;
    }
    if (list.prerankRank[slot]! > 0) {
      columns.prerank_rank[row] = list.prerankRank[slot]!;
      columns.prerank_score[row] = list.prerankScore[slot]!;
    }
    if (list.rankRank[slot]! > 0) {
      columns.rank_rank[row] = list.rankRank[slot]!;
      columns.rank_score[row] = list.rankScore[slot]!;
    }
    columns.exposed[row] = list.position[slot]! > 0 ? 1 : 0;
    if (list.position[slot]! > 0) columns.expose_pos[row] = list.position[slot]!;
    columns.forced[row] = list.isForced[slot]!;
    columns.incl_prob[row] = isCut ? this.config.candidateLogShare : 1;
  }

  truthOf(requestId: number, slot: number, funnel: Funnel): void {
    const { columns } = this.truth;
    const row = this.truth.count++;
    const item = funnel.list.item[slot]!;
    const group = this.world.group[item]!;
    columns.request_id[row] = requestId;
    columns.item_id[row] = idOf(item);
    columns.click_probability[row] = sigmoid(funnel.list.logit[slot]!);
    columns.same_group_count[row] = funnel.groupCount[group]!;
    columns.group_id[row] = group;
  }

  /** An exposure and what came of it; `clickMs` is null when nothing did. */
  exposure(requestId: number, user: number, item: number, atMs: number, clickMs: number | null): void {
    const { columns } = this.feedback;
    const row = this.feedback.count++;
    columns.request_id[row] = requestId;
    columns.item_id[row] = idOf(item);
    columns.click[row] = clickMs === null ? 0 : 1;
    if (clickMs !== null) columns.first_event_ts[row] = clickMs;
    columns.label_ready_ts[row] = atMs + attributionMs;
    this.behaviour(user, item, atMs, eventTypes.exposure, requestId);
    if (clickMs !== null) this.behaviour(user, item, clickMs, eventTypes.click, requestId);
  }

  clickElsewhere(user: number, item: number, atMs: number): void {
    this.actions++;
    this.behaviour(user, item, atMs, eventTypes.click, NaN);
  }

  /** What was logged of a day, by table; the part is empty afterwards. */
  take(
    day: number,
  ): Readonly<Record<'requests' | 'candidates' | 'feedback' | 'behaviours' | 'truth', Batch>> {
    this.actions = 0;
    const dt = dayOf(this.world.startMs + day * dayMs, this.config.timeZone);
    const versions = {
      retrieval_version: 'simulated',
      prerank_version: 'simulated',
      rank_version: 'simulated',
    };
    return {
      requests: this.requests.take({ dt, ...versions }),
      candidates: this.candidates.take({ dt }),
      feedback: this.feedback.take({ dt }),
      behaviours: this.behaviours.take({}),
      truth: this.truth.take({}),
    };
  }

  private behaviour(user: number, item: number, atMs: number, eventType: number, requestId: number) {
    const { columns } = this.behaviours;
    const row = this.behaviours.count++;
    columns.user_id[row] = idOf(user);
    columns.item_id[row] = idOf(item);
    columns.event_ts[row] = atMs;
    columns.event_type[row] = eventType;
    columns.request_id[row] = requestId;
  }
}

export function itemTable(world: World): Batch {
  const rows = Array.from({ length: world.items }, (_, item) => ({
    item_id: idOf(item),
    publish_ts: world.publishMs[item]!,
    valid_from: world.publishMs[item]!,
    valid_to: Number.isFinite(world.delistMs[item]!) ? world.delistMs[item]! : null,
    category_id: idOf(world.category[item]!),
    author_id: idOf(world.author[item]!),
    tags: world.tags[item]!,
    editor_score: world.editorScore[item]!,
  }));
  return columnsOf(simulatedSchemas.items, rows);
}

export function userTable(world: World): Batch {
  const rows = Array.from(world.segment, (segment, user) => ({ user_id: idOf(user), segment }));
  return columnsOf(simulatedSchemas.users, rows);
}
