/** The word that was probably meant. */
import { closest, distance } from 'fastest-levenshtein';

/** The nearest of the words, spelled in camelCase or with hyphens or not; undefined when none is near. */
export function nearest(word: string, words: readonly string[]): string | undefined {
  if (words.length === 0) return undefined;
  const snake = word
    .replaceAll('-', '_')
    .replace(/([a-z\d])([A-Z])/g, '$1_$2')
    .toLowerCase();
  const found = closest(snake, words);
  const atMost = snake.length < 4 ? 1 : snake.length < 8 ? 2 : 3; // edits; 2 undo two swapped letters
  return distance(snake, found) <= atMost ? found : undefined;
}
