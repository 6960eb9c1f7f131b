/** Days and hours in the business time zone, which is a fixed offset from UTC: `dt` must not depend on the machine's clock. */

export const dayMs = 86_400_000;

/** Milliseconds that a zone such as +08:00 is ahead of UTC. */
export function offsetMs(timeZone: string): number {
  const [hours, minutes] = timeZone.slice(1).split(':').map(Number);
  const size = (hours! * 60 + minutes!) * 60_000;
  return timeZone.startsWith('-') ? -size : size;
}

/** The day `2022-05-06` of a time in UTC milliseconds. */
export const dayOf = (utcMs: number, timeZone: string): string =>
  new Date(utcMs + offsetMs(timeZone)).toISOString().slice(0, 10);

/** The same in SQL, of a TIMESTAMP_MS expression in UTC. */
export const sqlDay = (timestamp: string, timeZone: string): string =>
  `strftime(${sqlLocal(timestamp, timeZone)}, '%Y-%m-%d')`;

/** The hour 0..23 of a TIMESTAMP_MS expression. */
export const sqlHour = (timestamp: string, timeZone: string): string =>
  `CAST(hour(${sqlLocal(timestamp, timeZone)}) AS INTEGER)`;

const sqlLocal = (timestamp: string, timeZone: string) =>
  `CAST(${timestamp} AS TIMESTAMP) + to_milliseconds(${offsetMs(timeZone)})`;
