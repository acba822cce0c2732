// Exports: ask for one, see it grow, fetch it, compare its digest, read its manifest.

import { useRef, useState } from 'preact/hooks';
import { printJson, type Client, type Json, type Problem } from '../client.ts';
import { search } from '../router.ts';
import { locale, t } from '../text.ts';
import { fromInput, toInput } from '../inputs.ts';
import { formatTime } from '../time.ts';
import { CopyButton, visible } from '../viewer/copy.tsx';
import { ProblemBox } from '../viewer/viewer.tsx';
import { Confirm, FormDialog, PageHead, download, useRead } from './parts.tsx';
import { Trail } from './trail.tsx';

type Export = {
  id: string; state: 'queued' | 'running' | 'complete' | 'failed' | 'expired'; reason: string | null; format: string; filter: string; from: string | null; to: string | null;
  size: number; scanned: number; events: number; bytes: number | null; sha256: string | null; requested_by: string; created_at: string; expires_at: string | null;
};

const REFRESH_MS = 2000;
const FORMATS = ['ndjson', 'json', 'csv', 'cef', 'parquet', 'evidence'];
const GLYPH = { queued: '…', running: '↻', complete: '✓', failed: '✕', expired: '–' };

export function ExportsPage({ client, tenant }: { client: Client; tenant: string }) {
  const base = `/v1/tenants/${encodeURIComponent(tenant)}/exports`;
  const { data, problem, reload } = useRead<{ data: Export[] }>(client, base, REFRESH_MS);
  const wanted = new URLSearchParams(search.value);
  const make = async (form: FormData): Promise<void> => {
    const text = (name: string): string => String(form.get(name) ?? '').trim();
    const body: Record<string, string> = { format: text('format') };
    for (const name of ['filter', 'prefix']) if (text(name)) body[name] = text(name);
    for (const name of ['from', 'to']) {
      const time = fromInput(text(name), 'utc');
      if (time) body[name] = time;
    }
    await client.send('POST', base, body);
    reload();
  };
  return (
    <div class="page">
      <PageHead title={t('exports.title')} text={t('exports.text')}>
        <FormDialog open={wanted.has('new')} label={t('exports.new')} title={t('exports.new')} submit={t('exports.make')} onSubmit={make}>
          <label>{t('exports.format')} <select name="format">{FORMATS.map((format) => <option key={format}>{format}</option>)}</select></label>
          <label>{t('exports.filter')} <input name="filter" class="mono" maxLength={8192} spellcheck={false} defaultValue={wanted.get('q') ?? ''} /></label>
          <p class="note">{t('wizard.filterHint')}</p>
          <label>{t('exports.from')} <input type="datetime-local" step="1" name="from" defaultValue={toInput(wanted.get('from') ?? undefined, 'utc')} /></label>
          <label>{t('exports.to')} <input type="datetime-local" step="1" name="to" defaultValue={toInput(wanted.get('to') ?? undefined, 'utc')} /></label>
          <label>{t('exports.prefix')} <input name="prefix" pattern="[A-Za-z0-9]{1,32}" aria-describedby="export-prefix" autocomplete="off" /></label>
          <p class="note" id="export-prefix">{t('exports.prefixHint')}</p>
        </FormDialog>
      </PageHead>
      {problem && <ProblemBox problem={problem} retry={reload} />}
      {data?.data.length === 0 && <div class="empty"><h2>{t('exports.none.title')}</h2><p>{t('exports.none.text')}</p></div>}
      <ul class="cards">{data?.data.map((one) => <li key={one.id} class="card"><One client={client} base={base} one={one} reload={reload} /></li>)}</ul>
      <Trail client={client} of={['export.*', 'certificate.*']} tenant={tenant} />
    </div>
  );
}

function One({ client, base, one, reload }: { client: Client; base: string; one: Export; reload: () => void }) {
  const path = `${base}/${encodeURIComponent(one.id)}`;
  const [problem, setProblem] = useState<Problem | null>(null);
  const fetchFile = async (): Promise<void> => {
    try {
      // The link needs no key and lasts ten minutes; it is used at once and kept nowhere.
      const { url } = await client.send<{ url: string }>('POST', `${path}/link`);
      const link = document.createElement('a');
      link.href = client.base + url;
      link.download = '';
      link.click();
      setProblem(null);
    } catch (error) {
      setProblem(error as Problem);
    }
  };
  const trust = async (): Promise<void> => {
    try {
      await download(client, `${base.replace(/\/exports$/, '')}/trust`, `${one.id}.trust`);
      setProblem(null);
    } catch (error) {
      setProblem(error as Problem);
    }
  };
  const time = (iso: string): string => formatTime(iso, 'local', locale.value);
  const busy = one.state === 'queued' || one.state === 'running';
  return (
    <>
      <h2><span class={`state export-${one.state}`}><i aria-hidden="true">{GLYPH[one.state]}</i> {t(`exports.state.${one.state}`)}</span> <span class="tag">{one.format}</span></h2>
      <p class="note">{t('exports.asked', { who: visible(one.requested_by), time: time(one.created_at) })}{one.expires_at && ` · ${t('exports.until', { time: time(one.expires_at) })}`}</p>
      <p class="mono wrap-any">{one.filter ? visible(one.filter) : t('exports.everything')}{one.from && ` ≥ ${one.from}`}{one.to && ` < ${one.to}`}</p>
      {busy && <p><progress max={Math.max(1, one.size)} value={one.scanned} aria-label={t('exports.progress')} /> {t('exports.looked', { n: one.scanned, all: one.size })}</p>}
      {one.reason && <p class="warn">{visible(one.reason)}</p>}
      {one.state === 'complete' && (
        <>
          <p>{t('exports.events', { n: one.events })} · {t('exports.bytes', { n: one.bytes ?? 0 })}</p>
          {one.format === 'evidence' && <p class="note">{t('exports.evidence')}</p>}
          <p class="note wrap-any">SHA-256 <code>{one.sha256}</code></p>
        </>
      )}
      {problem && <ProblemBox problem={problem} />}
      <div class="actions">
        {one.state === 'complete' && <button type="button" class="primary" onClick={() => void fetchFile()}>{t('exports.download')}</button>}
        {one.state === 'complete' && one.format === 'evidence' && <button type="button" onClick={() => void trust()}>{t('exports.trust')}</button>}
        {one.state === 'complete' && <CopyButton label={t('exports.copyDigest')} text={() => one.sha256 ?? ''} />}
        {one.state === 'complete' && <Manifest client={client} path={path} />}
        <Confirm danger label={t('exports.delete')} question={t('exports.deleteSure')} onYes={async () => { await client.send('DELETE', path); reload(); }} />
      </div>
    </>
  );
}

function Manifest({ client, path }: { client: Client; path: string }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [text, setText] = useState('');
  const [problem, setProblem] = useState<Problem | null>(null);
  const show = (): void => {
    dialog.current?.showModal();
    client.get<Json>(`${path}/manifest`).then((found) => setText(printJson(found)), (error) => setProblem(error as Problem));
  };
  return (
    <>
      <button type="button" onClick={show}>{t('exports.manifest')}</button>
      <dialog ref={dialog} aria-label={t('exports.manifest')}>
        <h2>{t('exports.manifest')}</h2>
        {problem ? <ProblemBox problem={problem} /> : <pre class="code" tabIndex={0}>{text ? visible(text) : t('loading')}</pre>}
        <div class="dialog-actions">{text && <CopyButton label={t('api.copy')} text={() => text} />}<button type="button" class="primary" onClick={() => dialog.current?.close()}>{t('close')}</button></div>
      </dialog>
    </>
  );
}
