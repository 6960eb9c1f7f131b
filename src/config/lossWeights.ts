/** Loss weights of the student: what the config gives, and its own default for a loss that fits one kind of student better than others. */
import type { Config } from './config.js';

/** The losses that draw the student to the teacher's vector. */
const vectorLosses = ['alignment', 'reconstruction'] as const;
type VectorLoss = (typeof vectorLosses)[number];

/** The same words in YAML and in the code. */
interface StudentAndLosses {
  readonly student: { readonly kind: string };
  readonly losses: { readonly alignment?: number | undefined; readonly reconstruction: number };
}

export type LossWeights = Omit<Config['distill']['losses'], VectorLoss> &
  Readonly<Record<VectorLoss, number>>;

export function lossWeights(distill: Config['distill']): LossWeights {
  return { ...distill.losses, ...vectorLossWeights(distill) };
}

/** The alignment was made for TARQ. */
function vectorLossWeights({ student, losses }: StudentAndLosses): Record<VectorLoss, number> {
  const { alignment = student.kind === 'tarq' ? 0.01 : 0, reconstruction } = losses;
  return { alignment, reconstruction };
}

/** Which of them the student is trained by. */
export function vectorLossesOf(distill: StudentAndLosses): VectorLoss[] {
  const weights = vectorLossWeights(distill);
  return vectorLosses.filter((loss) => weights[loss] > 0);
}
