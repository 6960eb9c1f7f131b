/**
 * A fault that zod found → a problem that a person can mend: what is wrong and where, what is expected, what it means, and the
 * nearest valid word. The facts come from zod's issue, the schema's outline and the place of the value; the words are made here.
 */
import { stringify } from 'yaml';
import type * as z from 'zod';
import { internal } from '../errors.js';
import type { Fault } from './fault.js';
import { nearest } from './nearest.js';
import {
  branchFor,
  keyOf,
  kindOf,
  outline,
  outlineAt,
  sectionsWith,
  valueAt,
  type Outline,
} from './outline.js';
import { pathText, type Path } from './path.js';
import { choices, expectation, inline, spelled } from './words.js';
import { find, placeOf, placeText, type Written } from './written.js';

/** The faults behind one issue; an issue about unknown keys holds several. */
export function explain(issue: z.core.$ZodIssue, written: Written, value: unknown): Fault[] {
  const path = issue.path as Path; // the tree has no symbols as keys
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownKey(path, key, written, value));
    case 'invalid_type':
      if (valueAt(path, value) === undefined) return [missingKey(path, written, value)];
      return [badValue('config.wrong_type', issue, written, value)];
    case 'invalid_union':
      if (issue.discriminator !== undefined) return [unknownKind(path, written, value)];
      return [badValue('config.bad_choice', issue, written, value)];
    case 'invalid_value':
      return [badValue('config.bad_choice', issue, written, value)];
    case 'too_small':
    case 'too_big':
      return [badValue('config.out_of_range', issue, written, value)];
    case 'invalid_format':
      return [badValue('config.bad_format', issue, written, value)];
    case 'not_multiple_of':
    case 'invalid_key':
    case 'invalid_element':
    case 'custom':
      return internal(`no words for a fault of kind ${issue.code}: the schema has no such check`);
  }
}

// --------------------------------------------------------------------------------------------------------- unknown keys

function unknownKey(path: Path, key: string, written: Written, value: unknown): Fault {
  const section = outlineAt(path, value) ?? outline;
  const branch = branchFor(section, valueAt(path, value));
  const kind = section.oneOf ? ` of kind \`${kindOf(branch) ?? ''}\`` : '';
  const at = path.length === 0 ? 'at the top level' : `in \`${pathText(path)}\`${kind}`;
  return {
    code: 'config.unknown_key',
    place: placeOf(written, [...path, key]),
    subject: pathText([...path, key]),
    what: `There is no setting \`${key}\` ${at}.`,
    mend: mendUnknownKey(path, key, section, branch, written),
  };
}

function mendUnknownKey(
  path: Path,
  key: string,
  section: Outline,
  branch: Outline,
  written: Written,
): string {
  const keys = Object.keys(branch.properties ?? {});
  const meant = nearest(key, keys);
  if (meant) return `Did you mean \`${meant}\`?`;

  const kinds = (section.oneOf ?? []).filter((other) => keyOf(other, key)).map((other) => kindOf(other)!);
  const kindPlace = find(written, [...path, 'kind'])?.place;
  if (kinds.length > 0 && kindPlace?.kind === 'flag') {
    return `It belongs to kind \`${kinds.join('`, `')}\`. \`${placeText(kindPlace)}\` replaces the kind only: take the keys of the old kind out of the file, or replace the section: --set '${pathText(path)}={kind: ${kindOf(branch) ?? ''}, …}'.`;
  }
  if (kinds.length > 0) return `It belongs to kind \`${kinds.join('`, `')}\`.`;

  const homes = sectionsWith(key);
  if (homes.length > 0 && homes.length <= 4) {
    return `It is a setting of ${homes.map((home) => (home === '' ? 'the top level' : `\`${home}\``)).join(', ')}.`;
  }
  return `The settings there are: ${keys.join(', ')}.`;
}

// --------------------------------------------------------------------------------------------------------- missing keys

function missingKey(path: Path, written: Written, value: unknown): Fault {
  const node = outlineAt(path, value);
  const meaning = node?.description ? `: ${node.description}` : '';
  const example = node?.examples?.[0];
  const section = path.slice(0, -1);
  const home = section.length === 0 ? 'at the top level' : `in \`${pathText(section)}\``;
  return {
    code: 'config.missing_key',
    place: placeOf(written, section),
    subject: pathText(path),
    what: `\`${pathText(path)}\` is missing${meaning}.`,
    mend: `Write it ${home}, for example:\n${indented(stringify({ [String(path.at(-1))]: example }))}`,
  };
}

