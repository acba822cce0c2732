// A filter while it is written: what is wrong with it, and how much it selects.

import { useEffect, useState } from 'preact/hooks';
import type { Client } from '../client.ts';
import { parse } from '../filter/parse.ts';
import { t, type Key } from '../text.ts';

/** The count is that of this many days. */
const COUNTED_DAYS = 7;
const WAIT_MS = 250;

/** What is wrong with a filter, in words; empty when nothing is. */
export function filterProblem(filter: string): string {
  try {
    parse(filter);
    return '';
  } catch (error) {
    return t('search.error', { reason: t(`reason.${(error as Error).message}` as Key) });
  }
}

/** How many events of the last days a filter selects, counted while it is written. */
export function FilterCount({ client, tenant, filter }: { client: Client; tenant: string; filter: string }) {
  const [counts, setCounts] = useState<{ match: number; all: number } | null>(null);
  const wrong = filterProblem(filter);
  useEffect(() => {
    if (wrong) return undefined;
    const stop = new AbortController();
    const timer = setTimeout(() => {
      const query = { tenant, from: new Date(Date.now() - COUNTED_DAYS * 86_400_000).toISOString(), buckets: 2 };
      const read = (text: string) => client.get<{ events: number }>('/v1/events/histogram', { ...query, filter: text }, stop.signal).then(({ events }) => events);
      Promise.all([read(filter), read('')]).then(([match, all]) => setCounts({ match, all }), () => setCounts(null));
    }, WAIT_MS);
    return () => (clearTimeout(timer), stop.abort());
  }, [filter, wrong]);
  return <p role="status" class={wrong ? 'warn' : undefined}>{wrong || (counts ? t('wizard.filterCount', { match: counts.match, all: counts.all }) : t('loading'))}</p>;
}
