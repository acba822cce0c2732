// Alerts: so many events that a filter selects within a window of time. What is raised is an event, and goes where a destination sends it.

import { useState } from 'preact/hooks';
import type { Client, Event } from '../client.ts';
import { all } from '../filter/ast.ts';
import { parse } from '../filter/parse.ts';
import { print } from '../filter/print.ts';
import { Link, search } from '../router.ts';
import { locale, known, number, t } from '../text.ts';
import { ago, formatTime } from '../time.ts';
import { visible } from '../viewer/copy.tsx';
import { FACETS } from '../viewer/view.ts';
import { ProblemBox } from '../viewer/viewer.tsx';
import { FilterCount, filterProblem } from './count.tsx';
import { Confirm, FormDialog, PageHead, useRead } from './parts.tsx';
import { Trail } from './trail.tsx';

type Alert = { id: string; name: string; filter: string; threshold: number; window_seconds: number; group_by: string | null; enabled: boolean; created_at: string; last_raised_at: string | null; selects: string };
type Raised = { group?: string | null; count?: number; first_seq?: number; last_seq?: number; window_seconds?: number };

/** Raised alerts that the page shows. */
const RAISED_SHOWN = 10;
const RAISED = 'action:attestary.alert.raised';
/** Units of a window in the form, longest first, with their seconds. */
const UNITS = [['d', 86_400], ['h', 3600], ['m', 60], ['s', 1]] as const;
type Unit = (typeof UNITS)[number][0];
/** Where an alert can be sent by the wizard of destinations. */
const WAYS = ['webhook', 'mail', 'syslog', 'other'] as const;

/** An alert looks at its own window, so what is relative to now goes. */
export function alertFilter(filter: string): string {
  try {
    const node = parse(filter);
    const kept = ('and' in node ? node.and : [node]).filter((part) => !('relative' in part));
    return print(all(kept));
  } catch {
    return '';
  }
}

/** The page with a new alert begun. */
export const alertsPage = (tenant: string, first: Record<string, string> = {}): string => {
  const query = new URLSearchParams(Object.entries(first).filter(([, value]) => value)).toString();
  return `/console/t/${encodeURIComponent(tenant)}/alerts${query && `/new?${query}`}`;
};
const searchOf = (tenant: string, filter: string): string => `/console/t/${encodeURIComponent(tenant)}/events?range=all&q=${encodeURIComponent(filter)}`;
/** The wizard with the alert's own events chosen. */
const sendTo = (tenant: string, alert: Alert, way: string): string =>
  `/console/t/${encodeURIComponent(tenant)}/destinations/new?${new URLSearchParams({ ...(way === 'other' ? {} : { type: way }), q: alert.selects, name: alert.name })}`;

/** A window in its largest whole unit. */
function windowOf(seconds: number): { n: number; unit: Unit } {
  const [unit, size] = UNITS.find(([, size]) => seconds % size === 0)!;
  return { n: seconds / size, unit };
}
const windowText = (seconds: number): string => {
  const { n, unit } = windowOf(seconds);
  return t(`alerts.window.${unit}`, { n });
};
const fieldName = (field: string): string => known(`field.${field}`) ?? field;

export function AlertsPage({ client, tenant, fresh }: { client: Client; tenant: string; fresh: boolean }) {
  const base = `/v1/tenants/${encodeURIComponent(tenant)}/alerts`;
  const { data, problem, reload } = useRead<{ data: Alert[] }>(client, base);
  const asked = new URLSearchParams(search.value);
  const begun = { name: asked.get('name') ?? '', filter: alertFilter(asked.get('filter') ?? ''), group_by: asked.get('group_by') || null, threshold: Number(asked.get('threshold')) || 10, window_seconds: 3600, enabled: true };
  const change = (alert: Alert) => (body: object) => client.send('PATCH', `${base}/${encodeURIComponent(alert.id)}`, body).then(reload);
  return (
    <div class="page">
      <PageHead title={t('alerts.title')} text={t('alerts.text')}>
        <AlertForm client={client} tenant={tenant} label={t('alerts.new')} first={begun} open={fresh} save={(body) => client.send('POST', base, body).then(reload)} />
      </PageHead>
      {problem && <ProblemBox problem={problem} retry={reload} />}
      {data?.data.length === 0 && <div class="empty"><h2>{t('alerts.none.title')}</h2><p>{t('alerts.none.text')}</p></div>}
      <ul class="cards">
        {data?.data.map((alert) => (
          <li key={alert.id} class="card">
            <h2>{visible(alert.name)} {!alert.enabled && <span class="tag">{t('alerts.off')}</span>}</h2>
            <p>{alert.group_by ? t('alerts.ruleBy', { n: alert.threshold, window: windowText(alert.window_seconds), field: fieldName(alert.group_by) }) : t('alerts.rule', { n: alert.threshold, window: windowText(alert.window_seconds) })}</p>
            <p class="mono wrap-any">{visible(alert.filter) || t('exports.everything')}</p>
            <p class="note">{alert.last_raised_at ? <>{t('alerts.last', { ago: ago(alert.last_raised_at, Date.now(), locale.value) })} · <Link to={searchOf(tenant, alert.selects)}>{t('alerts.show')}</Link></> : t('alerts.never')}</p>
            <div class="actions">
              <Link to={searchOf(tenant, alert.filter)} class="button">{t('alerts.matching')}</Link>
              <SendTo tenant={tenant} alert={alert} />
              <button type="button" onClick={() => void change(alert)({ enabled: !alert.enabled })}>{t(alert.enabled ? 'alerts.disable' : 'alerts.enable')}</button>
              <AlertForm plain client={client} tenant={tenant} label={t('alerts.change')} first={alert} save={change(alert)} />
              <Confirm danger label={t('alerts.delete')} question={t('alerts.deleteSure', { name: alert.name })} onYes={async () => { await client.send('DELETE', `${base}/${encodeURIComponent(alert.id)}`); reload(); }} />
            </div>
          </li>
        ))}
      </ul>
      <LastRaised client={client} tenant={tenant} />
      <Trail client={client} of={['alert.*']} tenant={tenant} />
    </div>
  );
}

