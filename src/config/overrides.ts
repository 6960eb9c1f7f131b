/**
 * `--set path.to.key=value`: puts a value, itself read as YAML, in place of what the file says. It replaces that value only: the
 * keys beside it stay, also when the value is the `kind` of their section.
 */
import type { Fault } from './fault.js';
import { parsePath, pathText } from './path.js';
import { readYaml } from './read.js';
import { put, type Place, type Written } from './written.js';

/** The tree with all overrides put in, in order; those that name no place are problems. */
export function override(written: Written, sets: readonly string[]): { written: Written; faults: Fault[] } {
  const faults: Fault[] = [];
  for (const text of sets) {
    const changed = overrideOne(written, text);
    if (Array.isArray(changed)) faults.push(...changed);
    else written = changed;
  }
  return { written, faults };
}

function overrideOne(written: Written, text: string): Written | Fault[] {
  const place: Place = { kind: 'flag', flag: '--set', text };
  const bad = (what: string, mend: string): Fault[] => [{ code: 'config.bad_override', place, what, mend }];
  const equals = text.indexOf('=');
  const path = equals > 0 ? parsePath(text.slice(0, equals).trim()) : null;
  if (!path) {
    return bad(
      'An override is a path, `=` and a value.',
      'For example: --set seed=7, --set training.optimizer.learning_rate=0.01, --set features.user[0].min_count=5.',
    );
  }
  const { root, faults } = readYaml(text.slice(equals + 1), () => place);
  if (faults.length > 0) {
    return bad(
      `The value is not valid YAML: ${faults.map(({ what }) => what.replace(/^This is not valid YAML: /, '')).join(' ')}`,
      `Put it in quotes: --set '${text.slice(0, equals)}="…"'.`,
    );
  }
  const changed = put(written, path, root ?? { place, value: null });
  if (!('barredAt' in changed)) return changed;
  const at = pathText(changed.barredAt);
  switch (changed.by) {
    case 'value':
      return bad(
        `\`${at}\` is a single value and has no keys below it.`,
        `Set it as a whole: --set ${at}=….`,
      );
    case 'mapping':
      return bad(
        at === '' ? 'A path begins with a key, not with a number.' : `\`${at}\` is not a list in the file.`,
        `Name a key, or give a whole list: --set '${at || 'key'}=[…]'.`,
      );
    case 'list':
      return bad(
        `\`${at}\` is a list of ${changed.length ?? 0} in the file: its elements are ${elements(at, changed.length ?? 0)}.`,
        `Change one of these, or give the whole list: --set '${at}=[…]'.`,
      );
  }
}

const elements = (at: string, length: number) =>
  length === 0 ? 'none' : length === 1 ? `${at}[0]` : `${at}[0] to ${at}[${length - 1}]`;
