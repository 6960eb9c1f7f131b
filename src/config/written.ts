/** What the user wrote: the tree of settings as it stands in the file and on the command line, each value with its place. */
import { basename } from 'node:path';
import type { Path } from './path.js';

/** A line of the file, or a flag of the command line. */
export type Place =
  | { readonly kind: 'file'; readonly file: string; readonly line: number; readonly column: number }
  | { readonly kind: 'flag'; readonly flag: '--set' | '--run'; readonly text: string };

/** A value and where it was written: the place of its key, or of the element in a list. */
export interface Written {
  readonly place: Place;
  readonly value: string | number | boolean | null | readonly Written[] | ReadonlyMap<string, Written>;
}

/** The place as problems name it: `pipeline.yaml:14:5`, `--set seed=7`. */
export const placeText = (place: Place) =>
  place.kind === 'file' ? `${place.file}:${place.line}:${place.column}` : `${place.flag} ${place.text}`;

/** The place as the resolved file names it: `pipeline.yaml:14`, `--set`. */
export const originText = (place: Place) =>
  place.kind === 'file' ? `${basename(place.file)}:${place.line}` : place.flag;

export const isList = (value: Written['value']): value is readonly Written[] => Array.isArray(value);
export const isMapping = (value: Written['value']): value is ReadonlyMap<string, Written> =>
  value instanceof Map;

/** The values alone. */
export function plain(written: Written): unknown {
  const { value } = written;
  if (isList(value)) return value.map(plain);
  if (isMapping(value)) return Object.fromEntries([...value].map(([key, child]) => [key, plain(child)]));
  return value;
}

/** The value at a path; undefined when it was not written. */
export function find(written: Written, path: Path): Written | undefined {
  const [step, ...rest] = path;
  if (step === undefined) return written;
  const { value } = written;
  const child = isList(value) ? value[Number(step)] : isMapping(value) ? value.get(String(step)) : undefined;
  return child && find(child, rest);
}

/** The place of a path, or of the innermost section around it that was written. */
export function placeOf(written: Written, path: Path): Place {
  const found = find(written, path);
  return found ? found.place : placeOf(written, path.slice(0, -1));
}

/**
 * The tree with the value at `path` put in place of what was there; sections on the way are made where they are missing. Returns
 * the path and reason instead when the way is barred by a single value or by an element that a list does not have.
 */
export function put(written: Written, path: Path, child: Written, at: Path = []): Written | Barred {
  const [step, ...rest] = path;
  if (step === undefined) return child;
  const { value } = written;
  if (isList(value)) {
    const element = typeof step === 'number' ? value[step] : undefined;
    if (!element) return { barredAt: at, by: 'list', length: value.length };
    const changed = put(element, rest, child, [...at, step]);
    if ('barredAt' in changed) return changed;
    return { ...written, value: value.with(Number(step), changed) };
  }
  if (!isMapping(value) && value !== null) return { barredAt: at, by: 'value' };
  const entries: ReadonlyMap<string, Written> = value ?? new Map<string, Written>();
  if (typeof step === 'number') return { barredAt: at, by: 'mapping' };
  const section = entries.get(step) ?? { place: child.place, value: new Map<string, Written>() };
  const changed = put(section, rest, child, [...at, step]);
  if ('barredAt' in changed) return changed;
  return { ...written, value: new Map([...entries, [step, changed]]) };
}

/** Why an override found no way: at `barredAt` stands a single value, or a list without that element, or no list. */
export interface Barred {
  readonly barredAt: Path;
  readonly by: 'value' | 'list' | 'mapping';
  readonly length?: number;
}
