// Everything about one event: fields, changes, JSON, what is related. Every value is text of a stranger and stays text.

import { useEffect, useId, useState } from 'preact/hooks';
import { Exact, printJson, type Event, type Json, type Problem } from '../client.ts';
import { print, printPath } from '../filter/print.ts';
import { locale, t } from '../text.ts';
import { formatTime } from '../time.ts';
import { CopyButton, curl, visible } from './copy.tsx';
import { diffWords } from './diff.ts';
import { ProblemBox } from './viewer.tsx';
import type { View } from './view.ts';

type Field = { path: string; value: string; filterable: boolean };
/** What one detail shows at most; the JSON has the rest. */
const FIELDS_MAX = 512;
/** Objects inside objects that are open at first. */
const OPEN_DEPTH = 2;

/** The scalars of an event with the paths that filters use: array positions left out. */
export function fieldsOf(event: Event): Field[] {
  const out: Field[] = [];
  const walk = (names: string[], value: Json): void => {
    if (out.length >= FIELDS_MAX) return;
    if (Array.isArray(value)) return value.forEach((item) => walk(names, item));
    if (value !== null && typeof value === 'object' && !(value instanceof Exact)) {
      return Object.entries(value).forEach(([name, inner]) => walk([...names, name], inner));
    }
    const text = value instanceof Exact ? value.source : String(value);
    out.push({ path: printPath(names), value: text, filterable: value !== null });
  };
  walk([], event as unknown as Json);
  return out;
}

const clauseFor = ({ path, value }: Field) => ({ field: path, op: '=' as const, value });

export function Detail({ view, event }: { view: View; event: Event }) {
  const id = useId();
  const hasChanges = (event.changes?.length ?? 0) > 0;
  const tabs = ['fields', ...(hasChanges ? ['changes'] : []), 'json', 'raw', 'related', 'proof'] as const;
  const [tab, setTab] = useState<string>('fields');
  const proofs = view.proofs.value;
  const choose = (name: string): void => {
    setTab(name);
    if (name === 'proof') void view.check([event]);
  };
  const onKey = (press: KeyboardEvent): void => {
    const step = press.key === 'ArrowRight' ? 1 : press.key === 'ArrowLeft' ? -1 : 0;
    if (!step) return;
    const next = tabs[(tabs.indexOf(tab as 'fields') + step + tabs.length) % tabs.length]!;
    choose(next);
    (press.currentTarget as HTMLElement).querySelector<HTMLElement>(`[data-tab=${next}]`)?.focus();
    press.stopPropagation();
  };
  const other = view.zone.value === 'utc' ? 'local' : 'utc';
  const url = view.host.client.url(`/v1/events/${event.id}`, { tenant: event.tenant });
  return (
    <div class="detail" role="group" aria-label={t('detail.label')}>
      <div class="detail-head">
        <div role="tablist" onKeyDown={onKey}>
          {tabs.map((name) => (
            <button key={name} type="button" role="tab" data-tab={name} id={`${id}-${name}`} aria-selected={tab === name} aria-controls={`${id}-panel`} tabIndex={tab === name ? 0 : -1} onClick={() => choose(name)}>
              {t(`detail.${name}` as 'detail.fields')}
            </button>
          ))}
        </div>
        <div class="detail-actions">
          <CopyButton label={t('detail.copyJson')} text={() => printJson(event as unknown as Json)} />
          <CopyButton label={t('detail.copyCurl')} text={() => curl(url)} />
          <CopyButton label={t('detail.copyCef')} text={() => textOfEvent(view, event, 'cef')} />
          <CopyButton label={t('detail.copyVerify')} text={() => verifyCommand(view, event)} />
          {view.host.eventUrl && <CopyButton label={t('detail.copyLink')} text={() => view.host.eventUrl!(event.id)} />}
        </div>
      </div>
      <div id={`${id}-panel`} role="tabpanel" aria-labelledby={`${id}-${tab}`} class="detail-panel" tabIndex={0}>
        {tab === 'fields' && <Fields view={view} event={event} />}
        {tab === 'changes' && <Changes event={event} />}
        {tab === 'json' && <div class="json tree"><Tree value={event as unknown as Json} depth={0} /></div>}
        {tab === 'raw' && <Raw view={view} event={event} />}
        {tab === 'related' && <Related view={view} event={event} />}
        {tab === 'proof' && (proofs ? <proofs.parts.ProofTab view={view} verifier={proofs.verifier} event={event} /> : <p role="status">{t('loading')}</p>)}
        {tab === 'fields' && event.occurred_at && <p class="note">{t('detail.otherZone', { time: formatTime(event.occurred_at, other, locale.value, 'full') })} · {event.occurred_at}</p>}
        {(view.host.session.hide_fields?.length ?? 0) > 0 && <p class="note">{t('detail.hidden')}</p>}
      </div>
    </div>
  );
}

