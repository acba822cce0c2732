// The life of a tenant's data: how long it is kept, what a legal hold keeps, what was erased.

import { useState } from 'preact/hooks';
import { type Client, type Problem } from '../client.ts';
import { locale, number, t, type Key } from '../text.ts';
import { formatTime } from '../time.ts';
import { visible } from '../viewer/copy.tsx';
import { ProblemBox } from '../viewer/viewer.tsx';
import { Confirm, FormDialog, PageHead, download, useRead } from './parts.tsx';
import { RedactionPart } from './redaction.tsx';
import { Trail } from './trail.tsx';

type Class = { name: string; filter: string; keep: string };
type Policy = { keep?: string; preset?: string; hot?: string; classes?: Class[]; minimum?: string; maximum?: string; lock?: boolean };
type Retention = { policy: Policy; source: 'tenant' | 'environment' | 'default' };
type Preview = { events: number; held: number; oldest_received_at: string | null; newest_received_at: string | null; classes: { name: string | null; events: number }[] };
type Run = { id: string; tenant: string | null; started_at: string; state: string; events: number; held: number; budget_spent: boolean; error: string | null };
type Hold = { id: string; name: string; filter: string; custodians: string[]; reason: string; state: string; placed_at: string; placed_by: string; released_at: string | null; released_by: string | null };
type Erasure = { id: string; state: string; by: string | null; legal_basis: string; created_at: string; created_by: string; done_at: string | null; holds: string[]; events: number | null; fields: number | null };

const REFRESH_MS = 3000;
const RUNS_SHOWN = 10;
const time = (iso: string): string => formatTime(iso, 'local', locale.value);
const lines = (text: FormDataEntryValue | null): string[] => String(text ?? '').split(/[\n,]/).map((one) => one.trim()).filter(Boolean);

export function GovernPage({ client, tenant }: { client: Client; tenant: string }) {
  const base = `/v1/tenants/${encodeURIComponent(tenant)}`;
  return (
    <div class="page">
      <PageHead title={t('govern.title')} text={t('govern.text')} />
      <RetentionPart client={client} base={base} tenant={tenant} />
      <HoldsPart client={client} base={base} />
      <ErasuresPart client={client} base={base} />
      <RedactionPart client={client} tenant={tenant} />
      <Trail client={client} of={['retention.*', 'hold.*', 'erasure.*', 'redaction.*']} tenant={tenant} />
    </div>
  );
}

function RetentionPart({ client, base, tenant }: { client: Client; base: string; tenant: string }) {
  const { data, problem, reload } = useRead<Retention>(client, `${base}/retention`);
  const runs = useRead<{ data: Run[] }>(client, '/v1/retention/runs', REFRESH_MS);
  const [preview, setPreview] = useState<Preview | null>(null);
  const [failed, setFailed] = useState<Problem | null>(null);
  const dryRun = async (policy?: Policy): Promise<void> => {
    try {
      setPreview(await client.send<Preview>('POST', `${base}/retention/preview`, policy ? { policy } : {}));
      setFailed(null);
    } catch (error) {
      setFailed(error as Problem);
    }
  };
  const policy = data?.policy;
  const mine = runs.data?.data.filter((run) => run.tenant === null || run.tenant === tenant).slice(0, RUNS_SHOWN) ?? [];
  return (
    <section class="card" aria-labelledby="govern-retention">
      <h2 id="govern-retention">{t('retention.title')}{policy?.lock && <span class="tag">{t('retention.locked')}</span>}</h2>
      {problem && <ProblemBox problem={problem} retry={reload} />}
      {policy && (
        <>
          <p>{t('retention.keeps', { period: policy.keep ?? policy.preset ?? 'unlimited' })} <span class="note">{t(`retention.source.${data.source}` as Key)}</span></p>
          {(policy.classes?.length ?? 0) > 0 && (
            <table class="list">
              <thead><tr><th scope="col">{t('retention.class')}</th><th scope="col">{t('retention.filter')}</th><th scope="col">{t('retention.keep')}</th></tr></thead>
              <tbody>{policy.classes!.map((one) => <tr key={one.name}><th scope="row">{visible(one.name)}</th><td class="mono wrap-any">{visible(one.filter)}</td><td class="mono">{one.keep}</td></tr>)}</tbody>
            </table>
          )}
          <div class="actions">
            <button type="button" onClick={() => void dryRun()}>{t('retention.dryRun')}</button>
            <PolicyForm policy={policy} preview={dryRun} save={async (next) => { await client.send('PUT', `${base}/retention`, next); setPreview(null); reload(); }} />
            <Confirm danger label={t('retention.run')} question={t('retention.runSure')} onYes={async () => { await client.send('POST', `${base}/retention/runs`); setPreview(null); runs.reload(); }} />
          </div>
        </>
      )}
      {failed && <ProblemBox problem={failed} />}
      {preview && (
        <div class="receipt" role="status">
          <p>{t('retention.would', { n: preview.events })}{preview.held > 0 && ` ${t('retention.held', { n: preview.held })}`}{preview.oldest_received_at && preview.newest_received_at && <span class="note"> {time(preview.oldest_received_at)} – {time(preview.newest_received_at)}</span>}</p>
          {preview.classes.length > 0 && <ul>{preview.classes.map((one) => <li key={one.name ?? ''}>{one.name === null ? t('retention.other') : visible(one.name)}: {number(one.events)}</li>)}</ul>}
        </div>
      )}
      {mine.length > 0 && (
        <details><summary>{t('retention.runs')}</summary>
          <ul>{mine.map((run) => <li key={run.id}>{time(run.started_at)} · {t('retention.ran', { n: run.events })} · {run.state}{run.budget_spent && ` · ${t('retention.goesOn')}`}{run.error && <span class="warn"> {visible(run.error)}</span>}</li>)}</ul>
        </details>
      )}
    </section>
  );
}

