// Destinations: list, wizard, and how one fares.

import { useEffect, useState } from 'preact/hooks';
import type { Client, Problem } from '../client.ts';
import { parse } from '../filter/parse.ts';
import { Link, navigate } from '../router.ts';
import { locale, number, t, type Key } from '../text.ts';
import { ago, formatTime } from '../time.ts';
import { CopyButton, visible } from '../viewer/detail.tsx';
import { ProblemBox } from '../viewer/viewer.tsx';
import { BytesPreview, ReceiptOf, Replays, Rotate, SetAside } from './deliveries.tsx';
import { Confirm, PageHead, useRead } from './parts.tsx';

type Destination = {
  id: string; name: string; type: string; config: Record<string, unknown>; format: { type?: string }; filter: string; managed_by: string;
  state: 'active' | 'failing' | 'paused'; reason_detail: string; since: string; cursor: number; lag_events: number; retry_at: string | null;
  last_success_at: string | null; last_error_at: string | null; last_error: string | null; delivered: number; quarantined: number; attempts: number; secret?: string;
};
type Attempt = { id: string; at: string; duration_ms: number; test: boolean; request: string; seqs: string; events: number; status: number | null; verdict: string; detail: string; excerpt: string };

const FORMATS = ['json', 'cef', 'leef', 'ecs', 'ocsf', 'cloudevents', 'otlp', 'asim', 'udm', 'csv'];
const REFRESH_MS = 3000;
const GLYPH = { active: '✓', failing: '↻', paused: '‖' };

const base = (tenant: string): string => `/v1/tenants/${encodeURIComponent(tenant)}/destinations`;
const page = (tenant: string, rest = ''): string => `/console/t/${encodeURIComponent(tenant)}/destinations${rest}`;

export function DestinationsPage({ client, tenant, id }: { client: Client; tenant: string; id: string | undefined }) {
  if (id === 'new') return <Wizard client={client} tenant={tenant} />;
  return id ? <One client={client} tenant={tenant} id={id} /> : <All client={client} tenant={tenant} />;
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
            <h2><Link to={page(tenant, `/${destination.id}`)}>{destination.name}</Link> <span class="tag">{destination.type} · {destination.format.type ?? 'json'}</span></h2>
            <p><State destination={destination} /> · {lag(destination)}{destination.managed_by === 'operator' && <span class="note"> · {t('destinations.operator')}</span>}</p>
            {destination.reason_detail && <p class="warn">{visible(destination.reason_detail)}</p>}
          </li>
        ))}
      </ul>
    </div>
  );
}

function One({ client, tenant, id }: { client: Client; tenant: string; id: string }) {
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
          <PageHead title={destination.name} text={`${destination.type} · ${destination.format.type ?? 'json'}${destination.filter ? ` · ${destination.filter}` : ''}`}>
            <div class="actions">
              <button type="button" onClick={() => act('test')}>{t('destinations.test')}</button>
              {destination.state === 'paused' ? <button type="button" class="primary" onClick={() => act('resume')}>{t('destinations.resume')}</button> : <button type="button" onClick={() => act('pause')}>{t('destinations.pause')}</button>}
              <Confirm danger label={t('destinations.delete')} question={t('destinations.deleteSure', { name: destination.name })} onYes={async () => { await client.send('DELETE', path); navigate(page(tenant)); }} />
            </div>
          </PageHead>
          <div class="card health">
            <p class="big"><State destination={destination} /> <span>{lag(destination)}</span></p>
            {destination.reason_detail && <p class="warn">{visible(destination.reason_detail)}</p>}
            <dl class="facts">{facts.map(([key, value]) => <div key={key}><dt>{t(key)}</dt><dd>{value}</dd></div>)}</dl>
            <p class="receipt">{destination.cursor === 0 ? t('destinations.receiptNone') : t('destinations.receipt', { seq: destination.cursor - 1, aside: destination.quarantined > 0 ? t('destinations.receiptAside', { n: destination.quarantined }) : '' })}</p>
            <ReceiptOf client={client} path={path} />
            {destination.last_error && <p class="note">{t('destinations.lastError')}: {visible(destination.last_error)}{destination.last_error_at && ` · ${ago(destination.last_error_at, now, locale.value)}`}</p>}
          </div>
          {failed && <ProblemBox problem={failed} />}
          {tested && <TestResult attempt={tested} />}
          {destination.quarantined > 0 && <SetAside client={client} path={path} />}
          <Replays client={client} path={path} />
          {destination.type === 'webhook' && <Rotate client={client} path={path} />}
          <h2>{t('destinations.attemptList')}</h2>
          {attempts.data?.data.length === 0 ? <p>{t('destinations.noAttempts')}</p> : <Attempts list={attempts.data?.data ?? []} />}
        </>
      )}
    </div>
  );
}

