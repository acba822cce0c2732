// What applications may say: the known actions, those this tenant's events have, and the schemas that were set.

import known from 'virtual:actions';
import { useMemo, useState } from 'preact/hooks';
import { printJson, type Client, type Json } from '../client.ts';
import { Link } from '../router.ts';
import { locale, number, t, type Key } from '../text.ts';
import { formatTime } from '../time.ts';
import { visible } from '../viewer/copy.tsx';
import { ProblemBox } from '../viewer/viewer.tsx';
import type { Facet } from '../viewer/view.ts';
import { FormDialog, PageHead, useRead } from './parts.tsx';
import { Trail } from './trail.tsx';

type Schema = { action: string; version: number; schema: Json; created_at: string; violations: number };
const MODES = ['off', 'warn', 'enforce'] as const;
/** What the form of a new schema begins with. */
const BLANK = { metadata: { type: 'object', properties: {} } };
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
      {schemas.data && (
        <div class="actions">
          <label>{t('schemas.mode')} <select value={schemas.data.mode} onChange={(event) => void client.send('PUT', '/v1/actions', { mode: event.currentTarget.value }).then(schemas.reload)}>{MODES.map((mode) => <option key={mode} value={mode}>{t(`schemas.mode.${mode}`)}</option>)}</select></label>
          <span class="note">{t(`actions.mode.${schemas.data.mode}` as Key)}</span>
          <SchemaForm client={client} label={t('schemas.new')} schema={BLANK} done={schemas.reload} />
        </div>
      )}
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
                <td>{schema ? <SchemaOf client={client} schema={schema} done={schemas.reload} /> : '–'}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {(seen.data?.data[0]?.other ?? 0) > 0 && <p class="note">{t('actions.more', { n: SEEN_MAX })}</p>}
      {admin && <Trail client={client} of={['action.*']} />}
    </div>
  );
}

function SchemaOf({ client, schema, done }: { client: Client; schema: Schema; done: () => void }) {
  const [open, setOpen] = useState(false);
  const versions = useRead<{ data: Schema[] }>(client, open ? `/v1/actions/${encodeURIComponent(schema.action)}` : '');
  const older = versions.data?.data.filter(({ version }) => version < schema.version).reverse() ?? [];
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{t('actions.version', { n: schema.version, time: formatTime(schema.created_at, 'local', locale.value) })}{schema.violations > 0 && <b class="warn"> · {t('actions.violations', { n: schema.violations })}</b>}</summary>
      <pre class="code" tabIndex={0}>{visible(printJson(schema.schema))}</pre>
      <SchemaForm plain client={client} label={t('schemas.next')} action={schema.action} schema={schema.schema} done={() => (done(), versions.reload())} />
      {older.map((one) => <details key={one.version}><summary>{t('actions.version', { n: one.version, time: formatTime(one.created_at, 'local', locale.value) })}</summary><pre class="code" tabIndex={0}>{visible(printJson(one.schema))}</pre></details>)}
    </details>
  );
}

/** A new version of a schema, as JSON; what is no JSON is said before it is sent. */
function SchemaForm({ client, label, action, schema, done, plain = false }: { client: Client; label: string; action?: string; schema: Json; done: () => void; plain?: boolean }) {
  const [text, setText] = useState<string | null>(null);
  let wrong = '';
  try {
    JSON.parse(text ?? '{}');
  } catch (error) {
    wrong = (error as Error).message;
  }
  const save = async (form: FormData): Promise<void> => {
    const body = JSON.parse(text ?? printJson(schema)) as object;
    await client.send('POST', `/v1/actions/${encodeURIComponent(action ?? String(form.get('action')).trim())}`, body);
    setText(null);
    done();
  };
  return (
    <FormDialog plain={plain} label={label} title={action ? `${label}: ${action}` : label} submit={t('schemas.save')} refuse={wrong !== ''} onSubmit={save}>
      {!action && <label>{t('column.action')} <input name="action" required class="mono" pattern="[a-z0-9_]+(\.[a-z0-9_]+)+" placeholder="invoice.paid" spellcheck={false} autocomplete="off" /></label>}
      <label>{t('schemas.json')} <textarea class="mono" rows={12} spellcheck={false} value={text ?? printJson(schema)} onInput={(event) => setText(event.currentTarget.value)} aria-invalid={wrong !== ''} /></label>
      <p class="note">{t('schemas.hint')}</p>
      {wrong && <p class="warn" role="status">{t('schemas.noJson', { detail: wrong })}</p>}
    </FormDialog>
  );
}