function Fields({ view, event }: { view: View; event: Event }) {
  return (
    <dl class="fields">
      {fieldsOf(event).map((field, at) => {
        const names = { field: field.path, value: field.value.slice(0, 80) };
        return (
          <div key={at}>
            <dt>{visible(field.path)}</dt>
            <dd>
              <bdi>{visible(field.value)}</bdi>
              {field.filterable && (
                <span class="field-actions">
                  <button type="button" class="icon" aria-label={t('detail.only', names)} title={t('detail.only', names)} onClick={() => view.add(clauseFor(field))}>⊕</button>
                  <button type="button" class="icon" aria-label={t('detail.without', names)} title={t('detail.without', names)} onClick={() => view.add({ not: clauseFor(field) })}>⊖</button>
                </span>
              )}
            </dd>
          </div>
        );
      })}
    </dl>
  );
}

/** The event as the server writes it. */
const textOfEvent = (view: View, event: Event, format?: string): Promise<string> =>
  view.host.client.fetch('GET', `/v1/events/${event.id}`, { query: { tenant: event.tenant, format } }).then((reply) => reply.text());

/** What checks the event on another machine. The trust file comes another way than the proof, or it proves nothing. */
function verifyCommand(view: View, event: Event): string {
  const file = `${event.id}.tlog-proof`;
  return `${curl(view.host.client.url(`/v1/events/${event.id}/proof`, { tenant: event.tenant }), view.host.client.environment)} -fsS -o ${file} && attestary verify ${file} --trust log.trust`;
}

function Raw({ view, event }: { view: View; event: Event }) {
  const [text, setText] = useState<string | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  useEffect(() => {
    textOfEvent(view, event).then(setText, (error) => setProblem(error as Problem));
  }, [event.id]);
  if (problem) return <ProblemBox problem={problem} />;
  return text === null ? <p role="status">{t('loading')}</p> : <><p class="note">{t('detail.rawText')}</p><pre class="json">{visible(text)}</pre></>;
}

/** JSON whose objects open and close. */
function Tree({ name, value, depth }: { name?: string; value: Json; depth: number }) {
  const label = name === undefined ? null : <b>{visible(name)}: </b>;
  if (value === null || typeof value !== 'object' || value instanceof Exact) return <div>{label}<bdi>{visible(printJson(value))}</bdi></div>;
  const list = Array.isArray(value);
  const members = Object.entries(value);
  if (members.length === 0) return <div>{label}{list ? '[]' : '{}'}</div>;
  return (
    <details open={depth < OPEN_DEPTH}>
      <summary>{label}{list ? '[…]' : '{…}'} <span class="note">{t('detail.members', { n: members.length })}</span></summary>
      {members.map(([key, inner]) => <Tree key={key} {...(list ? {} : { name: key })} value={inner} depth={depth + 1} />)}
    </details>
  );
}

const textOf = (value: Json | undefined): string => (value === undefined ? '' : typeof value === 'string' ? value : printJson(value));

function Changes({ event }: { event: Event }) {
  return (
    <table class="changes">
      <thead><tr><th scope="col">{t('detail.field')}</th><th scope="col">{t('detail.before')}</th><th scope="col">{t('detail.after')}</th></tr></thead>
      <tbody>
        {(event.changes ?? []).map((change, at) => {
          const pieces = diffWords(textOf(change.old), textOf(change.new));
          const side = (gone: '-' | '+') => pieces.filter(([kind]) => kind === '=' || kind === gone).map(([kind, text], index) =>
            kind === '=' ? <span key={index}>{visible(text)}</span> : kind === '-' ? <del key={index}>{visible(text)}</del> : <ins key={index}>{visible(text)}</ins>);
          return <tr key={at}><th scope="row">{visible(change.field ?? '')}</th><td><bdi>{side('-')}</bdi></td><td><bdi>{side('+')}</bdi></td></tr>;
        })}
      </tbody>
    </table>
  );
}

function Related({ view, event }: { view: View; event: Event }) {
  const target = event.targets?.[0];
  const ways = [
    ['detail.related.request', 'context.request_id', event.context?.request_id, 'request'],
    ['detail.related.session', 'context.session_id', event.context?.session_id, 'session'],
    ['detail.related.actor', 'actor.id', event.actor?.id, 'actor'],
    ['detail.related.target', 'target.id', target?.id, 'target'],
  ] as const;
  return (
    <ul class="related">
      {ways.filter(([, , value]) => typeof value === 'string').map(([key, field, value, kind]) => {
        const about = view.host.aboutUrl?.(kind, value!);
        const clause = { field, op: '=' as const, value: value! };
        return <li key={key}><button type="button" onClick={() => view.setTree(clause)}>{t(key)}</button> <code><bdi>{visible(print(clause))}</bdi></code>{about && <> <a href={about} onClick={(press) => (press.preventDefault(), view.host.go?.(about))}>{t('detail.about')}</a></>}</li>;
      })}
    </ul>
  );
}
