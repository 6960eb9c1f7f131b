/**
 * The schema as data: which keys there are, what each means, its default and range. It is the JSON Schema that zod derives, in the
 * form for input (keys with a default may be left out), so that editors, messages and `cascade init` tell the same story.
 */
import * as z from 'zod';
import type { Path } from './path.js';
import { configSchema } from './schema.js';

/** The parts of JSON Schema that our schema makes use of. */
export interface Outline {
  readonly type?: 'object' | 'array' | 'string' | 'number' | 'integer' | 'boolean';
  readonly description?: string;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Outline>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Outline;
  readonly items?: Outline;
  /** Kinds: sections that a key `kind` tells apart. */
  readonly oneOf?: readonly Outline[];
  /** Values of different types. */
  readonly anyOf?: readonly Outline[];
  readonly enum?: readonly (string | number)[];
  readonly const?: string | number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
}

/** The JSON Schema of a pipeline file, for editors. */
export function jsonSchema(): Outline {
  const schema = z.toJSONSchema(configSchema, {
    io: 'input',
    override({ jsonSchema: node }) {
      // Whole numbers get the safe range of JavaScript as bounds, which tells a reader nothing.
      if (node.minimum === Number.MIN_SAFE_INTEGER) delete node.minimum;
      if (node.maximum === Number.MAX_SAFE_INTEGER) delete node.maximum;
      if (node.type === 'integer' && typeof node.exclusiveMinimum === 'number') {
        node.minimum = node.exclusiveMinimum + 1; // the same, as people say it
        delete node.exclusiveMinimum;
      }
    },
  });
  const { $schema, ...rest } = schema;
  // The cast narrows JSON Schema to the parts that zod writes for our schema; outline.test.ts walks all of it.
  return { $schema, title: 'cascade pipeline', ...rest } as Outline;
}

export const outline: Outline = jsonSchema();

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

export const kindOf = (branch: Outline) => branch.properties?.kind?.const;

/** The section as it applies to a value: of the kind that the value names, or of the usual kind when it names none. */
export function branchFor(section: Outline, value: unknown): Outline {
  if (!section.oneOf) return section;
  const kind = isRecord(value) ? value.kind : undefined;
  const found =
    kind === undefined
      ? section.oneOf.find((branch) => !branch.required?.includes('kind'))
      : section.oneOf.find((branch) => kindOf(branch) === kind);
  return found ?? section;
}

/** What the schema says about one key of a section. */
export const keyOf = ({ properties }: Outline, name: string): Outline | undefined =>
  properties && Object.hasOwn(properties, name) ? properties[name] : undefined;

/** What the schema says about a path, given the value that decides about kinds; undefined where it knows no such key. */
export function outlineAt(path: Path, value: unknown, section: Outline = outline): Outline | undefined {
  const [step, ...rest] = path;
  if (step === undefined) return section;
  if (typeof step === 'number') {
    return section.items && outlineAt(rest, Array.isArray(value) ? value[step] : undefined, section.items);
  }
  const branch = branchFor(section, value);
  const child =
    keyOf(branch, step) ?? (isOutline(branch.additionalProperties) ? branch.additionalProperties : undefined);
  return child && outlineAt(rest, isRecord(value) ? value[step] : undefined, child);
}

const isOutline = (value: boolean | Outline | undefined): value is Outline => typeof value === 'object';

/** The value at a path of a plain tree. */
export function valueAt(path: Path, value: unknown): unknown {
  return path.reduce<unknown>((section, step) => {
    if (Array.isArray(section)) return section[Number(step)] as unknown;
    return isRecord(section) && Object.hasOwn(section, step) ? section[step] : undefined;
  }, value);
}

/** Every section that has a key of this name, as text: `training.optimizer`, `features.user[]`. */
export function sectionsWith(name: string, section: Outline = outline, at = ''): string[] {
  const found = new Set<string>();
  for (const branch of section.oneOf ?? [section]) {
    for (const [key, child] of Object.entries(branch.properties ?? {})) {
      if (key === name) found.add(at);
      for (const inner of sectionsWith(name, child, at ? `${at}.${key}` : key)) found.add(inner);
    }
  }
  if (section.items) for (const inner of sectionsWith(name, section.items, `${at}[]`)) found.add(inner);
  return [...found];
}
