/**
 * A simulated platform with a whole funnel and a known truth, for quickstart, tests and controls (sample-construction.md 9.5;
 * tarq.md part 3). Users click candidates of hidden groups that they clicked lately (clickModel.ts); a cascade that sees this more
 * or less well decides what they are shown (funnel.ts); clicks become behaviours, and so decide later clicks.
 *
 * With `target_dependence: 0` the same world has no target-dependent interest: the control, where target attention must gain nothing.
 */
import type { Batch } from '../../data/columns.js';
import { RandomStream } from '../../engine/random.js';
import { stageReached } from '../tables.js';
import { ClickMemory, clickModel, sigmoid } from './clickModel.js';
import { Funnel } from './funnel.js';
import { itemTable, LogPart, userTable, type SimulatedTable } from './record.js';
import { clicksWithinMs, Traffic } from './traffic.js';
import { makeWorld, type SimulationConfig } from './world.js';

/** Some rows of one of the tables; each table's rows come in the order of time. */
export interface SimulatedBatch {
  /** Days that were over before; -1 before the first one. */
  readonly day: number;
  readonly table: SimulatedTable;
  readonly batch: Batch;
}

/** The logs of the whole simulation, part by part: memory holds one part, and for a user a few hundred bytes. */
export function* simulate(config: SimulationConfig, seed: number): Generator<SimulatedBatch> {
  const world = makeWorld(config, seed);
  const traffic = new Traffic(world, config, seed);
  const memory = new ClickMemory(world.users);
  const funnel = new Funnel(world, config, seed);
  const pages = RandomStream.of(seed, 'simulate/scenes');
  const coin = RandomStream.of(seed, 'simulate/clicks');
  const logSampling = RandomStream.of(seed, 'simulate/log');
  const clickEveryMs = Math.floor(clicksWithinMs / (config.exposed + 2));

  yield { day: -1, table: 'items', batch: itemTable(world) };
  yield { day: -1, table: 'users', batch: userTable(world) };
  const log = new LogPart(world, config);
  let requests = 0;
  for (let day = -1; day < config.days; day++) {
    const actions = day < 0 ? traffic.history() : traffic.day(day);
    for (let i = 0; i < actions.count; i++) {
      if (log.isFull) yield* taken(log, day);
      const user = actions.user[i]!;
      const atMs = actions.atMs[i]!;
      if (actions.item[i]! >= 0) {
        log.clickElsewhere(user, actions.item[i]!, atMs);
        memory.add(user, actions.item[i]!);
        continue;
      }
      const requestId = ++requests;
      const scene = pages.below(clickModel.scenes.length);
      funnel.run(scene, user, atMs, memory);
      log.request(requestId, scene, user, atMs, funnel);
      for (let slot = 0; slot < funnel.list.count; slot++) {
        log.truthOf(requestId, slot, funnel);
        const isCut = funnel.list.stage[slot] === stageReached.retrieved;
        if (!isCut || logSampling.uniform() < config.candidateLogShare)
          log.candidate(requestId, slot, funnel);
      }
      funnel.shown.forEach((slot, place) => {
        const item = funnel.list.item[slot]!;
        const probability = sigmoid(funnel.list.logit[slot]! - clickModel.positionCost * place);
        const clickMs = coin.uniform() < probability ? atMs + (place + 1) * clickEveryMs : null;
        log.exposure(requestId, user, item, atMs, clickMs);
        if (clickMs !== null) memory.add(user, item);
      });
    }
    yield* taken(log, day);
  }
}

function* taken(log: LogPart, day: number): Generator<SimulatedBatch> {
  for (const [table, batch] of Object.entries(log.take(day))) {
    if (batch.rows > 0) yield { day, table: table as SimulatedTable, batch }; // the keys of `take` are tables
  }
}