function PolicyForm({ policy, preview, save }: { policy: Policy; preview: (policy: Policy) => Promise<void>; save: (policy: Policy) => Promise<void> }) {
  const [classes, setClasses] = useState<Class[]>(policy.classes ?? []);
  const change = (at: number, name: keyof Class) => (event: { currentTarget: { value: string } }): void => setClasses(classes.map((one, other) => (other === at ? { ...one, [name]: event.currentTarget.value } : one)));
  const read = (form: FormData): Policy => {
    const { preset: _, ...rest } = policy;
    return { ...rest, keep: String(form.get('keep')), classes, lock: form.get('lock') === 'on' };
  };
  return (
    <FormDialog label={t('retention.change')} title={t('retention.change')} submit={t('retention.save')} onSubmit={(form) => save(read(form))}>
      <label>{t('retention.keep')} <input name="keep" required class="mono" defaultValue={policy.keep ?? policy.preset ?? 'unlimited'} aria-describedby="retention-keep" /></label>
      <p class="note" id="retention-keep">{t('retention.keepHint')}</p>
      {classes.map((one, at) => (
        <fieldset key={at}><legend>{t('retention.class')} {at + 1}</legend>
          <label>{t('wizard.name')} <input required value={one.name} onInput={change(at, 'name')} /></label>
          <label>{t('retention.filter')} <input required class="mono" value={one.filter} onInput={change(at, 'filter')} spellcheck={false} /></label>
          <label>{t('retention.keep')} <input required class="mono" value={one.keep} onInput={change(at, 'keep')} /></label>
          <button type="button" onClick={() => setClasses(classes.filter((_, other) => other !== at))}>{t('retention.without')}</button>
        </fieldset>
      ))}
      <button type="button" onClick={() => setClasses([...classes, { name: '', filter: '', keep: '' }])}>{t('retention.addClass')}</button>
      <label class="check"><input type="checkbox" name="lock" defaultChecked={policy.lock ?? false} disabled={policy.lock ?? false} /> {t('retention.lock')}</label>
      <button type="button" onClick={(event) => void preview(read(new FormData(event.currentTarget.form!)))}>{t('retention.dryRunThis')}</button>
    </FormDialog>
  );
}

