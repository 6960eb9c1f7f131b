/**
 * The commented file of `cascade init`: every key of the schema with its meaning and its default; the keys without a default with
 * what the chosen kind of logs starts from, or with an example; beside each choice the kinds that there are.
 */
import { stringify } from 'yaml';
import { branchFor, kindOf, outline, valueAt, type Outline } from './outline.js';
import { starters, type StarterKind } from './starters.js';
import { choices } from './words.js';

const lineWidth = 110;

export function initText(kind: StarterKind): string {
  const writer = new Writer();
  writer.section(outline, starters[kind], '');
  return [
    `# A full pipeline on logs of kind \`${kind}\`. Run it with: cascade train --config <this file>`,
    '# Every key is here; one that you remove keeps its default. To try a value without editing: --set seed=7',
    '',
    ...writer.lines,
    '',
  ].join('\n');
}

class Writer {
  readonly lines: string[] = [];
  private readonly listed = new Set<string>();

  /** The keys of a section, which is of the kind that the starter names. */
  section(section: Outline, starter: unknown, indent: string): void {
    const keys = Object.entries(branchFor(section, starter).properties ?? {});
    for (const [name, node] of keys) this.key(name, node, valueAt([name], starter), indent);
  }

  private key(name: string, node: Outline, starter: unknown, indent: string): void {
    const value = starter ?? node.default ?? node.const;
    const head = `${indent}${name}:`;
    if (value === undefined && node.examples === undefined) {
      this.leftOut(name, node, indent);
      return;
    }

    if (isSection(node)) {
      if (indent === '') this.lines.push('');
      this.kinds(node, indent);
      this.line(head, node.description, indent);
      this.section(node, value ?? node.examples?.[0], `${indent}  `);
      return;
    }
    if (node.items?.oneOf) {
      this.kinds(node.items, indent);
      const elements = (value ?? node.examples?.[0] ?? []) as readonly unknown[]; // the schema says that it is a list
      this.line(elements.length === 0 ? `${head} []` : head, node.description, indent);
      for (const element of elements) this.lines.push(`${indent}  - ${flow(element)}`);
      return;
    }
    this.line(`${head} ${flow(value ?? node.examples?.[0])}`, meaning(node), indent);
  }

  /** A key that may be missing and has no default stands there as a comment. */
  private leftOut(name: string, node: Outline, indent: string): void {
    this.line(`${indent}# ${name}: ${flow(exampleOf(node))}`, node.description, indent);
  }

  /** The kinds of a choice, each with its own keys; said once for choices that are alike. */
  private kinds({ oneOf }: Outline, indent: string): void {
    const key = JSON.stringify(oneOf);
    if (!oneOf || oneOf.length < 2 || this.listed.has(key)) return;
    this.listed.add(key);
    this.comment('kinds:', indent);
    for (const branch of oneOf) {
      const keys = Object.keys(branch.properties ?? {}).filter((name) => name !== 'kind');
      const list = keys.length > 0 ? ` (${keys.join(', ')})` : '';
      this.comment(`  ${kindOf(branch)}: ${branch.properties?.kind?.description}${list}`, indent);
    }
  }

  /** A line with its comment behind it, or above it when it is long. */
  private line(text: string, comment: string | undefined, indent: string): void {
    if (comment === undefined) this.lines.push(text);
    else if (text.length + comment.length + 4 <= lineWidth) this.lines.push(`${text}  # ${comment}`);
    else {
      this.comment(comment, indent);
      this.lines.push(text);
    }
  }

  private comment(text: string, indent: string): void {
    const hanging = /^ */.exec(text)![0] + (text.startsWith(' ') ? '  ' : '');
    let line = `${indent}#`;
    for (const word of text.trimEnd().split(/(?<=\S) /)) {
      if (line.length + word.length + 1 > lineWidth) {
        this.lines.push(line);
        line = `${indent}#${hanging}`;
      }
      line += ` ${word}`;
    }
    this.lines.push(line);
  }
}

const isSection = (node: Outline) => node.properties !== undefined || node.oneOf !== undefined;

/** What the key means, and the words it can hold. */
function meaning(node: Outline): string | undefined {
  const words = node.const === undefined ? choices(node.items ?? node) : [];
  return words.length > 0 ? `${node.description} (${words.join(', ')})` : node.description;
}

/** An example of a value: its own, or one made of the examples of its required keys. */
function exampleOf(node: Outline): unknown {
  if (node.examples) return node.examples[0];
  if (!node.properties) return '…';
  return Object.fromEntries((node.required ?? []).map((key) => [key, exampleOf(node.properties![key]!)]));
}

const flow = (value: unknown) =>
  stringify(value, { collectionStyle: 'flow', flowCollectionPadding: false, lineWidth: 0 }).trim();
