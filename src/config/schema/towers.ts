/** Settings of `towers`. */
import * as z from 'zod';
import { key, width, hidden } from './parts.js';

export const towers = z.strictObject({
  user_hidden: key(hidden.default([128]), 'hidden widths of the user tower, ReLU inside, linear end'),
  item_hidden: key(hidden.default([128]), 'hidden widths of the item tower'),
  width: key(width.default(64), 'width of the two vectors'),
  scale_start: key(z.number().positive().default(5), 'first value of the scale that multiplies the cosine'),
});
