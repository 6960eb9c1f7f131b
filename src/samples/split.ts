/** Splits by time: train days < validation days < test days, so no request straddles. */
import type { SamplesConfig } from '../config/config.js';
import { splits, type Split } from '../data/shards.js';
import { CascadeError } from '../errors.js';
import type { SplitDays } from './settings.js';

/** First days of validation and test. `days` are the days with usable requests, ascending. */
export function splitDays(days: readonly string[], split: SamplesConfig['split']): SplitDays {
  const borders =
    split.kind === 'dates'
      ? { validationFrom: split.validationFrom, testFrom: split.testFrom }
      : {
          validationFrom: days.at(-split.validation - split.test) ?? days[0] ?? '',
          testFrom: days.at(-split.test) ?? days[0] ?? '',
        };
  const empty = splits.filter((name) => !days.some((day) => splitOf(day, borders) === name));
  if (empty.length > 0) throw emptySplit(empty, `The log has requests on ${inWords(days)}`, split);
  return borders;
}

function splitOf(day: string, { validationFrom, testFrom }: SplitDays): Split {
  if (day < validationFrom) return 'train';
  return day < testFrom ? 'validation' : 'test';
}

/** A split without rows: nothing could be trained, chosen or judged. `found` says what there is, without a full stop. */
export function emptySplit(
  empty: readonly Split[],
  found: string,
  split: SamplesConfig['split'],
): CascadeError {
  const asked =
    split.kind === 'dates'
      ? `validation from ${split.validationFrom}, test from ${split.testFrom}`
      : `the last ${split.validation} for validation and ${split.test} for test`;
  return new CascadeError({
    code: 'data.empty_split',
    where: 'samples.split',
    subject: empty.join(', '),
    what: `No request would be in ${empty.join(' or ')}. ${found}; the config asks for ${asked}.`,
    mend: 'Change `samples.split`, or give a log of more days.',
  });
}

function inWords(days: readonly string[]): string {
  if (days.length === 0) return 'no day';
  const shown = days.length > 10 ? [...days.slice(0, 4), '…', ...days.slice(-4)] : days;
  return `${days.length} ${days.length === 1 ? 'day' : 'days'}: ${shown.join(', ')}`;
}
