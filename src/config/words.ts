/** Values and expectations as a sentence speaks of them. */
import type { Outline } from './outline.js';

/** What a value must be: `a whole number from 1 to 4096`. */
export function expectation(node: Outline): string {
  const words = choices(node);
  if (words.length > 0) return `one of ${words.join(', ')}`;
  switch (node.type) {
    case 'integer':
      return `a whole number${range(node)}`;
    case 'number':
      return `a number${range(node)}`;
    case 'string':
      return 'text';
    case 'boolean':
      return 'true or false';
    case 'array':
      return `a list${length(node)}`;
    case 'object':
    case undefined: // a choice among kinds
      break;
  }
  return 'a section of `key: value` lines';
}

/** The values that a closed choice admits; none for everything else. */
export const choices = (node: Outline): readonly (string | number)[] =>
  node.enum ?? (node.const === undefined ? (node.anyOf ?? []).flatMap(choices) : [node.const]);

function range({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: Outline): string {
  if (minimum !== undefined && maximum !== undefined) return ` from ${minimum} to ${maximum}`;
  const bounds: string[] = [];
  if (minimum !== undefined) bounds.push(`of at least ${minimum}`);
  if (exclusiveMinimum !== undefined) bounds.push(`above ${exclusiveMinimum}`);
  if (maximum !== undefined) bounds.push(`of at most ${maximum}`);
  if (exclusiveMaximum !== undefined) bounds.push(`below ${exclusiveMaximum}`);
  return bounds.length > 0 ? ` ${bounds.join(' and ')}` : '';
}

function length({ minItems, maxItems }: Outline): string {
  if (minItems !== undefined && maxItems !== undefined) return ` with ${minItems} to ${maxItems} elements`;
  if (minItems !== undefined) return ` with at least ${minItems} element${minItems === 1 ? '' : 's'}`;
  return '';
}

/** A value that is not as expected: `the text "x"`, `3`, `a list with 2 elements`. */
export function spelled(value: unknown): string {
  if (typeof value === 'string') return `the text ${JSON.stringify(shortened(value))}`;
  if (Array.isArray(value))
    return value.length === 1 ? 'a list with 1 element' : `a list with ${value.length} elements`;
  if (value !== null && typeof value === 'object') return 'a section of `key: value` lines';
  return String(value);
}

const shortened = (text: string) => (text.length > 60 ? `${text.slice(0, 57)}...` : text);

/** A value as one would write it on one line of YAML. */
export function inline(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(inline).join(', ')}]`;
  return typeof value === 'string' ? value : JSON.stringify(value);
}
