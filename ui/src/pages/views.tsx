// Questions that are asked again and again: the list, and the answer of one. Each has an address of its own.

import type { Client, Event } from '../client.ts';
import { all } from '../filter/ast.ts';
import { parse } from '../filter/parse.ts';
import { print } from '../filter/print.ts';
import { Link, navigate, search } from '../router.ts';
import { known, number, t, type Key } from '../text.ts';
import { CopyButton, visible } from '../viewer/copy.tsx';
import { FACETS, type Facet } from '../viewer/view.ts';
import { ProblemBox } from '../viewer/viewer.tsx';
import { Timeline } from './about.tsx';
import { alertFilter, alertsPage } from './alerts.tsx';
import { filterProblem } from './count.tsx';
import { Confirm, FormDialog, PageHead, useRead } from './parts.tsx';
import { Trail } from './trail.tsx';

export type SavedView = { id: string; name: string; filter: string; group_by: string[]; min_count: number; shipped: boolean };
type Answer = { view: SavedView; filter: string; groups: Facet[]; count: number | null; complete: boolean; events: Event[] };

/** What stands in a shipped filter for the object that is asked about. */
const TARGET = '$target';

export const viewsOf = (tenant: string): string => `/v1/tenants/${encodeURIComponent(tenant)}/saved-views`;
const page = (tenant: string, id = ''): string => `/console/t/${encodeURIComponent(tenant)}/views${id && `/${encodeURIComponent(id)}`}`;
const searchOf = (tenant: string, filter: string): string => `/console/t/${encodeURIComponent(tenant)}/events?range=all&q=${encodeURIComponent(filter)}`;
/** The shipped questions in the reader's language; those of people as they wrote them. */
export const nameOf = (view: SavedView): string => (view.shipped ? known(`view.${view.id}`) : undefined) ?? visible(view.name);

export function ViewsPage({ client, tenant, admin, alerts, id }: { client: Client; tenant: string; admin: boolean; alerts: boolean; id: string | undefined }) {
  return id ? <One key={id} client={client} tenant={tenant} admin={admin} alerts={alerts} id={id} /> : <All client={client} tenant={tenant} admin={admin} />;
}

