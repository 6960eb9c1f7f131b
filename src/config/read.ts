/**
 * YAML text → the tree of what was written, each value with its line and column. Every fault of the text is reported, not only the
 * first. Aliases and merge keys (`<<`) are followed; a value that came through one keeps the place where it really stands.
 */
import { isUtf8 } from 'node:buffer';
import { readdirSync, readFileSync } from 'node:fs';
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import type { Alias, Document, Node, Pair, YAMLMap } from 'yaml';
import { CascadeError, type Problem } from '../errors.js';
import type { Fault } from './fault.js';
import { isList, isMapping, placeText, type Place, type Written } from './written.js';

/** Deeper or larger trees are not settings but aliases of aliases. */
const maxDepth = 32;
const maxValues = 20_000;

/** What a text says, or why it cannot be read. `root` is there when only duplicates were found: the rest can still be checked. */
export interface Reading {
  readonly root: Written | null;
  readonly faults: readonly Fault[];
}

/** The settings of a file. Throws when there is no file to read. */
export function readSettingsFile(file: string): Reading {
  const text = decode(file, readBytes(file));
  const reading = readYaml(text, ({ line, column }) => ({ kind: 'file', file, line, column }));
  if (!reading.root && reading.faults.length > 0) return reading;
  if (!reading.root || reading.root.value === null) {
    throw new CascadeError({
      code: 'config.empty',
      where: file,
      what: 'This file holds no settings: it is empty or all comments.',
      mend: `Write a full, commented file with \`cascade init ${file} --force\`.`,
    });
  }
  if (!isMapping(reading.root.value)) {
    throw new CascadeError({
      code: 'config.not_a_mapping',
      where: placeText(reading.root.place),
      what: `A pipeline is a mapping of \`key: value\` lines; this file holds ${isList(reading.root.value) ? 'a list' : 'a single value'}.`,
      mend: 'See `cascade init` for a full, commented file.',
    });
  }
  return reading;
}

/** The value that a piece of YAML spells. `placeAt` says where a line and column of this text stand. */
export function readYaml(
  text: string,
  placeAt: (position: { line: number; column: number }) => Place,
): Reading {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false });
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return placeAt({ line, column: col });
  };
  const invalid = [...document.errors, ...document.warnings];
  if (invalid.length > 0) {
    return { root: null, faults: invalid.map((error) => syntaxFault(at(error.pos[0]), error)) };
  }
  const reader = new Reader(document, at);
  const root = document.contents && reader.read(document.contents, at(document.contents.range[0]));
  const isLegible = !reader.faults.some(({ code }) => code === 'config.yaml_syntax');
  return { root: isLegible ? root : null, faults: reader.faults };
}

class Reader {
  readonly faults: Fault[] = [];
  private values = 0;

  constructor(
    private readonly document: Document.Parsed,
    private readonly at: (offset: number) => Place,
  ) {}

  read(node: Node | null, place: Place, depth = 0): Written {
    if (++this.values > maxValues || depth > maxDepth) {
      throw new CascadeError({
        code: 'config.too_large',
        where: placeText(place),
        what: `The settings are nested deeper than ${maxDepth} levels or hold more than ${maxValues} values; aliases that contain each other do that.`,
        mend: 'Write the values out instead of the aliases.',
      });
    }
    if (isAlias(node)) return { ...this.read(this.target(node), place, depth + 1), place };
    if (isMap(node)) return { place, value: this.readMap(node, depth) };
    if (isSeq(node)) {
      // Elements are nodes: parsed text holds nothing else.
      const items = node.items as (Node | null)[];
      return { place, value: items.map((item) => this.read(item, this.placeOf(item) ?? place, depth + 1)) };
    }
    return { place, value: isScalar(node) ? scalar(node.value) : null };
  }

  private readMap(map: YAMLMap, depth: number): ReadonlyMap<string, Written> {
    const merged = new Map<string, Written>();
    const own = new Map<string, Written>();
    // Keys and values are nodes: parsed text holds nothing else.
    for (const { key, value } of map.items as Pair<Node, Node | null>[]) {
      const place = this.placeOf(key) ?? this.at(0);
      const name = isScalar(key) ? String(key.value) : String(key);
      if (name === '<<') {
        for (const [mergedName, child] of this.merge(value, place, depth)) merged.set(mergedName, child);
        continue;
      }
      const first = own.get(name);
      if (first) this.faults.push(duplicateFault(name, place, first.place));
      else own.set(name, this.read(value, place, depth + 1));
    }
    return new Map([...merged, ...own]);
  }

