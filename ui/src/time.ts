// Times for people: zones, ranges, and what stands in the address.

export type Zone = 'utc' | 'local' | (string & {});
export type Range = { relative: string } | { from?: string; to?: string };

export const RELATIVE = ['15m', '1h', '4h', '24h', '7d', '30d', '90d', 'all'] as const;
const UNIT_MS: Record<string, number> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** The bounds that a range means at `now`. */
export function bounds(range: Range, now: number): { from?: string; to?: string } {
  if (!('relative' in range)) return range;
  const found = /^(\d+)([mhd])$/.exec(range.relative);
  if (!found) return {};
  return { from: new Date(now - Number(found[1]) * UNIT_MS[found[2]!]!).toISOString() };
}

export const zoneName = (zone: Zone): string | undefined => (zone === 'utc' ? 'UTC' : zone === 'local' ? undefined : zone);

const formats = new Map<string, Intl.DateTimeFormat>();

export function formatTime(iso: string, zone: Zone, locale: string, style: 'row' | 'full' | 'axis' = 'row'): string {
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return iso;
  const key = `${locale} ${zone} ${style}`;
  let format = formats.get(key);
  if (!format) {
    const timeZone = zoneName(zone);
    const base: Intl.DateTimeFormatOptions = timeZone ? { timeZone } : {};
    format = new Intl.DateTimeFormat(locale, {
      ...base,
      hourCycle: 'h23',
      ...(style === 'full'
        ? { weekday: 'short', year: 'numeric', month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3, timeZoneName: 'short' }
        : { month: 'short', day: '2-digit', hour: '2-digit', minute: '2-digit', ...(style === 'row' ? { second: '2-digit' } : {}) }),
    });
    formats.set(key, format);
  }
  return format.format(time);
}

/** "3 minutes ago" in the page's language. */
export function ago(iso: string, now: number, locale: string): string {
  const seconds = (new Date(iso).getTime() - now) / 1000;
  const steps: [Intl.RelativeTimeFormatUnit, number][] = [['day', 86400], ['hour', 3600], ['minute', 60], ['second', 1]];
  const [unit, size] = steps.find(([, size]) => Math.abs(seconds) >= size) ?? ['second', 1];
  return new Intl.RelativeTimeFormat(locale, { numeric: 'auto' }).format(Math.trunc(seconds / size), unit);
}

/** Whether the browser knows the zone. */
export function isZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zoneName(zone) });
    return true;
  } catch {
    return false;
  }
}

/** A short name of the zone, as it stands above times. */
export function zoneLabel(zone: Zone, locale: string): string {
  const parts = new Intl.DateTimeFormat(locale, { timeZone: zoneName(zone), timeZoneName: 'short' }).formatToParts();
  return parts.find(({ type }) => type === 'timeZoneName')?.value ?? zone;
}
