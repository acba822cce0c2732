// What people see of proofs: a chip in each row, the steps in the details, and a line about the log above the rows.

import { useEffect, useState } from 'preact/hooks';
import { printJson, type Event, type Json } from '../client.ts';
import { locale, number, t, type Key } from '../text.ts';
import { ago, formatTime } from '../time.ts';
import { CopyButton, curl, visible } from '../viewer/copy.tsx';
import type { View } from '../viewer/view.ts';
import type { Check, Verifier } from './verifier.ts';

const GLYPHS: Record<Check['state'], string> = { verified: '✓', sealed: '◇', pending: '…', failed: '✕', unchecked: '–' };
const STEPS = [1, 2, 3, 4, 5] as const;
const TICK_MS = 10_000;

const reason = (check: Check): string => t(`proof.why.${check.why ?? 'path'}` as Key);

/** What the chip of a row says; nothing before its check has begun. */
export function chipOf(verifier: Verifier, event: Event): { state: Check['state']; glyph: string; text: string; why: string } | null {
  const check = verifier.checks.peek().get(event.id);
  return check ? { state: check.state, glyph: GLYPHS[check.state], text: t(`proof.${check.state}`), why: check.why ? reason(check) : '' } : null;
}

type Anchor = { witnesses: { cosigned: number | null; refused: string | null }[]; stamp: { time: string } | null; unwitnessed_since: number | null };

/** How witnesses and time-stamps are, for people who sign in at the console. Without epochs there is nothing to say. */
function useAnchor(view: View): Anchor | null {
  const [anchor, setAnchor] = useState<Anchor | null>(null);
  useEffect(() => {
    if (view.host.session.kind === 'sign-in') view.host.client.get<Anchor>('/v1/anchor').then(setAnchor, () => undefined);
  }, [view]);
  return anchor;
}

/** A time as authorities of time-stamps write it: YYYYMMDDhhmmssZ. */
const stampTime = (text: string): string => text.replace(/^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d).*$/, '$1-$2-$3T$4:$5:$6Z');

/** How the log stands, and what to do when something is wrong with it. */
export function LogLine({ view, verifier }: { view: View; verifier: Verifier }) {
  const [now, setNow] = useState(Date.now());
  const head = verifier.head.value;
  const trouble = verifier.trouble.value;
  const anchor = useAnchor(view);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), TICK_MS);
    return () => clearInterval(timer);
  }, []);
  useEffect(() => setNow(Date.now()), [head]);
  if (trouble) {
    const asks = trouble.why === 'newKey' || trouble.why === 'log';
    return (
      <div class="problem" role="alert" data-proof-trouble={trouble.why}>
        <p>✕ {t(`proof.why.${trouble.why}` as Key)}{trouble.message && <span class="note"> {visible(trouble.message)}</span>}</p>
        {asks && <button type="button" onClick={() => verifier.agree(view.rows.value.slice(0, 200))}>{t(trouble.why === 'newKey' ? 'proof.agreeKey' : 'proof.agreeLog')}</button>}
        <button type="button" onClick={() => verifier.again(view.rows.value.slice(0, 200))}>{t('proof.again')}</button>
      </div>
    );
  }
  if (!head) return null;
  void verifier.checks.value;
  // Rows are many and failures few: only when there are any are the rows looked through.
  const failed = verifier.failed.size === 0 ? 0 : view.rows.value.filter((event) => verifier.failed.has(event.id)).length;
  return (
    <p class="log-line" data-log-size={head.size}>
      {t('proof.size', { n: head.size })} · {t('proof.last', { ago: ago(head.at, Math.max(now, Date.parse(head.at)), locale.value) })}
      {' · '}{t(head.witnesses ? (head.anchored ? 'proof.witnessed' : 'proof.unwitnessed') : 'proof.noWitness')}
      {anchor && anchor.witnesses.length > 0 && ` · ${t('proof.witnesses', { n: anchor.witnesses.filter((one) => one.cosigned !== null && one.refused === null).length, all: anchor.witnesses.length })}`}
      {anchor?.stamp && ` · ${t('proof.stamped', { ago: ago(stampTime(anchor.stamp.time), now, locale.value) })}`}
      {verifier.heads.pinned && ` · ${t('proof.since', { time: new Date(verifier.heads.pinned.pinned).toLocaleDateString(locale.value, { dateStyle: 'medium' }) })}`}
      {failed > 0 && <b class="warn" role="alert"> · ✕ {t('proof.failedRows', { n: failed })}</b>}
    </p>
  );
}

/** The steps of one check, each with a sentence. */
export function ProofTab({ view, verifier, event }: { view: View; verifier: Verifier; event: Event }) {
  useEffect(() => verifier.check([event]), [event]);
  const check = verifier.checks.value.get(event.id);
  const head = verifier.head.value;
  if (!check) return <p role="status">{t('proof.working')}</p>;
  const failed = check.state === 'failed' || check.step === 4 ? check.step ?? 3 : 6;
  const done = check.state !== 'pending' && !(check.state === 'unchecked' && !check.step);
  const mark = (step: number): string => (!done || step > failed ? '–' : step === failed ? '✕' : '✓');
  const word = (step: number): Key => (!done || step > failed ? 'proof.not' : step === failed ? 'proof.bad' : 'proof.good');
  const memory = verifier.heads.pinned;
  const json = (): string => printJson({ event, ...check.proof, checkpoint: head?.note ?? '' } as unknown as Json);
  return (
    <div class="proof-tab">
      <p class={check.state === 'failed' ? 'warn' : undefined}><b><i aria-hidden="true">{GLYPHS[check.state]}</i> {t(`proof.${check.state}`)}</b> {check.why ? reason(check) : t(`proof.says.${check.state}` as Key)}{check.detail && <span class="note"> {visible(check.detail)}</span>}</p>
      <ol class="proof-steps">
        {STEPS.map((step) => <li key={step} class={mark(step) === '✕' ? 'warn' : undefined}><i aria-hidden="true">{mark(step)}</i><span class="sr">{t(word(step))}: </span>{t(`proof.step${step}` as Key)}</li>)}
      </ol>
      {(check.hidden ?? 0) > 0 && <p>{t('proof.hidden', { n: check.hidden! })}</p>}
      {head && memory && (
        <p class="note">
          {t('proof.under', { n: head.size, time: formatTime(head.at, view.zone.value, locale.value, 'full') })}{' '}
          {t(memory.from === 'page' ? 'proof.keyPage' : 'proof.keyServer', { key: `${head.signer.name}+${head.signer.id}`, time: formatTime(memory.pinned, view.zone.value, locale.value) })}
          {' '}{t(verifier.heads.remembers ? 'proof.remembers' : 'proof.forgets')}
          {' '}({t(head.witnesses ? (head.anchored ? 'proof.witnessed' : 'proof.unwitnessed') : 'proof.noWitness')})
        </p>
      )}
      <p class="detail-actions">
        <button type="button" class="quiet" onClick={() => verifier.again([event])}>{t('proof.again')}</button>
        {check.proof && <CopyButton label={t('proof.copy')} text={json} />}
        <CopyButton label={t('proof.copyFile')} text={() => curl(view.host.client.url(`/v1/events/${event.id}/proof`, { tenant: event.tenant }))} />
        {memory && <CopyButton label={t('proof.copyTrust')} text={() => memory.trust} />}
      </p>
      <p class="note">{t('proof.scope', { n: number(event.seq) })}</p>
    </div>
  );
}