  /** The entries that `<<: *anchor` or `<<: [*one, *other]` brings in; of a list the earlier ones win. */
  private merge(node: Node | null, place: Place, depth: number): ReadonlyMap<string, Written> {
    const { value } = this.read(node, place, depth + 1);
    const sources = (isList(value) ? value : [{ place, value }]).toReversed();
    const entries = new Map<string, Written>();
    for (const source of sources) {
      if (isMapping(source.value)) {
        for (const [name, child] of source.value) entries.set(name, child);
      } else {
        this.faults.push({
          code: 'config.yaml_syntax',
          place: source.place,
          what: '`<<` takes a mapping or a list of mappings, such as `<<: *anchor`.',
        });
      }
    }
    return entries;
  }

  private target(alias: Alias): Node | null {
    const target = alias.resolve(this.document);
    if (target) return target;
    this.faults.push({
      code: 'config.yaml_syntax',
      place: this.placeOf(alias) ?? this.at(0),
      what: `There is no anchor \`&${alias.source}\` before the alias \`*${alias.source}\`.`,
      mend: 'Write the anchor first; or put the value in quotes if it merely begins with `*`.',
    });
    return null;
  }

  private placeOf(node: Node | null): Place | undefined {
    return node?.range ? this.at(node.range[0]) : undefined;
  }
}

/** YAML's core schema knows texts, numbers, true, false and null. */
function scalar(value: unknown): string | number | boolean | null {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  return null;
}

// ---------------------------------------------------------------------------------------------------------- problems

const mends: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: 'Indent with spaces: YAML knows no tabs.',
  MULTIPLE_DOCS: 'One file holds one pipeline: remove the `---` and what follows.',
  MISSING_CHAR: 'Close the quote or bracket on this or an earlier line.',
  BAD_INDENT: 'Close the bracket, or align the keys of one section with each other.',
  BLOCK_AS_IMPLICIT_KEY:
    'Put a value that holds a colon in quotes, or move the inner mapping to its own line.',
  BAD_SCALAR_START: 'Put the value in quotes.',
  TAG_RESOLVE_FAILED: 'Remove the `!tag`: settings are plain text, numbers, lists and mappings.',
};

function syntaxFault(place: Place, error: { code: string; message: string }): Fault {
  const mend = mends[error.code];
  return {
    code: 'config.yaml_syntax',
    place,
    what:
      error.code === 'MULTIPLE_DOCS'
        ? 'A second document begins here.'
        : `This is not valid YAML: ${error.message}.`,
    ...(mend && { mend }),
  };
}

function duplicateFault(name: string, again: Place, first: Place): Fault {
  return {
    code: 'config.duplicate_key',
    place: again,
    subject: name,
    what: `\`${name}\` stands twice in this section; the first is at ${placeText(first)}.`,
    mend: 'Remove one of the two.',
  };
}

// -------------------------------------------------------------------------------------------------------------- bytes

function readBytes(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new CascadeError(unreadable(file, cause as NodeJS.ErrnoException), { cause });
  }
}

function unreadable(file: string, { code, message }: NodeJS.ErrnoException): Problem {
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return {
      code: 'config.missing_file',
      where: file,
      what: 'There is no such file.',
      mend: `Check --config, or write a full, commented file with \`cascade init ${file}\`.`,
    };
  }
  if (code === 'EISDIR') {
    const inside = readdirSync(file).filter((name) => /\.ya?ml$/.test(name));
    return {
      code: 'config.is_a_folder',
      where: file,
      what: 'This is a folder; --config takes a YAML file.',
      ...(inside.length > 0 && { mend: `YAML files in it: ${inside.toSorted().join(', ')}.` }),
    };
  }
  return {
    code: 'config.unreadable_file',
    where: file,
    what: `This file cannot be read: ${message}.`,
    mend: 'Check its permissions.',
  };
}

function decode(file: string, bytes: Buffer): string {
  if (isUtf8(bytes)) return new TextDecoder().decode(bytes);
  // A newline byte is no part of another character in UTF-8, so lines can be judged one by one.
  let line = 1;
  for (let start = 0; start < bytes.length; line++) {
    const newline = bytes.indexOf(0x0a, start);
    const end = newline === -1 ? bytes.length : newline;
    if (!isUtf8(bytes.subarray(start, end))) break;
    start = end + 1;
  }
  throw new CascadeError({
    code: 'config.not_utf8',
    where: `${file}:${line}:1`,
    what: 'This line is not text in UTF-8.',
    mend: 'Save the file as UTF-8.',
  });
}