function TestResult({ attempt }: { attempt: Attempt }) {
  const works = attempt.verdict === 'delivered';
  const detail = [attempt.request, attempt.status, attempt.detail].filter(Boolean).join(' · ');
  return (
    <div class={works ? 'card good' : 'problem'} role="status">
      <p>{works ? '✓ ' : '✕ '}{t(works ? 'wizard.works' : 'wizard.worksNot', { detail: visible(detail) })} ({number(attempt.duration_ms)} ms)</p>
      {attempt.excerpt && <pre class="code" tabIndex={0}>{visible(attempt.excerpt)}</pre>}
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
            <td>{attempt.verdict === 'delivered' ? '✓' : '✕'} {attempt.verdict}{attempt.test && <span class="tag">{t('attempt.test')}</span>}</td>
            <td class="mono">{attempt.status ?? ''}</td>
            <td class="mono">{attempt.test ? '' : `${attempt.events} (${attempt.seqs})`}</td>
            <td class="end mono">{number(attempt.duration_ms)} ms</td>
            <td class="wrap-any">{visible(attempt.detail)} {attempt.excerpt && <code class="note">{visible(attempt.excerpt.slice(0, 200))}</code>}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const STEPS = ['wizard.type', 'wizard.connection', 'wizard.filter', 'wizard.format', 'wizard.review'] as const;

function Wizard({ client, tenant }: { client: Client; tenant: string }) {
  const [step, setStep] = useState(0);
  const [form, setForm] = useState({ type: 'webhook', name: '', url: '', address: '', transport: 'tls', filter: '', format: 'json', start: 'now' });
  const [problem, setProblem] = useState<Problem | null>(null);
  const [made, setMade] = useState<Destination | null>(null);
  const [tested, setTested] = useState<Attempt | null>(null);
  const [counts, setCounts] = useState<{ match: number; all: number } | null>(null);
  const set = (name: keyof typeof form) => (event: { currentTarget: { value: string } }): void => setForm({ ...form, [name]: event.currentTarget.value });
  let filterError = '';
  try {
    parse(form.filter);
  } catch (error) {
    filterError = t('search.error', { reason: t(`reason.${(error as Error).message}` as Key) });
  }
  useEffect(() => {
    if (step !== 2 || filterError) return undefined;
    const stop = new AbortController();
    const timer = setTimeout(() => {
      const query = { tenant, from: new Date(Date.now() - 7 * 86_400_000).toISOString(), buckets: 2 };
      const read = (filter: string) => client.get<{ events: number }>('/v1/events/histogram', { ...query, filter }, stop.signal).then(({ events }) => events);
      Promise.all([read(form.filter), read('')]).then(([match, all]) => setCounts({ match, all }), () => setCounts(null));
    }, 250);
    return () => (clearTimeout(timer), stop.abort());
  }, [step, form.filter, filterError]);

  const draft = () => {
    const config = form.type === 'webhook' ? { url: form.url } : { address: form.address, transport: form.transport };
    return { name: form.name, type: form.type, config, format: { type: form.format }, filter: form.filter, start: form.start };
  };
  const create = async (): Promise<void> => {
    try {
      const destination = await client.send<Destination>('POST', base(tenant), draft());
      setMade(destination);
      setProblem(null);
      setTested(await client.send<Attempt>('POST', `${base(tenant)}/${destination.id}/test`));
    } catch (error) {
      setProblem(error as Problem);
    }
  };
  const next = (event: SubmitEvent): void => {
    event.preventDefault();
    if (step === STEPS.length - 1) void create();
    else setStep(step + 1);
  };
  const heading = t('wizard.step', { n: step + 1, all: STEPS.length, name: t(STEPS[step]!) });
  return (
    <div class="page narrow">
      <p><Link to={page(tenant)}>← {t('destinations.back')}</Link></p>
      <PageHead title={t('wizard.title')} text={made ? '' : heading} />
      {made ? (
        <div class="stack">
          {made.secret && <div class="card secret"><p>{t('wizard.secret')}</p><pre class="code" tabIndex={0}>{made.secret}</pre><CopyButton label={t('api.copy')} text={() => made.secret!} /></div>}
          {tested ? <TestResult attempt={tested} /> : problem ? <ProblemBox problem={problem} /> : <p role="status">{t('wizard.testing')}</p>}
          <p><Link to={page(tenant, `/${made.id}`)} class="button primary">{t('wizard.done')}</Link></p>
        </div>
      ) : (
        <form class="card stack" onSubmit={next} aria-label={heading}>
          <ol class="steps" aria-hidden="true">{STEPS.map((name, at) => <li key={name} class={at === step ? 'now' : at < step ? 'done' : ''}>{t(name)}</li>)}</ol>
          {step === 0 && (
            <fieldset><legend>{t('wizard.type')}</legend>
              {(['webhook', 'syslog'] as const).map((type) => (
                <label class="choice" key={type}><input type="radio" name="type" value={type} checked={form.type === type} onChange={set('type')} /> <span><b>{t(`wizard.type.${type}`)}</b><br /><span class="note">{t(`wizard.type.${type}Hint`)}</span></span></label>
              ))}
            </fieldset>
          )}
          {step === 1 && (
            <>
              <label>{t('wizard.name')} <input required maxLength={200} value={form.name} onInput={set('name')} aria-describedby="wizard-name" /></label>
              <p class="note" id="wizard-name">{t('wizard.nameHint')}</p>
              {form.type === 'webhook' ? <label>{t('wizard.url')} <input type="url" required placeholder="https://siem.example.com/hook" value={form.url} onInput={set('url')} /></label> : (
                <>
                  <label>{t('wizard.address')} <input required placeholder="siem.example.com:6514" value={form.address} onInput={set('address')} /></label>
                  <label>{t('wizard.transport')} <select value={form.transport} onChange={set('transport')}><option value="tls">TLS</option><option value="tcp">TCP</option><option value="udp">UDP</option></select></label>
                </>
              )}
            </>
          )}
          {step === 2 && (
            <>
              <label>{t('wizard.filter')} <input class="mono" value={form.filter} onInput={set('filter')} aria-describedby="wizard-filter" aria-invalid={filterError !== ''} spellcheck={false} /></label>
              <p class="note" id="wizard-filter">{t('wizard.filterHint')}</p>
              <p role="status">{filterError || (counts ? t('wizard.filterCount', { match: counts.match, all: counts.all }) : t('loading'))}</p>
              <label>{t('wizard.start')} <select value={form.start} onChange={set('start')}><option value="now">{t('wizard.start.now')}</option><option value="beginning">{t('wizard.start.beginning')}</option></select></label>
            </>
          )}
          {step === 3 && (
            <>
              <label>{t('wizard.format')} <select value={form.format} onChange={set('format')}>{FORMATS.map((format) => <option key={format}>{format}</option>)}</select></label>
              <p class="note">{t('wizard.formatHint')}</p>
              <BytesPreview client={client} base={base(tenant)} body={draft()} />
            </>
          )}
          {step === 4 && (
            <dl class="facts">
              <div><dt>{t('wizard.name')}</dt><dd>{form.name}</dd></div>
              <div><dt>{t('wizard.type')}</dt><dd>{t(`wizard.type.${form.type}` as Key)}</dd></div>
              <div><dt>{t('wizard.connection')}</dt><dd class="mono">{form.type === 'webhook' ? form.url : `${form.address} (${form.transport})`}</dd></div>
              <div><dt>{t('wizard.filter')}</dt><dd class="mono">{form.filter || t('keys.allTenants')}</dd></div>
              <div><dt>{t('wizard.start')}</dt><dd>{t(`wizard.start.${form.start}` as Key)}</dd></div>
              <div><dt>{t('wizard.format')}</dt><dd>{form.format}</dd></div>
            </dl>
          )}
          {problem && <ProblemBox problem={problem} />}
          <div class="dialog-actions">
            {step > 0 && <button type="button" onClick={() => setStep(step - 1)}>{t('wizard.previous')}</button>}
            <button type="submit" class="primary" disabled={step === 2 && filterError !== ''}>{t(step === STEPS.length - 1 ? 'wizard.create' : 'wizard.next')}</button>
          </div>
        </form>
      )}
    </div>
  );
}
