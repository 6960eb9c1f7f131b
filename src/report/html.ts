/**
 * HTML by tagged template. Everything put into a template is escaped unless it is HTML made the same way, so that no file name,
 * setting or slice value can break or inject markup.
 */

export class Html {
  constructor(readonly text: string) {}
}

export type Content = Html | string | number | null | false | readonly Content[];

/** `html\`<td>${value}</td>\``: strings and numbers are escaped, HTML and lists of it go in as they are, null and false are nothing. */
export function html(parts: TemplateStringsArray, ...values: readonly Content[]): Html {
  return new Html(parts.map((part, i) => part + (i < values.length ? render(values[i]!) : '')).join(''));
}

/** Text that is HTML already: from our own templates or the chart renderer, never from data. */
export const trusted = (text: string): Html => new Html(text);

function render(value: Content): string {
  if (value === null || value === false) return '';
  if (value instanceof Html) return value.text;
  if (typeof value === 'object') return value.map(render).join('');
  return String(value).replace(/[&<>"']/g, (character) => entities[character]!);
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
