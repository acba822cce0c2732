// What a destination sends and what became of it: exact bytes, the receipt, events set aside, replays, secrets.

import { useEffect, useState } from 'preact/hooks';
import type { Client, Problem } from '../client.ts';
import { locale, number, t, type Key } from '../text.ts';
import { formatTime } from '../time.ts';
import { CopyButton, visible } from '../viewer/copy.tsx';
import { ProblemBox } from '../viewer/viewer.tsx';
import { Confirm, FormDialog, useRead } from './parts.tsx';

type Bytes = { text?: string; base64?: string };
type Preview = { scanned: number; request: string; records: ({ seq: number; event: string } & Bytes)[]; body: Bytes };
type Receipt = { from_seq: number; to_seq: number | null; count: number; excluded: number; quarantined: number; lost_to_retention: number; root: string; log: { equal: boolean | null; detail: string } | null };
type Aside = { seq: number; at: string; reason: string };
type Replay = { id: string; from_seq: number; to_seq: number; progress: 'running' | 'done' | 'stopped'; reason_detail: string; cursor: number; delivered: number; created_at: string };

const REFRESH_MS = 3000;
/** Events of a preview that are shown. */
const RECORDS = 3;
const shown = (bytes: Bytes): string => visible(bytes.text ?? bytes.base64 ?? '');

/** The bytes that a draft would send for the newest events; `body` is what would make the destination. */
export function BytesPreview({ client, base, body }: { client: Client; base: string; body: object }) {
  const [found, setFound] = useState<Preview | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const text = JSON.stringify(body);
  useEffect(() => {
    let stopped = false;
    const timer = setTimeout(() => {
      client.send<Preview>('POST', `${base}/preview`, JSON.parse(text)).then(
        (preview) => !stopped && (setFound(preview), setProblem(null)),
        (error) => !stopped && (setFound(null), setProblem(error as Problem)),
      );
    }, 250);
    return () => ((stopped = true), clearTimeout(timer));
  }, [text]);
  if (problem) return <ProblemBox problem={problem} />;
  if (!found) return <p role="status">{t('loading')}</p>;
  if (found.records.length === 0) return <p role="status">{t('preview.none', { n: found.scanned })}</p>;
  return (
    <div class="stack" role="group" aria-label={t('preview.title')}>
      <p class="note">{t('preview.text', { request: visible(found.request) })}</p>
      {found.records.slice(0, RECORDS).map((record) => (
        <figure key={record.seq} class="preview"><figcaption class="note">seq {number(record.seq)}</figcaption><pre class="code" tabIndex={0}>{shown(record)}</pre></figure>
      ))}
      <details><summary>{t('preview.body')}</summary><pre class="code" tabIndex={0}>{shown(found.body)}</pre></details>
    </div>
  );
}

/** What the destination confirmed, stated as a claim that the log can answer. */
export function ReceiptOf({ client, path, filter }: { client: Client; path: string; filter: string }) {
  const { data, problem } = useRead<Receipt>(client, `${path}/receipt`, REFRESH_MS);
  const [compared, setCompared] = useState<Receipt | null>(null);
  const [failed, setFailed] = useState<Problem | null>(null);
  const compare = (): void => {
    client.get<Receipt>(`${path}/receipt`, { compare: 'true' }).then((found) => (setCompared(found), setFailed(null)), (error) => setFailed(error as Problem));
  };
  if (problem || !data) return problem ? <ProblemBox problem={problem} /> : null;
  if (data.to_seq === null) return <p class="receipt">{t('destinations.receiptNone')}</p>;
  const aside: [Key, number][] = [['receipt.excluded', data.excluded], ['receipt.quarantined', data.quarantined], ['receipt.lost', data.lost_to_retention]];
  const gaps = data.quarantined + data.lost_to_retention > 0;
  const log = compared?.log;
  return (
    <div class="receipt stack">
      <p>{t('receipt.claim', { from: data.from_seq, to: data.to_seq, n: data.count })} {!gaps && t('receipt.whole')} {aside.filter(([, n]) => n > 0).map(([key, n]) => t(key, { n })).join(' ')} {filter && <span class="note mono">{t('receipt.filter', { filter: visible(filter) })}</span>}</p>
      <p class="note wrap-any">{t('receipt.root')} <code>{data.root}</code></p>
      <div class="actions"><button type="button" onClick={compare}>{t('receipt.compare')}</button></div>
      {failed && <ProblemBox problem={failed} />}
      {log && <p role="status" class={log.equal === false ? 'warn' : undefined}>{log.equal === true ? `✓ ${t('receipt.equal')}` : log.equal === false ? `✕ ${t('receipt.different')}` : t('receipt.unknown')} <span class="note">{visible(log.detail)}</span></p>}
    </div>
  );
}

