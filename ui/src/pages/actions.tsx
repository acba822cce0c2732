// What applications may say: the known actions, those this tenant's events have, and the schemas that were set.

import known from 'virtual:actions';
import { useMemo, useState } from 'preact/hooks';
import { printJson, type Client, type Json } from '../client.ts';
import { Link } from '../router.ts';
import { locale, number, t, type Key } from '../text.ts';
import { formatTime } from '../time.ts';
import { visible } from '../viewer/detail.tsx';
import { ProblemBox } from '../viewer/viewer.tsx';
import type { Facet } from '../viewer/view.ts';
import { PageHead, useRead } from './parts.tsx';

type Schema = { action: string; version: number; schema: Json; created_at: string; violations: number };
/** Values of a facet that one question gives at most. */
const SEEN_MAX = 100;

export function ActionsPage({ client, tenant, admin }: { client: Client; tenant: string; admin: boolean }) {
  const [wanted, setWanted] = useState('');
  const [onlySeen, setOnlySeen] = useState(false);
  const seen = useRead<{ data: Facet[] }>(client, `/v1/events/facets?tenant=${encodeURIComponent(tenant)}&fields=action&limit=${SEEN_MAX}`);
  const schemas = useRead<{ data: Schema[]; mode: string }>(client, admin ? '/v1/actions' : '');
  const counts = useMemo(() => new Map(seen.data?.data[0]?.values.map(({ value, count }) => [value, count])), [seen.data]);
  const bySchema = useMemo(() => new Map(schemas.data?.data.map((one) => [one.action, one])), [schemas.data]);
  const names = useMemo(() => [...new Set([...counts.keys(), ...bySchema.keys(), ...Object.keys(known)])].sort(), [counts, bySchema]);
  const text = wanted.trim().toLowerCase();
  const shown = names.filter((name) => (!onlySeen || counts.has(name)) && (!text || name.toLowerCase().includes(text) || (known[name]?.[3] ?? '').toLowerCase().includes(text)));
  return (
    <div class="page">
      <PageHead title={t('actions.title')} text={t('actions.text')} />
      {[seen, schemas].map(({ problem, reload }, at) => problem && <ProblemBox key={at} problem={problem} retry={reload} />)}
      {schemas.data && <p>{t(`actions.mode.${schemas.data.mode}` as Key)}</p>}
      <div class="actions">
        <label>{t('actions.find')} <input type="search" value={wanted} onInput={(event) => setWanted(event.currentTarget.value)} /></label>
        <label class="check"><input type="checkbox" checked={onlySeen} onChange={() => setOnlySeen(!onlySeen)} /> {t('actions.onlySeen')}</label>
        <span class="note" role="status">{t('actions.count', { n: shown.length })}</span>
      </div>
      <table class="list">
        <thead><tr><th scope="col">{t('column.action')}</th><th scope="col">{t('actions.says')}</th><th scope="col">{t('actions.category')}</th><th scope="col" class="end">{t('actions.severity')}</th><th scope="col">{t('column.outcome')}</th><th scope="col" class="end">{t('tenants.events')}</th><th scope="col">{t('actions.schema')}</th></tr></thead>
        <tbody>
          {shown.map((name) => {
            const [category = 'other', severity = '3', outcome = 'unknown', says = ''] = known[name] ?? [];
            const count = counts.get(name);
            const schema = bySchema.get(name);
            return (
              <tr key={name}>
                <th scope="row"><code>{visible(name)}</code></th>
                <td>{says}</td>
                <td>{category}</td>
                <td class="end mono">{severity}</td>
                <td>{t(`outcome.${outcome}` as Key)}</td>
                <td class="end mono">{count ? <Link to={`/console/t/${encodeURIComponent(tenant)}/events?range=all&q=${encodeURIComponent(`action=${JSON.stringify(name)}`)}`}>{number(count)}</Link> : '–'}</td>
                <td>{schema ? <SchemaOf schema={schema} /> : '–'}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {(seen.data?.data[0]?.other ?? 0) > 0 && <p class="note">{t('actions.more', { n: SEEN_MAX })}</p>}
    </div>
  );
}

const SchemaOf = ({ schema }: { schema: Schema }) => (
  <details>
    <summary>{t('actions.version', { n: schema.version, time: formatTime(schema.created_at, 'local', locale.value) })}{schema.violations > 0 && <b class="warn"> · {t('actions.violations', { n: schema.violations })}</b>}</summary>
    <pre class="code" tabIndex={0}>{visible(printJson(schema.schema))}</pre>
  </details>
);
