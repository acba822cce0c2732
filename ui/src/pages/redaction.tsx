// What should never come in: rules for fields, a look-out for secrets, and what they would have found.

import { useState } from 'preact/hooks';
import type { Client, Problem } from '../client.ts';
import { Link } from '../router.ts';
import { number, t, type Key } from '../text.ts';
import { CopyButton, visible } from '../viewer/copy.tsx';
import { ProblemBox } from '../viewer/viewer.tsx';
import { Confirm, FormDialog, useRead } from './parts.tsx';

type Rule = { name: string; pointers?: string[]; label?: string | null; action: string };
type Redaction = { rules: Rule[]; secrets: string; detectors: string[] };
type Found = { events: number; redacted: number; hits: { by: string; fields: number; pointers: string[] }[] };

const ACTIONS = ['drop', 'mask', 'hmac'] as const;
const SECRETS = ['off', 'report', 'mask'] as const;
const DETECTORS = ['aws_key', 'git_token', 'slack_token', 'payment_key', 'google_key', 'model_key', 'attestary_key', 'jwt', 'private_key', 'authorization', 'url_password', 'card'];
const EMPTY: Redaction = { rules: [], secrets: 'off', detectors: [] };
const between = (text: string): string[] => text.split(/[\n,]/).map((one) => one.trim()).filter(Boolean);

export function RedactionPart({ client, tenant }: { client: Client; tenant: string }) {
  const path = `/v1/tenants/${encodeURIComponent(tenant)}/redaction`;
  const own = useRead<Redaction>(client, path);
  const shared = useRead<Redaction>(client, '/v1/redaction');
  const [found, setFound] = useState<Found | null>(null);
  const [failed, setFailed] = useState<Problem | null>(null);
  const tryOut = async (redaction?: Redaction): Promise<void> => {
    try {
      setFound(await client.send<Found>('POST', `${path}/preview`, redaction ? { redaction } : {}));
      setFailed(null);
    } catch (error) {
      setFailed(error as Problem);
    }
  };
  const save = (where: string) => async (redaction: Redaction): Promise<void> => {
    await client.send('PUT', where, redaction);
    setFound(null);
    own.reload();
    shared.reload();
  };
  const set = own.data && (own.data.rules.length > 0 || own.data.secrets !== 'off');
  return (
    <section class="card" aria-labelledby="govern-redaction">
      <h2 id="govern-redaction">{t('redaction.title')}</h2>
      <p class="note">{t('redaction.text')}</p>
      {[own, shared].map(({ problem, reload }, at) => problem && <ProblemBox key={at} problem={problem} retry={reload} />)}
      {shared.data && <Rules title={t('redaction.shared')} redaction={shared.data} />}
      {own.data && <Rules title={t('redaction.own')} redaction={own.data} />}
      <div class="actions">
        <button type="button" onClick={() => void tryOut()}>{t('redaction.dryRun')}</button>
        {own.data && <RedactionForm label={t('redaction.change')} redaction={own.data} tryOut={tryOut} save={save(path)} found={found} />}
        {shared.data && <RedactionForm label={t('redaction.changeShared')} redaction={shared.data} save={save('/v1/redaction')} found={null} />}
        <Lookup client={client} tenant={tenant} path={path} />
        {set && <Confirm danger label={t('redaction.remove')} question={t('redaction.removeSure')} onYes={async () => { await client.send('DELETE', path); setFound(null); own.reload(); }} />}
      </div>
      {failed && <ProblemBox problem={failed} />}
      {found && <Hits found={found} />}
    </section>
  );
}