const indented = (yaml: string) =>
  yaml
    .trimEnd()
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n');

// --------------------------------------------------------------------------------------------------------------- kinds

function unknownKind(path: Path, written: Written, value: unknown): Fault {
  const section = path.slice(0, -1);
  const branches = outlineAt(section, value)?.oneOf ?? [];
  const kinds = branches.map((branch) => String(kindOf(branch)));
  const given = valueAt(path, value);
  const place = placeOf(written, path);
  const list = branches
    .map((branch) => `\`${kindOf(branch)}\` (${branch.properties?.kind?.description})`)
    .join(', ');
  if (given === undefined) {
    return {
      code: 'config.missing_key',
      place,
      subject: pathText(path),
      what: `\`${pathText(path)}\` is missing: \`${pathText(section)}\` must say its kind.`,
      mend: `The kinds are ${list}.`,
    };
  }
  const meant = typeof given === 'string' ? nearest(given, kinds) : undefined;
  return {
    code: 'config.unknown_kind',
    place,
    subject: pathText(path),
    what: `\`${pathText(section)}\` has no kind ${inline(given)}; the kinds are ${list}.`,
    mend: meant ? `Did you mean \`${meant}\`?` : 'Write one of these.',
  };
}

// --------------------------------------------------------------------------------------------------------------- values

function badValue(code: string, issue: z.core.$ZodIssue, written: Written, value: unknown): Fault {
  const path = issue.path as Path; // the tree has no symbols as keys
  const given = valueAt(path, value);
  const node = outlineAt(path, value);
  const expected = issue.code === 'invalid_format' ? issue.message : node ? expectation(node) : issue.message;
  const what =
    given === null
      ? `\`${pathText(path)}\` has no value; it must be ${expected}.`
      : `\`${pathText(path)}\` must be ${expected}; it is ${spelled(given)}.`;
  return {
    code,
    place: placeOf(written, path),
    subject: pathText(path),
    what,
    mend: mendValue(path, value, given),
  };
}

function mendValue(path: Path, value: unknown, given: unknown): string {
  const node = outlineAt(path, value);
  const words = node ? choices(node).map(String) : [];
  const meant = typeof given === 'string' ? nearest(given, words) : undefined;
  if (meant) return `Did you mean \`${meant}\`?`;
  if ((node?.type === 'number' || node?.type === 'integer') && typeof given === 'string' && given !== '') {
    const number = Number(given.replaceAll('_', ''));
    if (Number.isFinite(number)) return `Write ${number}, without quotes or underscores.`;
  }
  if (node?.type === 'boolean' && typeof given === 'string' && /^(yes|no|on|off|y|n)$/i.test(given)) {
    return `Write ${/^(yes|on|y)$/i.test(given)}: YAML 1.2 reads ${given} as text.`;
  }
  if (node?.type === 'array' && (typeof given === 'string' || typeof given === 'number')) {
    return `Write a list: [${given}].`;
  }
  return meaning(path, value, given);
}

/** What the key is for and what holds without it; of an element, what its list is for. */
function meaning(path: Path, value: unknown, given: unknown): string {
  if (typeof path.at(-1) === 'number') return meaning(path.slice(0, -1), value, given);
  const node = outlineAt(path, value);
  if (!node?.description) return 'See `cascade schema` for what is valid here.';
  const isSection = node.type === 'object' || node.oneOf !== undefined;
  const usual = node.default === undefined || isSection ? '' : ` (default ${inline(node.default)})`;
  const remove = given === null && node.default !== undefined ? ' Without the line the default holds.' : '';
  return `It means: ${node.description}${usual}.${remove}`;
}
