/** Where a value stands in the tree of settings, and how a person writes that: `features.user[0].name`. */

export type Path = readonly (string | number)[];

const plainWord = /^[A-Za-z_][\w-]*$/;

/** A path as text: unique, and readable by `parsePath`. */
export function pathText(path: Path): string {
  return path
    .map((step, i) => {
      if (typeof step === 'number') return `[${step}]`;
      if (!plainWord.test(step)) return `[${JSON.stringify(step)}]`;
      return i === 0 ? step : `.${step}`;
    })
    .join('');
}

/** The path that a text like `a.b[0].c`, `a.b.0.c` or `a["odd key"]` names; null when it names none. */
export function parsePath(text: string): Path | null {
  const path: (string | number)[] = [];
  const step = /(?:^|\.)(?<word>\w[\w-]*)|\[(?<bracket>\d+|"(?:[^"\\]|\\.)*")\]/y;
  while (step.lastIndex < text.length) {
    const { word, bracket } = step.exec(text)?.groups ?? {};
    const name = word ?? (bracket === undefined ? null : unquoted(bracket));
    if (name === null) return null;
    path.push(/^\d+$/.test(word ?? bracket!) ? Number(name) : name);
  }
  return path.length > 0 ? path : null;
}

/** What stands in brackets: digits, or a name in quotes as JSON writes it. */
function unquoted(bracket: string): string | null {
  if (!bracket.startsWith('"')) return bracket;
  try {
    return String(JSON.parse(bracket));
  } catch {
    return null; // a backslash before something that JSON does not know
  }
}

/** Whether two places are one, or one lies inside the other. */
export const overlaps = (a: Path, b: Path) => a.slice(0, b.length).every((step, i) => step === b[i]);
