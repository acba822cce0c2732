// Times in `datetime-local` inputs, as the clocks of a zone show them.

import { zoneName, type Zone } from './time.ts';

/** How far the clocks of a zone are ahead of UTC at a time, in milliseconds. */
function ahead(at: number, zone: Zone): number {
  const format = new Intl.DateTimeFormat('en', { timeZone: zoneName(zone), hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' });
  const part = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
  return Date.UTC(part['year']!, part['month']! - 1, part['day'], part['hour'], part['minute'], part['second']) - Math.floor(at / 1000) * 1000;
}

/** The value of a `datetime-local` input for a time in a zone. */
export function toInput(iso: string | undefined, zone: Zone): string {
  const at = iso ? Date.parse(iso) : NaN;
  return Number.isNaN(at) ? '' : new Date(at + ahead(at, zone)).toISOString().slice(0, 19);
}

export function fromInput(text: string, zone: Zone): string | undefined {
  const wall = text ? Date.parse(`${text}Z`) : NaN;
  if (Number.isNaN(wall)) return undefined;
  // The second look is for times near a change of the clocks.
  return new Date(wall - ahead(wall - ahead(wall, zone), zone)).toISOString();
}