/** Events that the receiver refused for good; each can be sent again. */
export function SetAside({ client, path }: { client: Client; path: string }) {
  const { data, problem, reload } = useRead<{ data: Aside[] }>(client, `${path}/quarantine`, REFRESH_MS);
  if (problem) return <ProblemBox problem={problem} retry={reload} />;
  if (!data || data.data.length === 0) return null;
  const again = (from: number, to: number) => () => client.send('POST', `${path}/replays`, { from, to }).then(reload);
  return (
    <section>
      <h2>{t('aside.title')}</h2>
      <table class="list">
        <thead><tr><th scope="col">Seq</th><th scope="col">{t('column.time')}</th><th scope="col">{t('attempt.detail')}</th><td /></tr></thead>
        <tbody>
          {data.data.map((one) => (
            <tr key={one.seq}><th scope="row" class="mono">{number(one.seq)}</th><td>{formatTime(one.at, 'local', locale.value)}</td><td class="wrap-any">{visible(one.reason)}</td>
              <td class="end"><Confirm label={t('aside.again')} question={t('aside.sure', { n: one.seq })} onYes={again(one.seq, one.seq)} /></td></tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

export function Replays({ client, path }: { client: Client; path: string }) {
  const { data, problem, reload } = useRead<{ data: Replay[] }>(client, `${path}/replays`, REFRESH_MS);
  const start = async (form: FormData): Promise<void> => {
    const [from, to] = ['from', 'to'].map((name) => String(form.get(name) ?? '').trim());
    await client.send('POST', `${path}/replays`, { from: Number(from), ...(to ? { to: Number(to) } : {}) });
    reload();
  };
  return (
    <section class="stack">
      <div class="page-head"><div><h2>{t('replay.title')}</h2><p class="note">{t('replay.text')}</p></div>
        <FormDialog label={t('replay.new')} title={t('replay.new')} submit={t('replay.start')} onSubmit={start}>
          <p class="note">{t('replay.twice')}</p>
          <label>{t('replay.from')} <input name="from" type="number" min={0} required /></label>
          <label>{t('replay.to')} <input name="to" type="number" min={0} /></label>
        </FormDialog>
      </div>
      {problem && <ProblemBox problem={problem} retry={reload} />}
      {data && data.data.length > 0 && (
        <table class="list">
          <thead><tr><th scope="col">{t('replay.range')}</th><th scope="col">{t('tenants.state')}</th><th scope="col" class="end">{t('destinations.delivered')}</th><th scope="col">{t('tenants.created')}</th></tr></thead>
          <tbody>{data.data.map((one) => <tr key={one.id}><th scope="row" class="mono">{number(one.from_seq)}–{number(one.to_seq)}</th><td>{t(`replay.${one.progress}`)} <span class="warn">{visible(one.reason_detail)}</span></td><td class="end mono">{number(one.delivered)}</td><td>{formatTime(one.created_at, 'local', locale.value)}</td></tr>)}</tbody>
        </table>
      )}
    </section>
  );
}

/** A new secret beside the old one, and the end of the old one. */
export function Rotate({ client, path }: { client: Client; path: string }) {
  const [made, setMade] = useState<{ secret: string | null; valid: number } | null>(null);
  const rotate = (retire: boolean) => async () => setMade(await client.send('POST', `${path}/rotate`, retire ? { retire } : {}));
  return (
    <>
      <div class="actions">
        <Confirm label={t('rotate.new')} question={t('rotate.sure')} onYes={rotate(false)} />
        <Confirm danger label={t('rotate.retire')} question={t('rotate.retireSure')} onYes={rotate(true)} />
      </div>
      {made && (made.secret
        ? <div class="card secret" role="status"><p>{t('wizard.secret')}</p><pre class="code" tabIndex={0}>{made.secret}</pre><CopyButton label={t('api.copy')} text={() => made.secret!} /></div>
        : <p role="status">{t('rotate.retired', { n: made.valid })}</p>)}
    </>
  );
}
