/** What the sections of the schema are made of: documented keys, and types that several of them use. */
import * as z from 'zod';

/** A key with its documentation, and an example where it has no default; every key of the schema is made by this. */
export const key = <T extends z.ZodType>(type: T, description: string, example?: unknown): T =>
  type.meta(example === undefined ? { description } : { description, examples: [example] });

/** The kind that a section has when it names none, so that one of its other keys can be set alone. */
export const usualKind = <K extends string>(kind: K) =>
  z
    .literal(kind)
    .optional()
    .default(kind as z.util.NoUndefined<K>);

export const count = z.int().positive();
export const share = z.number().min(0).max(1);
export const weight = z.number().min(0);
export const width = z.int().min(1).max(4096);
export const day = z.iso.date('a day like 2022-05-06');
export const utcOffset = z.string().regex(/^[+-](0\d|1[0-4]):[0-5]\d$/, 'an offset from UTC like +08:00');
export const bytes = z.string().regex(/^\d+(\.\d+)?(MB|GB)$/, 'a size like 512MB or 2GB');
export const hidden = z.array(width);
