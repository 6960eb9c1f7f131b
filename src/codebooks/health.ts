/**
 * Health of a codebook over the whole corpus, per level (tarq.md 2.7). Usage and perplexity have a ceiling when there are few items;
 * the ceiling is reported beside them, since a share alone says nothing (tarq.md 1.9).
 *
 *   p_k = share of items with code k          usage = #{p_k > 0} / K          perplexity = exp(-Σ p ln p), 1..K
 *   ceiling of usage with N items = 1 - (1 - 1/K)^N under even use, min(1, N/K) at most
 *   gini = Σ_i (2i - K - 1) c_(i) / (K Σ c), c ascending: 0 = even, near 1 = collapsed
 *   relative error_l = mean |r^l|^2 / mean |r^0 - mean|^2
 *   collisions = (items - distinct tuples) / items
 */
interface LevelUsage {
  readonly level: number; // from 1
  readonly usage: number;
  readonly usageCeiling: number;
  readonly perplexity: number;
  readonly perplexityCeiling: number;
  readonly gini: number;
}

interface LevelHealth extends LevelUsage {
  /** Share of items beyond the first of each tuple of codes up to this level. */
  readonly collisions: number;
  readonly relativeError: number;
}

export interface CodebookHealth {
  readonly items: number;
  readonly codes: number;
  readonly levels: readonly LevelHealth[];
  readonly collisions: number;
  readonly largestGroup: number;
}

/**
 * codes: [item, level]; squaredErrors: per level the mean squared length of what is left after it; variance: mean squared distance of
 * the latents from their mean.
 */
export function codebookHealth(
  codes: Int32Array,
  levels: number,
  codesPerLevel: number,
  squaredErrors: readonly number[],
  variance: number,
): CodebookHealth {
  const items = codes.length / levels;
  const groups = Array.from({ length: levels }, (_, level) => tupleCounts(codes, levels, level + 1));
  return {
    items,
    codes: codesPerLevel,
    levels: codeUsage(codes, levels, codesPerLevel).map((usage, level) => ({
      ...usage,
      collisions: (items - groups[level]!.size) / items,
      relativeError: squaredErrors[level]! / variance,
    })),
    collisions: (items - groups.at(-1)!.size) / items,
    largestGroup: Array.from(groups.at(-1)!.values()).reduce((most, count) => Math.max(most, count), 0),
  };
}

/** How evenly each level's codes are used, from the codes alone: [item, level]. */
export function codeUsage(codes: Int32Array, levels: number, codesPerLevel: number): LevelUsage[] {
  const items = codes.length / levels;
  return Array.from({ length: levels }, (_, level) => {
    const counts = new Int32Array(codesPerLevel);
    for (let i = 0; i < items; i++) counts[codes[i * levels + level]!]!++;
    return { level: level + 1, ...useOf(counts, items) };
  });
}

/** How many items have each tuple of codes, looking at the first `depth` levels. */
function tupleCounts(codes: Int32Array, levels: number, depth: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (let at = 0; at < codes.length; at += levels) {
    const tuple = codes.subarray(at, at + depth).join();
    counts.set(tuple, (counts.get(tuple) ?? 0) + 1);
  }
  return counts;
}

function useOf(counts: Int32Array, items: number): Omit<LevelUsage, 'level'> {
  const codes = counts.length;
  const used = counts.filter((count) => count > 0).length;
  const entropy = counts.reduce(
    (sum, count) => (count === 0 ? sum : sum - (count / items) * Math.log(count / items)),
    0,
  );
  const ascending = counts.toSorted();
  const gini =
    ascending.reduce((sum, count, i) => sum + (2 * (i + 1) - codes - 1) * count, 0) / (codes * items);
  return {
    usage: used / codes,
    usageCeiling: 1 - (1 - 1 / codes) ** items,
    perplexity: Math.exp(entropy),
    perplexityCeiling: Math.min(codes, items),
    gini,
  };
}

export interface GateLimits {
  readonly minUsage: number;
  readonly minPerplexityShare: number;
  readonly maxRelativeError: number;
}

/** Why a codebook must not be trained on, one sentence per failing measure; none when it is healthy. */
export function codebookFaults({ levels }: CodebookHealth, limits: GateLimits): string[] {
  const faults: string[] = [];
  for (const { level, usage, usageCeiling, perplexity, perplexityCeiling } of levels) {
    if (usage < limits.minUsage * usageCeiling) {
      faults.push(
        `Level ${level} uses ${percent(usage)} of its codes (at most ${percent(usageCeiling)} could be); the gate asks for ${percent(limits.minUsage * usageCeiling)}.`,
      );
    }
    if (perplexity < limits.minPerplexityShare * perplexityCeiling) {
      faults.push(
        `Level ${level} has perplexity ${perplexity.toFixed(1)}; the gate asks for ${(limits.minPerplexityShare * perplexityCeiling).toFixed(1)}.`,
      );
    }
  }
  const last = levels.at(-1);
  if (last && !(last.relativeError <= limits.maxRelativeError)) {
    faults.push(
      `After level ${last.level} the relative error is ${last.relativeError.toFixed(2)}; the gate allows ${limits.maxRelativeError}.`,
    );
  }
  return faults;
}

const percent = (share: number) => `${(100 * share).toFixed(0)} %`;
