// Destinations: list, wizard, and how one fares.

import { useState } from 'preact/hooks';
import type { Client, Json, Problem, Session } from '../client.ts';
import { Link, navigate } from '../router.ts';
import { locale, number, t, type Key } from '../text.ts';
import { ago, formatTime } from '../time.ts';
import { visible } from '../viewer/copy.tsx';
import { ProblemBox } from '../viewer/viewer.tsx';
import { ReceiptOf, Replays, Rotate, SetAside } from './deliveries.tsx';
import { Confirm, PageHead, useRead } from './parts.tsx';
import { Trail } from './trail.tsx';
import { Change, TestResult, Wizard, typeName } from './wizard.tsx';

export type Destination = {
  id: string; name: string; type: string; config: Record<string, Json>; format: { type?: string }; filter: string; managed_by: string; batch: Record<string, number>; checkpoint_seconds: number; public_keys: string[]; external_id?: string | null;
  state: 'active' | 'failing' | 'paused'; reason_detail: string; since: string; cursor: number; lag_events: number; retry_at: string | null;
  last_success_at: string | null; last_error_at: string | null; last_error: string | null; delivered: number; quarantined: number; attempts: number; secret?: string;
};
export type Attempt = { id: string; at: string; duration_ms: number; test: boolean; checkpoint: number | null; request: string; seqs: string; events: number; status: number | null; verdict: string; detail: string; excerpt: string; stage: string; hint: string };

const REFRESH_MS = 3000;
const GLYPH = { active: '✓', failing: '↻', paused: '‖' };

export const base = (tenant: string): string => `/v1/tenants/${encodeURIComponent(tenant)}/destinations`;
export const page = (tenant: string, rest = ''): string => `/console/t/${encodeURIComponent(tenant)}/destinations${rest}`;

export function DestinationsPage({ client, session, tenant, id }: { client: Client; session: Session; tenant: string; id: string | undefined }) {
  // Whoever is limited to tenants makes destinations of the tenant's own and only looks at the operator's.
  const operator = session.tenants === null;
  if (id === 'new') return <Wizard client={client} tenant={tenant} operator={operator} />;
  return id ? <One client={client} tenant={tenant} id={id} operator={operator} /> : <All client={client} tenant={tenant} />;
}

function State({ destination }: { destination: Destination }) {
  return <span class={`state state-${destination.state}`}><i aria-hidden="true">{GLYPH[destination.state]}</i> {t(`destinations.state.${destination.state}`)}</span>;
}

const lag = (destination: Destination): string => (destination.lag_events === 0 ? t('destinations.lag0') : t('destinations.lag', { n: destination.lag_events }));

function All({ client, tenant }: { client: Client; tenant: string }) {
  const { data, problem, reload } = useRead<{ data: Destination[] }>(client, base(tenant), REFRESH_MS);
  return (
    <div class="page">
      <PageHead title={t('destinations.title')} text={t('destinations.text')}><Link to={page(tenant, '/new')} class="button primary">{t('destinations.new')}</Link></PageHead>
      {problem && <ProblemBox problem={problem} retry={reload} />}
      {data?.data.length === 0 && <div class="empty"><h2>{t('destinations.none.title')}</h2><p>{t('destinations.none.text')}</p></div>}
      <ul class="cards">
        {data?.data.map((destination) => (
          <li key={destination.id} class="card">
            <h2><Link to={page(tenant, `/${destination.id}`)}>{destination.name}</Link> <span class="tag">{typeName(destination.type)} · {destination.format.type ?? 'json'}</span></h2>
            <p><State destination={destination} /> · {lag(destination)}{destination.managed_by === 'operator' && <span class="note"> · {t('destinations.operator')}</span>}</p>
            {destination.reason_detail && <p class="warn">{visible(destination.reason_detail)}</p>}
          </li>
        ))}
      </ul>
      <Trail client={client} tenant={tenant} of={['destination.*']} />
    </div>
  );
}

