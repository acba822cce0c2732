// Pages about one actor, one object, one request: who did what to whom, and in which order.

import { useEffect, useState } from 'preact/hooks';
import { Problem, type Client, type Event } from '../client.ts';
import { print } from '../filter/print.ts';
import type { Node } from '../filter/ast.ts';
import { Link } from '../router.ts';
import { locale, number, t, type Key } from '../text.ts';
import { formatTime } from '../time.ts';
import { visible } from '../viewer/copy.tsx';
import { GLYPHS, outcomeOf, sentence } from '../viewer/sentence.ts';
import type { Bucket, Facet, Histogram } from '../viewer/view.ts';
import { ProblemBox } from '../viewer/viewer.tsx';
import { PageHead, download } from './parts.tsx';

export type Kind = 'actor' | 'target' | 'request' | 'session';
export const KINDS: readonly string[] = ['actor', 'target', 'request', 'session'];
const FIELD: Record<Kind, string> = { actor: 'actor.id', target: 'target.id', request: 'context.request_id', session: 'context.session_id' };
/** What is counted on the page of an actor, and on that of an object. */
const COUNTED: Partial<Record<Kind, string>> = { actor: 'action,target.id,outcome,context.ip', target: 'action,actor.id,outcome,context.ip' };
const NEWEST = 50;
/** Events of a request or session at most; they are shown from the first on. */
const TIMELINE = 500;

export const aboutUrl = (tenant: string, kind: Kind, id: string): string => `/console/t/${encodeURIComponent(tenant)}/${kind}/${encodeURIComponent(id)}`;

/** Bars of the timeline of an actor or an object. */
const BUCKETS = 80;

type Found = { events: Event[]; first: Event | null; all: number; counts: Histogram; facets: Facet[]; more: boolean };

async function read(client: Client, tenant: string, kind: Kind, filter: string, signal: AbortSignal): Promise<Found> {
  const timeline = kind === 'request' || kind === 'session';
  const list = (query: object) => client.get<{ data: Event[]; next_cursor: string | null }>('/v1/events', { tenant, filter, ...query }, signal);
  const [page, first, counts, facets] = await Promise.all([
    list({ limit: timeline ? TIMELINE : NEWEST, order: timeline ? 'asc' : 'desc' }),
    list({ limit: 1, order: 'asc' }),
    client.get<Histogram>('/v1/events/histogram', { tenant, filter, buckets: timeline ? 2 : BUCKETS }, signal),
    COUNTED[kind] ? client.get<{ data: Facet[] }>('/v1/events/facets', { tenant, filter, fields: COUNTED[kind], limit: 8 }, signal) : { data: [] },
  ]);
  return { events: page.data, first: first.data[0] ?? null, all: counts.events, counts, facets: facets.data, more: counts.events > page.data.length };
}

export function AboutPage({ client, tenant, kind, id, exports }: { client: Client; tenant: string; kind: Kind; id: string; exports: boolean }) {
  const [found, setFound] = useState<Found | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const clause: Node = { field: FIELD[kind], op: '=', value: id };
  const filter = print(clause);
  const load = (): (() => void) => {
    const stop = new AbortController();
    setProblem(null);
    read(client, tenant, kind, filter, stop.signal).then(setFound, (error) => !stop.signal.aborted && setProblem(error as Problem));
    return () => stop.abort();
  };
  useEffect(load, [tenant, kind, id]);
  const named = found?.events.flatMap((event) => (kind === 'actor' ? [event.actor] : event.targets ?? [])).find((one) => one?.id === id && one.name)?.name;
  const search = `/console/t/${encodeURIComponent(tenant)}/events?range=all&q=${encodeURIComponent(filter)}`;
  const time = (iso: string): string => formatTime(iso, 'local', locale.value, 'full');
  const timeline = kind === 'request' || kind === 'session';
  const certificate = (format: string): void => {
    const path = `/v1/tenants/${encodeURIComponent(tenant)}/certificate?transaction=${encodeURIComponent(id)}&by=${kind}_id&format=${format}`;
    download(client, path, `certificate.${format}`).then(() => setProblem(null), (error) => setProblem(error as Problem));
  };
  const newest = found && !['request', 'session'].includes(kind) ? found.events[0] : found?.events.at(-1);
  return (
    <div class="page">
      <PageHead title={t(`about.${kind}` as Key, { name: visible(named ?? id) })} text={t(`about.${kind}Text` as Key)}><Link to={search} class="button">{t('about.search')}</Link>{exports && timeline && found && found.all > 0 && ['pdf', 'json'].map((format) => <button key={format} type="button" onClick={() => certificate(format)}>{t('about.certificate', { format: format.toUpperCase() })}</button>)}</PageHead>
      {problem && <ProblemBox problem={problem} retry={load} />}
      {!found && !problem && <p role="status">{t('loading')}</p>}
      {found && (
        <>
          <dl class="facts">
            <div><dt>{t('about.id')}</dt><dd class="mono">{visible(id)}</dd></div>
            <div><dt>{t('tenants.events')}</dt><dd>{number(found.all)}</dd></div>
            {found.first && <div><dt>{t('about.first')}</dt><dd>{time(found.first.occurred_at ?? found.first.received_at)}</dd></div>}
            {newest && !(found.more && kind === 'request') && <div><dt>{t('about.last')}</dt><dd>{time(newest.occurred_at ?? newest.received_at)}</dd></div>}
          </dl>
          {!timeline && found.all > 0 && <Bars tenant={tenant} filter={filter} counts={found.counts} />}
          {found.facets.length > 0 && <div class="about-counts">{found.facets.map((facet) => <Counts key={facet.field} tenant={tenant} filter={filter} facet={facet} />)}</div>}
          <h2>{t(kind === 'request' || kind === 'session' ? 'about.timeline' : 'about.newest')}</h2>
          <Timeline tenant={tenant} events={found.events} since={kind === 'request' || kind === 'session' ? found.events[0] : undefined} />
          {found.more && <p><Link to={search}>{t('about.more', { n: found.all })}</Link></p>}
        </>
      )}
    </div>
  );
}