function Rules({ title, redaction }: { title: string; redaction: Redaction }) {
  return (
    <>
      <h3>{title}</h3>
      {redaction.rules.length === 0 ? <p>{t('redaction.none')}</p> : (
        <table class="list">
          <thead><tr><th scope="col">{t('redaction.rule')}</th><th scope="col">{t('redaction.what')}</th><th scope="col">{t('redaction.becomes')}</th></tr></thead>
          <tbody>
            {redaction.rules.map((rule) => (
              <tr key={rule.name}>
                <th scope="row">{visible(rule.name)}</th>
                <td class="mono wrap-any">{visible((rule.pointers ?? []).join(', ')) || t('redaction.everything')}{rule.label && <span class="tag">{visible(rule.label)}</span>}</td>
                <td>{t(`redaction.action.${rule.action}` as Key)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {redaction.secrets !== 'off' && <p>{t('redaction.secrets')} {t(`redaction.secrets.${redaction.secrets}` as Key)}: <span class="note mono">{redaction.detectors.length > 0 ? redaction.detectors.join(', ') : t('redaction.allDetectors')}</span></p>}
    </>
  );
}

const Hits = ({ found }: { found: Found }) => (
  <div class="receipt" role="status">
    <p>{t('redaction.found', { n: found.redacted, all: found.events })}</p>
    {found.hits.length > 0 && <ul>{found.hits.map((hit) => <li key={hit.by}><b>{visible(hit.by)}</b>: {t('redaction.fields', { n: hit.fields })} <span class="mono note wrap-any">{visible(hit.pointers.join(', '))}</span></li>)}</ul>}
  </div>
);

function RedactionForm({ label, redaction, tryOut, save, found }: { label: string; redaction: Redaction; tryOut?: (redaction: Redaction) => Promise<void>; save: (redaction: Redaction) => Promise<void>; found: Found | null }) {
  const [draft, setDraft] = useState<Redaction | null>(null);
  const now = draft ?? { ...EMPTY, ...redaction };
  const change = (at: number, part: Partial<Rule>): void => setDraft({ ...now, rules: now.rules.map((rule, other) => (other === at ? { ...rule, ...part } : rule)) });
  const toggle = (name: string): void => {
    // None means all of them, so the first that is taken away leaves the others.
    const chosen = now.detectors.length === 0 ? DETECTORS : now.detectors;
    const next = chosen.includes(name) ? chosen.filter((one) => one !== name) : DETECTORS.filter((one) => one === name || chosen.includes(one));
    setDraft({ ...now, detectors: next.length === DETECTORS.length ? [] : next });
  };
  return (
    <FormDialog plain label={label} title={label} submit={t('redaction.save')} onSubmit={async () => { await save(now); setDraft(null); }}>
      <p class="note">{t('redaction.hint')}</p>
      {now.rules.map((rule, at) => (
        <fieldset key={at}><legend>{t('redaction.rule')} {number(at + 1)}</legend>
          <label>{t('wizard.name')} <input required value={rule.name} onInput={(event) => change(at, { name: event.currentTarget.value })} /></label>
          <label>{t('redaction.pointers')} <input class="mono" spellcheck={false} placeholder="/actor/email, /targets/*/email" defaultValue={(rule.pointers ?? []).join(', ')} onInput={(event) => change(at, { pointers: between(event.currentTarget.value) })} /></label>
          <label>{t('redaction.label')} <input value={rule.label ?? ''} onInput={(event) => change(at, { label: event.currentTarget.value.trim() || null })} /></label>
          <label>{t('redaction.becomes')} <select value={rule.action} onChange={(event) => change(at, { action: event.currentTarget.value })}>{ACTIONS.map((action) => <option key={action} value={action}>{t(`redaction.action.${action}`)}</option>)}</select></label>
          <button type="button" onClick={() => setDraft({ ...now, rules: now.rules.filter((_, other) => other !== at) })}>{t('redaction.without')}</button>
        </fieldset>
      ))}
      <button type="button" onClick={() => setDraft({ ...now, rules: [...now.rules, { name: '', pointers: [], action: 'mask' }] })}>{t('redaction.add')}</button>
      <label>{t('redaction.secrets')} <select value={now.secrets} onChange={(event) => setDraft({ ...now, secrets: event.currentTarget.value })}>{SECRETS.map((one) => <option key={one} value={one}>{t(`redaction.secrets.${one}`)}</option>)}</select></label>
      {now.secrets !== 'off' && <fieldset class="choices"><legend>{t('redaction.detectors')}</legend>{DETECTORS.map((name) => <label class="check" key={name}><input type="checkbox" checked={now.detectors.length === 0 || now.detectors.includes(name)} onChange={() => toggle(name)} /> <code>{name}</code></label>)}</fieldset>}
      {tryOut && <button type="button" onClick={() => void tryOut(now)}>{t('redaction.dryRunThis')}</button>}
      {tryOut && found && <Hits found={found} />}
    </FormDialog>
  );
}

/** The token that stands in the log for a value. */
function Lookup({ client, tenant, path }: { client: Client; tenant: string; path: string }) {
  const [token, setToken] = useState('');
  const find = async (form: FormData): Promise<void> => setToken((await client.send<{ token: string }>('POST', `${path}/lookup`, { value: String(form.get('value')) })).token);
  return (
    <>
      <FormDialog plain label={t('redaction.lookup')} title={t('redaction.lookup')} submit={t('redaction.find')} onSubmit={find}>
        <p class="note">{t('redaction.lookupHint')}</p>
        <label>{t('redaction.value')} <input name="value" required autocomplete="off" spellcheck={false} /></label>
      </FormDialog>
      {token && <span role="status"><code>{token}</code> <CopyButton label={t('api.copy')} text={() => token} /> <Link to={`/console/t/${encodeURIComponent(tenant)}/events?range=all&q=${encodeURIComponent(`"${token}"`)}`}>{t('redaction.search')}</Link></span>}
    </>
  );
}