function One({ client, tenant, id, operator }: { client: Client; tenant: string; id: string; operator: boolean }) {
  const path = `${base(tenant)}/${encodeURIComponent(id)}`;
  const { data: destination, problem, reload } = useRead<Destination>(client, path, REFRESH_MS);
  const attempts = useRead<{ data: Attempt[] }>(client, `${path}/attempts`, REFRESH_MS);
  const [tested, setTested] = useState<Attempt | null>(null);
  const [failed, setFailed] = useState<Problem | null>(null);
  const act = async (verb: string): Promise<void> => {
    try {
      const reply = await client.send<Attempt>('POST', `${path}/${verb}`);
      if (verb === 'test') setTested(reply);
      setFailed(null);
    } catch (error) {
      setFailed(error as Problem);
    }
    reload();
    attempts.reload();
  };
  const now = Date.now();
  const mine = operator || destination?.managed_by === 'tenant';
  const facts: [Key, string][] = destination ? [
    ['destinations.delivered', number(destination.delivered)],
    ['destinations.quarantined', number(destination.quarantined)],
    ['destinations.attempts', number(destination.attempts)],
    ['destinations.lastSuccess', destination.last_success_at ? ago(destination.last_success_at, now, locale.value) : t('destinations.never')],
    ...(destination.retry_at ? [['destinations.retryAt', ago(destination.retry_at, now, locale.value)] as [Key, string]] : []),
  ] : [];
  return (
    <div class="page">
      <p><Link to={page(tenant)}>← {t('destinations.back')}</Link></p>
      {problem && <ProblemBox problem={problem} retry={reload} />}
      {destination && (
        <>
          <PageHead title={destination.name} text={`${typeName(destination.type)} · ${destination.format.type ?? 'json'}${destination.filter ? ` · ${destination.filter}` : ''}`}>
            {mine ? <div class="actions">
              <button type="button" onClick={() => act('test')}>{t('destinations.test')}</button>
              {destination.state === 'paused' ? <button type="button" class="primary" onClick={() => act('resume')}>{t('destinations.resume')}</button> : <button type="button" onClick={() => act('pause')}>{t('destinations.pause')}</button>}
              <Change client={client} path={path} destination={destination} done={reload} />
              <Confirm danger label={t('destinations.delete')} question={t('destinations.deleteSure', { name: destination.name })} onYes={async () => { await client.send('DELETE', path); navigate(page(tenant)); }} />
            </div> : <p class="note">{t('destinations.readOnly')}</p>}
          </PageHead>
          <div class="card health">
            <p class="big"><State destination={destination} /> <span>{lag(destination)}</span></p>
            {destination.reason_detail && <p class="warn">{visible(destination.reason_detail)}</p>}
            <dl class="facts">{facts.map(([key, value]) => <div key={key}><dt>{t(key)}</dt><dd>{value}</dd></div>)}</dl>
            <ReceiptOf client={client} path={path} filter={destination.filter} />
            {destination.last_error && <p class="note">{t('destinations.lastError')}: {visible(destination.last_error)}{destination.last_error_at && ` · ${ago(destination.last_error_at, now, locale.value)}`}</p>}
          </div>
          {failed && <ProblemBox problem={failed} />}
          {tested && <TestResult attempt={tested} />}
          {destination.external_id && <p class="note wrap-any">{t('destinations.externalId')} <code>{destination.external_id}</code></p>}
          {destination.public_keys.length > 0 && <p class="note wrap-any">{t('destinations.publicKeys')} <code>{destination.public_keys.join(' ')}</code></p>}
          {destination.quarantined > 0 && <SetAside client={client} path={path} />}
          <Replays client={client} path={path} />
          {mine && destination.type === 'webhook' && <Rotate client={client} path={path} />}
          <h2>{t('destinations.attemptList')}</h2>
          {attempts.data?.data.length === 0 ? <p>{t('destinations.noAttempts')}</p> : <Attempts list={attempts.data?.data ?? []} />}
          <Trail client={client} of={['destination.*']} target={id} />
        </>
      )}
    </div>
  );
}

function Attempts({ list }: { list: Attempt[] }) {
  return (
    <table class="list">
      <thead><tr><th scope="col">{t('attempt.at')}</th><th scope="col">{t('attempt.verdict')}</th><th scope="col">{t('attempt.status')}</th><th scope="col">{t('attempt.events')}</th><th scope="col" class="end">{t('attempt.duration')}</th><th scope="col">{t('attempt.detail')}</th></tr></thead>
      <tbody>
        {list.map((attempt) => (
          <tr key={attempt.id}>
            <td>{formatTime(attempt.at, 'local', locale.value)}</td>
            <td>{attempt.verdict === 'delivered' ? '✓' : '✕'} {attempt.verdict}{attempt.test && <span class="tag">{t('attempt.test')}</span>}{attempt.checkpoint !== null && <span class="tag">{t('attempt.checkpoint')}</span>}</td>
            <td class="mono">{attempt.status ?? ''}</td>
            <td class="mono">{attempt.test || attempt.checkpoint !== null ? '' : `${attempt.events} (${attempt.seqs})`}</td>
            <td class="end mono">{number(attempt.duration_ms)} ms</td>
            <td class="wrap-any">{visible(attempt.detail)} {attempt.hint && <span class="note">{visible(attempt.hint)}</span>} {attempt.excerpt && <code class="note">{visible(attempt.excerpt.slice(0, 200))}</code>}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
