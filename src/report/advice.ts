/** What to try when a student falls behind its two-tower: settings that it does not have yet, the most promising first. */
import type { Config } from '../config/config.js';
import { lossWeights } from '../config/lossWeights.js';

export function advice({ distill }: Config): string {
  const { student } = distill;
  const tries: readonly (readonly [boolean, string])[] = [
    [student.kind === 'tarq', 'distill.student.kind=prefix'],
    [student.similarityStart === 0, 'distill.student.similarity_start=5'],
    [lossWeights(distill).alignment > 0, 'distill.losses.alignment=0'],
    [!student.recency, 'distill.student.recency=true'],
    [!student.matchCounts, 'distill.student.match_counts=true'],
    [student.rawCosine === 'off', 'distill.student.raw_cosine=recency'],
    [student.kind === 'tangent' && student.codes < 1024, 'distill.student.codes=1024'],
  ];
  const missing = tries.filter(([applies]) => applies).map(([, setting]) => setting);
  return `try ${[...missing.slice(0, 3), 'more distill.epochs'].join(', ')}`;
}