const SendTo = ({ tenant, alert }: { tenant: string; alert: Alert }) => (
  <details class="menu">
    <summary>{t('alerts.send')}</summary>
    <div class="menu-body start">{WAYS.map((way) => <Link key={way} to={sendTo(tenant, alert, way)}>{t(`alerts.send.${way}`)}</Link>)}</div>
  </details>
);

type Rule = Pick<Alert, 'name' | 'filter' | 'threshold' | 'window_seconds' | 'group_by' | 'enabled'>;

function AlertForm({ client, tenant, label, first, save, plain = false, open = false }: { client: Client; tenant: string; label: string; first: Rule; save: (body: object) => Promise<unknown>; plain?: boolean; open?: boolean }) {
  const [filter, setFilter] = useState(first.filter);
  const window = windowOf(first.window_seconds);
  const send = async (form: FormData): Promise<void> => {
    const text = (name: string): string => String(form.get(name) ?? '').trim();
    const size = UNITS.find(([unit]) => unit === text('unit'))![1];
    await save({ name: text('name'), filter, threshold: Number(text('threshold')), window_seconds: Number(text('window')) * size, group_by: text('group_by'), enabled: form.get('enabled') === 'on' });
  };
  return (
    <FormDialog plain={plain} open={open} label={label} title={label} submit={t('alerts.save')} refuse={filterProblem(filter) !== ''} onSubmit={send}>
      <label>{t('wizard.name')} <input name="name" required maxLength={128} defaultValue={first.name} autocomplete="off" /></label>
      <label>{t('retention.filter')} <input class="mono" maxLength={8192} spellcheck={false} value={filter} onInput={(event) => setFilter(event.currentTarget.value)} /></label>
      <FilterCount client={client} tenant={tenant} filter={filter} />
      <div class="row">
        <label>{t('alerts.threshold')} <input name="threshold" type="number" required min={1} max={1000} defaultValue={String(first.threshold)} /></label>
        <label>{t('alerts.within')} <input name="window" type="number" required min={1} defaultValue={String(window.n)} /></label>
        <label>{t('alerts.unit')} <select name="unit">{UNITS.map(([unit]) => <option key={unit} value={unit} selected={unit === window.unit}>{t(`alerts.unit.${unit}`)}</option>)}</select></label>
      </div>
      <label>{t('alerts.groupBy')} <input name="group_by" class="mono" spellcheck={false} list="alert-fields" defaultValue={first.group_by ?? ''} aria-describedby="alert-group" /></label>
      <datalist id="alert-fields">{FACETS.map((path) => <option key={path} value={path} />)}</datalist>
      <p class="note" id="alert-group">{t('alerts.groupHint')}</p>
      <label class="check"><input type="checkbox" name="enabled" defaultChecked={first.enabled} /> {t('alerts.enabled')}</label>
    </FormDialog>
  );
}

/** What was raised, from the tenant's own log. */
function LastRaised({ client, tenant }: { client: Client; tenant: string }) {
  const { data } = useRead<{ data: Event[] }>(client, `/v1/events?tenant=${encodeURIComponent(tenant)}&limit=${RAISED_SHOWN}&filter=${encodeURIComponent(RAISED)}`);
  if (!data || data.data.length === 0) return null;
  return (
    <section>
      <h2>{t('alerts.raised')}</h2>
      <table class="list">
        <thead><tr><th scope="col">{t('column.time')}</th><th scope="col">{t('alerts.alert')}</th><th scope="col">{t('alerts.group')}</th><th scope="col" class="end">{t('tenants.events')}</th><th scope="col">Seq</th></tr></thead>
        <tbody>
          {data.data.map((event) => {
            const raised = (event['metadata'] ?? {}) as Raised;
            const [first, last] = [raised.first_seq, raised.last_seq];
            return (
              <tr key={event.id}>
                <td><Link to={`/console/t/${encodeURIComponent(tenant)}/e/${event.id}`}>{formatTime(event.received_at, 'local', locale.value)}</Link></td>
                <td>{visible(event.targets?.[0]?.name ?? event.targets?.[0]?.id ?? '')}</td>
                <td class="wrap-any">{visible(raised.group ?? '') || '–'}</td>
                <td class="end mono">{raised.count === undefined ? '–' : number(raised.count)}</td>
                <td class="mono">{first === undefined || last === undefined ? '–' : <Link to={searchOf(tenant, `seq>=${first} seq<=${last}`)}>{number(first)}–{number(last)}</Link>}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}
