/** What is wrong with a setting, and where it was written. */
import type { Problem } from '../errors.js';
import { placeText, type Place } from './written.js';

export interface Fault extends Omit<Problem, 'where'> {
  readonly place: Place;
}

/** The faults as problems, top to bottom through the file, then along the command line. */
export const problemsOf = (faults: readonly Fault[]): Problem[] =>
  faults
    .toSorted((a, b) => comparePlaces(a.place, b.place))
    .map(({ code, place, ...rest }) => ({ code, where: placeText(place), ...rest }));

function comparePlaces(a: Place, b: Place): number {
  if (a.kind === 'file' && b.kind === 'file') return a.line - b.line || a.column - b.column;
  return Number(a.kind === 'flag') - Number(b.kind === 'flag');
}
