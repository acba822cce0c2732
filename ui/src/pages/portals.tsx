// Portal sessions of a tenant: who looks in from the application now; let somebody in, and end it.

import { useState } from 'preact/hooks';
import type { Client } from '../client.ts';
import { locale, t, type Key } from '../text.ts';
import { ago, formatTime } from '../time.ts';
import { CopyButton, visible } from '../viewer/copy.tsx';
import { ProblemBox } from '../viewer/viewer.tsx';
import { FilterCount, filterProblem } from './count.tsx';
import { Confirm, FormDialog, PageHead, useRead } from './parts.tsx';
import { Trail } from './trail.tsx';

type Open = { id: string; actor: { id: string; name: string | null; email: string | null }; scopes: string[]; origin: string; created_by: string; created_at: string; expires_at: string };
type Made = { id: string; token: string; url: string; expires_at: string };

const MINUTES_MAX = 15;
const SCOPES = ['export', 'destinations'] as const;

export function PortalsPage({ client, tenant }: { client: Client; tenant: string }) {
  const path = `/v1/tenants/${encodeURIComponent(tenant)}/portal-sessions`;
  const { data, problem, reload } = useRead<{ data: Open[] }>(client, path);
  const [made, setMade] = useState<Made | null>(null);
  const [restrict, setRestrict] = useState('');
  const wrong = filterProblem(restrict);
  const now = Date.now();
  const open = data?.data.filter(({ expires_at }) => Date.parse(expires_at) > now) ?? [];
  const make = async (form: FormData): Promise<void> => {
    const text = (name: string): string => String(form.get(name) ?? '').trim();
    const given = (name: string) => (text(name) ? { [name]: text(name) } : {});
    const hidden = text('hide_fields').split(',').map((one) => one.trim()).filter(Boolean);
    setMade(await client.send<Made>('POST', path, {
      actor: { id: text('id'), ...given('name'), ...given('email') }, origin: text('origin'), scopes: ['read', ...form.getAll('scopes').map(String)],
      ...(restrict.trim() ? { restrict: restrict.trim() } : {}), ...(hidden.length ? { hide_fields: hidden } : {}), ...given('locale'), ...given('theme'), ttl_s: Number(text('minutes')) * 60,
    }));
    setRestrict('');
    reload();
  };
  return (
    <div class="page">
      <PageHead title={t('portals.title')} text={t('portals.text')}>
        <FormDialog label={t('portals.new')} title={t('portals.new')} submit={t('portals.make')} refuse={wrong !== ''} onSubmit={make}>
          <div class="row"><label>{t('portals.actor')} <input name="id" required maxLength={128} autocomplete="off" /></label><label>{t('portals.name')} <input name="name" autocomplete="off" /></label><label>{t('portals.email')} <input name="email" autocomplete="off" /></label></div>
          <label>{t('portals.origin')} <input name="origin" required defaultValue={location.origin} placeholder="https://app.example.com" autocomplete="off" spellcheck={false} aria-describedby="portal-origin" /></label>
          <p class="note" id="portal-origin">{t('portals.originHint')}</p>
          <label>{t('portals.restrict')} <input class="mono" value={restrict} onInput={(event) => setRestrict(event.currentTarget.value)} placeholder="target.id:doc_7" spellcheck={false} autocomplete="off" aria-invalid={wrong !== ''} /></label>
          {restrict && <FilterCount client={client} tenant={tenant} filter={restrict} />}
          <label>{t('portals.hide')} <input class="mono" name="hide_fields" placeholder="context.ip, metadata" spellcheck={false} autocomplete="off" aria-describedby="portal-limits" /></label>
          <p class="note" id="portal-limits">{t('portals.limits')}</p>
          <fieldset><legend>{t('portals.scopes')}</legend>{SCOPES.map((scope) => <label class="check" key={scope}><input type="checkbox" name="scopes" value={scope} /> <b>{scope}</b> <span class="note">{t(`scope.${scope}`)}</span></label>)}</fieldset>
          <div class="row">
            <label>{t('portals.minutes')} <input name="minutes" type="number" min={1} max={MINUTES_MAX} required defaultValue={String(MINUTES_MAX)} /></label>
            <label>{t('language.label')} <input name="locale" placeholder="de-AT" maxLength={35} pattern="[A-Za-z0-9\-]+" autocomplete="off" /></label>
            <label>{t('theme.label')} <select name="theme"><option value="">–</option>{['light', 'dark', 'system'].map((one) => <option key={one} value={one}>{t(`theme.${one}` as Key)}</option>)}</select></label>
          </div>
        </FormDialog>
      </PageHead>
      {made && (
        <div class="card secret" role="status">
          <p>{t('portals.made')}</p>
          <p><a href={made.url} target="_blank" rel="noreferrer">{t('portals.open')}</a> <CopyButton label={t('portals.copyLink')} text={() => new URL(made.url, location.href).href} /></p>
          <p>{t('portals.token')}</p>
          <pre class="code" tabIndex={0}>{made.token}</pre>
          <CopyButton label={t('api.copy')} text={() => made.token} />
        </div>
      )}
      {problem && <ProblemBox problem={problem} retry={reload} />}
      {data && open.length === 0 && <div class="empty"><h2>{t('portals.none.title')}</h2><p>{t('portals.none.text')}</p></div>}
      {open.length > 0 && (
        <table class="list">
          <thead><tr><th scope="col">{t('portals.who')}</th><th scope="col">{t('keys.scopes')}</th><th scope="col">{t('portals.where')}</th><th scope="col">{t('portals.by')}</th><th scope="col">{t('keys.created')}</th><th scope="col">{t('portals.ends')}</th><td /></tr></thead>
          <tbody>
            {open.map((one) => (
              <tr key={one.id}>
                <th scope="row"><bdi>{visible(one.actor.name || one.actor.email || one.actor.id)}</bdi><br /><code class="note">{visible(one.actor.id)}</code></th>
                <td>{one.scopes.map((scope) => <span class="tag" key={scope}>{scope}</span>)}</td>
                <td class="wrap-any">{visible(one.origin)}</td>
                <td><code class="note">{visible(one.created_by)}</code></td>
                <td>{formatTime(one.created_at, 'local', locale.value)}</td>
                <td>{ago(one.expires_at, now, locale.value)}</td>
                <td class="end"><Confirm danger label={t('portals.revoke')} question={t('portals.revokeSure', { name: one.actor.name || one.actor.id })} onYes={() => client.send('DELETE', `${path}/${encodeURIComponent(one.id)}`).then(() => (setMade((before) => (before?.id === one.id ? null : before)), reload()))} /></td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {data && <div class="actions"><button type="button" onClick={reload}>{t('portals.again')}</button></div>}
      <Trail client={client} tenant={tenant} of={['portal.*']} />
    </div>
  );
}
