/** Contradictions between settings, as faults that name every setting involved and where each was given. */
import type { Fault } from '../fault.js';
import { overlaps, pathText, type Path } from '../path.js';
import type { YamlConfig } from '../schema.js';
import { find, placeOf, placeText, type Written } from '../written.js';
import type { Contradiction } from './contradiction.js';
import { codebookChecks } from './codebook.js';
import { featureChecks } from './features.js';
import { logsChecks } from './logs.js';
import { modelChecks } from './models.js';
import { workerChecks } from './workers.js';

const checks = [...logsChecks, ...featureChecks, ...codebookChecks, ...modelChecks, ...workerChecks];

/** All contradictions, but for those that rest on a value which is at fault itself and was replaced. */
export function contradictions(
  yaml: YamlConfig,
  written: Written,
  replaced: readonly Path[] = [],
): readonly Fault[] {
  const restsOnFault = ({ paths }: Contradiction) =>
    paths.some((path) => replaced.some((other) => overlaps(path, other)));
  return checks
    .flatMap((check) => check(yaml))
    .filter((contradiction) => !restsOnFault(contradiction))
    .map((contradiction) => fault(contradiction, written));
}

function fault({ paths, what, mend }: Contradiction, written: Written): Fault {
  // No place: the value is a default.
  const given = paths.map((path) => ({ path, place: find(written, path)?.place }));
  const first = given.find(({ place }) => place);
  const settings = given.map(
    ({ path, place }) => `${pathText(path)} (${place ? placeText(place) : 'default'})`,
  );
  return {
    code: 'config.contradiction',
    place: first?.place ?? placeOf(written, paths[0]),
    subject: pathText(paths[0]),
    what: paths.length > 1 ? `${what}\nSet at: ${settings.join(', ')}.` : what,
    mend,
  };
}
