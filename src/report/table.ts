/** Aligned columns for the command line. */
import { stripVTControlCharacters } from 'node:util';

export interface TableColumn {
  readonly title: string;
  /** Numbers stand right. Default left. */
  readonly align?: 'left' | 'right';
}

/** Lines of a table: titles, a rule, rows. Colours in cells do not count as width. */
export function tableLines(columns: readonly TableColumn[], rows: readonly (readonly string[])[]): string[] {
  const widths = columns.map(({ title }, c) =>
    Math.max(width(title), ...rows.map((row) => width(row[c] ?? ''))),
  );
  const line = (cells: readonly string[]) =>
    columns
      .map(({ align }, c) => {
        const cell = cells[c] ?? '';
        const space = ' '.repeat(widths[c]! - width(cell));
        return align === 'right' ? space + cell : cell + space;
      })
      .join('  ')
      .trimEnd();
  return [
    line(columns.map(({ title }) => title)),
    widths.map((w) => '─'.repeat(w)).join('  '),
    ...rows.map(line),
  ];
}

/** Characters on the screen: code points without colour sequences. */
const width = (text: string) => Array.from(stripVTControlCharacters(text)).length;
