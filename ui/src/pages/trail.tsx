// What was done on a page, from the environment's own log: every administrative page ends with it.

import { useEffect, useState } from 'preact/hooks';
import type { Client, Event } from '../client.ts';
import { print } from '../filter/print.ts';
import { Link } from '../router.ts';
import { changes } from '../session.ts';
import { locale, t, type Key } from '../text.ts';
import { formatTime } from '../time.ts';
import { visible } from '../viewer/copy.tsx';
import { GLYPHS, actorName, outcomeOf } from '../viewer/sentence.ts';

const SHOWN = 5;
/** A change is in the log by then. Nothing is asked at intervals: each question is an event of that log itself. */
const SETTLED_MS = 400;
const SEARCH = '/console/t/_audit/events?range=all&q=';

/** Changes only: reads of a page would fill its own trail. */
function filterOf(of: string[], target?: string): string {
  const operations = of.map((one) => `metadata.operation:${one}`).join(' OR ');
  const changes = `(${operations}) -action:attestary.view`;
  return target ? `${changes} ${print({ field: 'target.id', op: '=', value: target })}` : changes;
}

/** `of`: operations of the audit log, with stars. `tenant`, `target`: only what concerns it. */
export function Trail({ client, of, tenant, target }: { client: Client; of: string[]; tenant?: string; target?: string }) {
  const [events, setEvents] = useState<Event[] | null>(null);
  const filter = filterOf(of, target ?? tenant);
  const count = changes.value;
  useEffect(() => {
    const stop = new AbortController();
    // Who may not read the environment's log sees the page without it.
    const read = (): Promise<void> => client.get<{ data: Event[] }>('/v1/events', { tenant: '_audit', filter, limit: SHOWN }, stop.signal).then((page) => setEvents(page.data), () => undefined);
    const timer = setTimeout(() => void read(), count === 0 ? 0 : SETTLED_MS);
    return () => (clearTimeout(timer), stop.abort());
  }, [client, filter, count]);
  if (!events) return null;
  return (
    <section class="trail" aria-labelledby="trail-title">
      <div class="page-head"><h2 id="trail-title">{t('trail.title')}</h2>{events.length > 0 && <Link to={SEARCH + encodeURIComponent(filter)}>{t('trail.all')}</Link>}</div>
      {events.length === 0 ? <p class="note">{t('trail.none')}</p> : (
        <table class="list">
          <thead><tr><th scope="col">{t('column.time')}</th><th scope="col">{t('column.actor')}</th><th scope="col">{t('trail.did')}</th><th scope="col">{t('trail.on')}</th><th scope="col">{t('column.outcome')}</th></tr></thead>
          <tbody>
            {events.map((event) => {
              const outcome = outcomeOf(event);
              const operation = (event['metadata'] as { operation?: string } | undefined)?.operation ?? event.action ?? '';
              return (
                <tr key={event.id}>
                  <td><Link to={`/console/t/_audit/e/${event.id}`}>{formatTime(event.received_at, 'local', locale.value)}</Link></td>
                  <td>{visible(actorName(event.actor))}</td>
                  <td><code>{visible(operation)}</code></td>
                  <td class="wrap-any mono">{visible((event.targets ?? []).map(({ id }) => id).filter(Boolean).join(' · ')) || '–'}</td>
                  <td><i aria-hidden="true">{GLYPHS[outcome]}</i> {t(`outcome.${outcome}` as Key)}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      )}
    </section>
  );
}