function All({ client, tenant, admin }: { client: Client; tenant: string; admin: boolean }) {
  const { data, problem, reload } = useRead<{ data: SavedView[] }>(client, viewsOf(tenant));
  const make = async (form: FormData): Promise<void> => {
    const made = await client.send<SavedView>('POST', viewsOf(tenant), bodyOf(form));
    navigate(page(tenant, made.id));
  };
  return (
    <div class="page">
      <PageHead title={t('views.title')} text={t('views.text')}>
        {admin && <FormDialog label={t('views.new')} title={t('views.new')} submit={t('views.save')} onSubmit={make}><Fields /></FormDialog>}
      </PageHead>
      {problem && <ProblemBox problem={problem} retry={reload} />}
      {data && (
        <table class="list">
          <thead><tr><th scope="col">{t('views.name')}</th><th scope="col">{t('retention.filter')}</th><th scope="col">{t('views.groups')}</th><td /></tr></thead>
          <tbody>
            {data.data.map((view) => (
              <tr key={view.id}>
                <th scope="row"><Link to={page(tenant, view.id)}>{nameOf(view)}</Link>{view.shipped && <> <span class="tag">{t('views.shipped')}</span></>}</th>
                <td class="mono wrap-any">{visible(view.filter) || t('exports.everything')}</td>
                <td class="mono wrap-any">{view.group_by.join(', ') || '–'}{view.min_count > 1 && ` ≥ ${number(view.min_count)}`}</td>
                <td class="end actions">{!view.shipped && admin && <Own client={client} tenant={tenant} view={view} changed={reload} gone={reload} />}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <Trail client={client} of={['view.*']} tenant={tenant} />
    </div>
  );
}

function bodyOf(form: FormData) {
  const text = (name: string): string => String(form.get(name) ?? '').trim();
  return { name: text('name'), filter: text('filter'), group_by: text('group_by').split(',').map((path) => path.trim()).filter(Boolean), min_count: Number(text('min_count') || 1) };
}

function Fields({ view, filter }: { view?: SavedView; filter?: string }) {
  return (
    <>
      <label>{t('views.name')} <input name="name" required maxLength={128} defaultValue={view?.name} autocomplete="off" /></label>
      <label>{t('retention.filter')} <input name="filter" class="mono" maxLength={8192} spellcheck={false} defaultValue={view?.filter ?? filter} /></label>
      <label>{t('views.groupBy')} <input name="group_by" class="mono" spellcheck={false} list="views-paths" defaultValue={view?.group_by.join(', ')} /></label>
      <datalist id="views-paths">{FACETS.map((path) => <option key={path} value={path} />)}</datalist>
      <label>{t('views.least')} <input name="min_count" type="number" min={1} defaultValue={String(view?.min_count ?? 1)} /></label>
    </>
  );
}

/** What can be done with a view that people saved. */
function Own({ client, tenant, view, changed, gone }: { client: Client; tenant: string; view: SavedView; changed: () => void; gone: () => void }) {
  const path = `${viewsOf(tenant)}/${encodeURIComponent(view.id)}`;
  return (
    <>
      <FormDialog plain label={t('views.change')} title={t('views.change')} submit={t('views.save')} onSubmit={async (form) => { await client.send('PATCH', path, bodyOf(form)); changed(); }}><Fields view={view} /></FormDialog>
      <Confirm danger label={t('views.delete')} question={t('views.deleteSure', { name: view.name })} onYes={async () => { await client.send('DELETE', path); gone(); }} />
    </>
  );
}

/** The answer: counts by the view's paths, and the newest events. */
function One({ client, tenant, admin, alerts, id }: { client: Client; tenant: string; admin: boolean; alerts: boolean; id: string }) {
  const list = useRead<{ data: SavedView[] }>(client, viewsOf(tenant));
  const view = list.data?.data.find((one) => one.id === id);
  const target = new URLSearchParams(search.value).get('target') ?? '';
  const asks = view?.filter.includes(TARGET) ?? false;
  const ready = view && (!asks || target !== '');
  const query = asks && target ? `?target=${encodeURIComponent(target)}` : '';
  const { data: found, problem, reload } = useRead<Answer>(client, ready ? `${viewsOf(tenant)}/${encodeURIComponent(id)}/results${query}` : '');
  if (list.problem) return <div class="page"><h1>{t('views.title')}</h1><ProblemBox problem={list.problem} retry={list.reload} /></div>;
  if (!list.data) return <div class="page"><p role="status">{t('loading')}</p></div>;
  if (!view) return <div class="page"><p><Link to={page(tenant)}>← {t('views.back')}</Link></p><h1>{t('views.gone')}</h1></div>;
  const again = (): void => (list.reload(), reload());
  return (
    <div class="page">
      <p><Link to={page(tenant)}>← {t('views.back')}</Link></p>
      <PageHead title={nameOf(view)} text={found?.filter ?? view.filter}>
        <div class="actions">
          {found && <Link to={searchOf(tenant, found.filter)} class="button">{t('views.open')}</Link>}
          <CopyButton label={t('views.copyLink')} text={() => location.href} />
          {alerts && !asks && <Link to={alertsPage(tenant, { name: nameOf(view), filter: alertFilter(view.filter), group_by: view.group_by[0] ?? '', threshold: String(view.min_count) })} class="button">{t('alerts.ofView')}</Link>}
          {!view.shipped && admin && <Own client={client} tenant={tenant} view={view} changed={again} gone={() => navigate(page(tenant))} />}
        </div>
      </PageHead>
      {asks && (
        <form class="actions" onSubmit={(event) => { event.preventDefault(); navigate(`${page(tenant, id)}?target=${encodeURIComponent(String(new FormData(event.currentTarget).get('target')))}`); }}>
          <label>{t('views.target')} <input name="target" required defaultValue={target} key={target} spellcheck={false} autocomplete="off" /></label>
          <button type="submit" class="primary">{t('views.ask')}</button>
        </form>
      )}
      {problem && <ProblemBox problem={problem} retry={reload} />}
      {ready && !found && !problem && <p role="status">{t('loading')}</p>}
      {found && (
        <>
          <p role="status">{found.count !== null ? t('views.count', { n: found.count }) : t('views.count', { n: found.events.length })}{!found.complete && <span class="note"> {t('views.partial')}</span>}</p>
          {found.groups.some(({ values }) => values.length > 0) ? <div class="about-counts">{found.groups.map((group) => <Group key={group.field} tenant={tenant} filter={found.filter} group={group} />)}</div>
            : view.group_by.length > 0 && <p class="note">{t('views.noGroup', { n: view.min_count })}</p>}
          <h2>{t('about.newest')}</h2>
          {found.events.length === 0 ? <p>{t('histogram.none')}</p> : <Timeline tenant={tenant} events={found.events} />}
        </>
      )}
    </div>
  );
}

function Group({ tenant, filter, group }: { tenant: string; filter: string; group: Facet }) {
  if (group.values.length === 0) return null;
  const to = (value: string): string => searchOf(tenant, print(all([parse(filter), { field: group.field, op: '=', value }])));
  return (
    <section class="card">
      <h3>{known(`field.${group.field}`) ?? group.field}</h3>
      <ul>{group.values.map(({ value, count }) => <li key={value}>{filterProblem(filter) ? visible(value) : <Link to={to(value)}>{group.field === 'outcome' ? t(`outcome.${value}` as Key) : visible(value)}</Link>} <span class="note">{number(count)}</span></li>)}</ul>
    </section>
  );
}