/** Counts over time. The bars are for the eye; the words, and the link to the busiest time, for everybody. */
function Bars({ tenant, filter, counts }: { tenant: string; filter: string; counts: Histogram }) {
  const total = ({ success, failure, denied, unknown }: Bucket): number => success + failure + denied + unknown;
  const busiest = counts.data.reduce((best, bucket) => (total(bucket) > total(best) ? bucket : best), counts.data[0]!);
  const to = new Date(Date.parse(busiest.start) + counts.interval_ms).toISOString();
  const search = `/console/t/${encodeURIComponent(tenant)}/events?${new URLSearchParams({ q: filter, from: busiest.start, to })}`;
  return (
    <figure class="bars">
      <div aria-hidden="true">{counts.data.map((bucket) => <i key={bucket.start} style={{ height: `${(total(bucket) / total(busiest)) * 100}%` }} title={`${formatTime(bucket.start, 'local', locale.value)}: ${number(total(bucket))}`} />)}</div>
      <figcaption class="note">{t('histogram.text', { n: counts.events, time: formatTime(busiest.start, 'local', locale.value), most: total(busiest) })} <Link to={search}>{t('about.busiest')}</Link></figcaption>
    </figure>
  );
}

function Counts({ tenant, filter, facet }: { tenant: string; filter: string; facet: Facet }) {
  const to = (value: string): string => {
    const kind = facet.field === 'actor.id' ? 'actor' : facet.field === 'target.id' ? 'target' : null;
    if (kind) return aboutUrl(tenant, kind, value);
    return `/console/t/${encodeURIComponent(tenant)}/events?range=all&q=${encodeURIComponent(`${filter} ${print({ field: facet.field, op: '=', value })}`)}`;
  };
  const shown = (value: string): string => (facet.field === 'outcome' ? t(`outcome.${value}` as Key) : visible(value));
  if (facet.values.length === 0) return null;
  return (
    <section class="card">
      <h3>{t(facet.field === 'target.id' ? 'column.target' : (`field.${facet.field}` as Key))}</h3>
      <ul>{facet.values.map(({ value, count }) => <li key={value}><Link to={to(value)}>{shown(value)}</Link> <span class="note">{number(count)}</span></li>)}</ul>
    </section>
  );
}

/** Events with their times; with `since`, also the time after that event. */
export function Timeline({ tenant, events, since }: { tenant: string; events: Event[]; since?: Event | undefined }) {
  const when = (event: Event): number => Date.parse(event.occurred_at ?? event.received_at);
  const after = (event: Event): string => t('about.after', { n: Math.max(0, when(event) - when(since!)) });
  return (
    <table class="list">
      <thead><tr><th scope="col">{t('column.time')}</th>{since && <th scope="col" class="end">{t('about.since')}</th>}<th scope="col">{t('column.outcome')}</th><th scope="col">{t('column.event')}</th><th scope="col">{t('column.action')}</th></tr></thead>
      <tbody>
        {events.map((event) => {
          const outcome = outcomeOf(event);
          return (
            <tr key={event.seq}>
              <td><time dateTime={event.occurred_at ?? event.received_at}>{formatTime(event.occurred_at ?? event.received_at, 'local', locale.value)}</time></td>
              {since && <td class="end mono">{after(event)}</td>}
              <td><span class={`outcome outcome-${outcome}`}><i aria-hidden="true">{GLYPHS[outcome]}</i> {t(`outcome.${outcome}`)}</span></td>
              <td class="wrap-any"><Link to={`/console/t/${encodeURIComponent(tenant)}/e/${event.id}`}>{visible(sentence(event).map((part) => part.text).join('').slice(0, 300))}</Link></td>
              <td><code>{visible(event.action ?? '')}</code></td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
