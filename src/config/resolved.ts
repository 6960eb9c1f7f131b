/**
 * The resolved config as YAML: every value that holds, with its origin as a comment. It is a config like any other: loaded again it
 * gives the same settings, wherever it lies, since its paths are absolute.
 */
import { Document, isCollection, isMap, isScalar, isSeq, type Node } from 'yaml';
import type { LoadedConfig } from './load.js';
import type { Path } from './path.js';

export function resolvedText(loaded: LoadedConfig): string {
  const document = new Document(loaded.yaml);
  for (const { node, path } of leaves(document.contents)) {
    node.comment = ` ${loaded.originOf(path)}`;
    if (isCollection(node)) node.flow = true;
  }
  document.commentBefore =
    ' Every setting of a run and where it came from. This file can itself be given to --config.';
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}

/** Number of values by origin, the lines of a file taken together: {"default": 80, "pipeline.yaml": 23}. */
export function countByOrigin(loaded: LoadedConfig): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { path } of leaves(new Document(loaded.yaml).contents)) {
    const origin = loaded.originOf(path).replace(/:\d+/g, '');
    counts[origin] = (counts[origin] ?? 0) + 1;
  }
  return counts;
}

/** What has one origin: single values, lists of single values, empty sections. */
function* leaves(node: unknown, path: Path = []): Generator<{ node: Node; path: Path }> {
  if (isMap<{ value: string }>(node) && node.items.length > 0) {
    for (const { key, value } of node.items) yield* leaves(value, [...path, key.value]);
  } else if (isSeq(node) && !node.items.every(isScalar)) {
    for (const [i, item] of node.items.entries()) yield* leaves(item, [...path, i]);
  } else if (isCollection(node) || isScalar(node)) yield { node, path };
}