function HoldsPart({ client, base }: { client: Client; base: string }) {
  const { data, problem, reload } = useRead<{ data: Hold[] }>(client, `${base}/holds`);
  const place = async (form: FormData): Promise<void> => {
    const text = (name: string): string => String(form.get(name) ?? '').trim();
    await client.send('POST', `${base}/holds`, { name: text('name'), filter: text('filter'), custodians: lines(form.get('custodians')), reason: text('reason') });
    reload();
  };
  return (
    <section class="card" aria-labelledby="govern-holds">
      <div class="page-head"><div><h2 id="govern-holds">{t('holds.title')}</h2><p class="note">{t('holds.text')}</p></div>
        <FormDialog label={t('holds.place')} title={t('holds.place')} submit={t('holds.place')} onSubmit={place}>
          <label>{t('wizard.name')} <input name="name" required maxLength={200} /></label>
          <label>{t('exports.filter')} <input name="filter" class="mono" spellcheck={false} /></label>
          <label>{t('holds.custodians')} <input name="custodians" /></label>
          <label>{t('holds.reason')} <input name="reason" /></label>
        </FormDialog>
      </div>
      {problem && <ProblemBox problem={problem} retry={reload} />}
      {data?.data.length === 0 && <p>{t('holds.none')}</p>}
      {data && data.data.length > 0 && (
        <table class="list">
          <thead><tr><th scope="col">{t('wizard.name')}</th><th scope="col">{t('holds.keeps')}</th><th scope="col">{t('holds.since')}</th><th scope="col">{t('tenants.state')}</th><td /></tr></thead>
          <tbody>
            {data.data.map((hold) => (
              <tr key={hold.id}>
                <th scope="row">{visible(hold.name)}{hold.reason && <p class="note">{visible(hold.reason)}</p>}</th>
                <td class="mono wrap-any">{visible([hold.filter, ...hold.custodians].filter(Boolean).join(' · ')) || t('exports.everything')}</td>
                <td>{time(hold.placed_at)} · {visible(hold.placed_by)}</td>
                <td>{hold.released_at ? t('holds.released', { time: time(hold.released_at) }) : t('holds.inForce')}</td>
                <td class="end">{!hold.released_at && <Confirm danger label={t('holds.release')} question={t('holds.releaseSure', { name: hold.name })} onYes={async () => { await client.send('POST', `${base}/holds/${hold.id}/release`); reload(); }} />}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function ErasuresPart({ client, base }: { client: Client; base: string }) {
  const { data, problem, reload } = useRead<{ data: Erasure[] }>(client, `${base}/erasures`, REFRESH_MS);
  const [failed, setFailed] = useState<Problem | null>(null);
  const request = async (form: FormData): Promise<void> => {
    const by = String(form.get('by'));
    const value = by === 'filter' ? String(form.get('value')).trim() : lines(form.get('value'));
    const fields = lines(form.get('fields'));
    await client.send('POST', `${base}/erasures`, { legal_basis: String(form.get('basis')).trim(), [by]: value, ...(fields.length > 0 ? { fields } : {}) });
    reload();
  };
  const certificate = async (id: string): Promise<void> => {
    try {
      await download(client, `${base}/erasures/${id}/certificate`, `${id}.certificate.txt`);
      setFailed(null);
    } catch (error) {
      setFailed(error as Problem);
    }
  };
  return (
    <section class="card" aria-labelledby="govern-erasures">
      <div class="page-head"><div><h2 id="govern-erasures">{t('erasures.title')}</h2><p class="note">{t('erasures.text')}</p></div>
        <FormDialog label={t('erasures.new')} title={t('erasures.new')} submit={t('erasures.erase')} onSubmit={request}>
          <p class="warn">{t('erasures.warn')}</p>
          <label>{t('erasures.basis')} <input name="basis" required maxLength={500} placeholder="GDPR Art. 17(1)(b)" aria-describedby="erasure-basis" /></label>
          <p class="note" id="erasure-basis">{t('erasures.basisHint')}</p>
          <label>{t('erasures.by')} <select name="by"><option value="subject">{t('erasures.by.subject')}</option><option value="filter">{t('erasures.by.filter')}</option><option value="events">{t('erasures.by.events')}</option></select></label>
          <label>{t('erasures.value')} <input name="value" required class="mono" spellcheck={false} aria-describedby="erasure-value" /></label>
          <p class="note" id="erasure-value">{t('erasures.valueHint')}</p>
          <label>{t('erasures.fields')} <input name="fields" class="mono" placeholder="/actor/email, /context/ip" /></label>
        </FormDialog>
      </div>
      {problem && <ProblemBox problem={problem} retry={reload} />}
      {failed && <ProblemBox problem={failed} />}
      {data?.data.length === 0 && <p>{t('erasures.none')}</p>}
      {data && data.data.length > 0 && (
        <table class="list">
          <thead><tr><th scope="col">{t('erasures.asked')}</th><th scope="col">{t('erasures.basis')}</th><th scope="col">{t('tenants.state')}</th><th scope="col" class="end">{t('tenants.events')}</th><th scope="col" class="end">{t('detail.fields')}</th><td /></tr></thead>
          <tbody>
            {data.data.map((one) => (
              <tr key={one.id}>
                <th scope="row">{time(one.created_at)}<p class="note">{visible(one.created_by)}</p></th>
                <td>{visible(one.legal_basis)}</td>
                <td>{t(`erasures.state.${one.state}` as Key)}{one.holds.length > 0 && <span class="note"> {one.holds.join(', ')}</span>}</td>
                <td class="end mono">{one.events === null ? '–' : number(one.events)}</td>
                <td class="end mono">{one.fields === null ? '–' : number(one.fields)}</td>
                <td class="end">{one.state === 'done' && <button type="button" onClick={() => void certificate(one.id)}>{t('erasures.certificate')}</button>}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
