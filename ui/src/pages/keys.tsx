// API keys: list, make (shown once), replace, revoke.

import { useState } from 'preact/hooks';
import type { Client } from '../client.ts';
import { locale, t, type Key } from '../text.ts';
import { ago, formatTime } from '../time.ts';
import { CopyButton } from '../viewer/copy.tsx';
import { ProblemBox } from '../viewer/viewer.tsx';
import { Confirm, FormDialog, PageHead, useRead } from './parts.tsx';
import { Trail } from './trail.tsx';

type ApiKey = { id: string; name: string; scopes: string[]; tenants: string[] | null; created_at: string; expires_at: string | null; last_used_at: string | null };
const SCOPES = ['ingest', 'read', 'export', 'destinations', 'portal', 'admin'];

export function KeysPage({ client }: { client: Client }) {
  const { data, problem, reload } = useRead<{ data: ApiKey[] }>(client, '/v1/keys');
  const [secret, setSecret] = useState('');
  const make = async (form: FormData): Promise<void> => {
    const tenants = String(form.get('tenants')).split(',').map((id) => id.trim()).filter(Boolean);
    const until = String(form.get('expires') ?? '');
    await show({ name: String(form.get('name')), scopes: form.getAll('scopes').map(String), ...(tenants.length ? { tenants } : {}), ...(until ? { expires_at: new Date(until).toISOString() } : {}) });
  };
  const show = async (body: object): Promise<void> => {
    const made = await client.send<{ secret: string }>('POST', '/v1/keys', body);
    setSecret(made.secret);
    reload();
  };
  // Two steps on purpose: the application takes the new key over while the old one still works.
  const replace = (key: ApiKey) => () => show({ name: key.name, scopes: key.scopes, ...(key.tenants ? { tenants: key.tenants } : {}), ...(key.expires_at ? { expires_at: key.expires_at } : {}) });
  const now = Date.now();
  return (
    <div class="page">
      <PageHead title={t('keys.title')} text={t('keys.text')}>
        <FormDialog label={t('keys.new')} title={t('keys.new')} submit={t('keys.make')} onSubmit={make}>
          <label>{t('keys.name')} <input name="name" required maxLength={200} autocomplete="off" /></label>
          <fieldset><legend>{t('keys.scopes')}</legend>{SCOPES.map((scope) => <label class="check" key={scope}><input type="checkbox" name="scopes" value={scope} /> <b>{scope}</b> <span class="note">{t(`scope.${scope}` as Key)}</span></label>)}</fieldset>
          <label>{t('keys.tenants')} <input name="tenants" autocomplete="off" aria-describedby="keys-hint" /></label>
          <p class="note" id="keys-hint">{t('keys.tenantsHint')}</p>
          <label>{t('keys.until')} <input name="expires" type="datetime-local" step="1" /></label>
        </FormDialog>
      </PageHead>
      {secret && <div class="card secret" role="status"><p>{t('keys.secret')}</p><pre class="code" tabIndex={0}>{secret}</pre><CopyButton label={t('api.copy')} text={() => secret} /></div>}
      {problem && <ProblemBox problem={problem} retry={reload} />}
      {data?.data.length === 0 && <p>{t('keys.none')}</p>}
      {data && data.data.length > 0 && (
        <table class="list">
          <thead><tr><th scope="col">{t('keys.name')}</th><th scope="col">{t('keys.scopes')}</th><th scope="col">{t('keys.tenants')}</th><th scope="col">{t('keys.created')}</th><th scope="col">{t('keys.used')}</th><th scope="col">{t('keys.expires')}</th><td /></tr></thead>
          <tbody>
            {data.data.map((key) => (
              <tr key={key.id}>
                <th scope="row">{key.name || key.id}<br /><code class="note">{key.id}</code></th>
                <td>{key.scopes.map((scope) => <span class="tag" key={scope}>{scope}</span>)}</td>
                <td>{key.tenants ? key.tenants.join(', ') : t('keys.allTenants')}</td>
                <td>{formatTime(key.created_at, 'local', locale.value)}</td>
                <td>{key.last_used_at ? ago(key.last_used_at, now, locale.value) : t('keys.never')}</td>
                <td>{key.expires_at ? formatTime(key.expires_at, 'local', locale.value) : t('keys.never')}</td>
                <td class="end actions"><Confirm label={t('keys.replace')} question={t('keys.replaceSure', { name: key.name || key.id })} onYes={replace(key)} /><Confirm danger label={t('keys.revoke')} question={t('keys.revokeSure', { name: key.name || key.id })} onYes={async () => { await client.send('DELETE', `/v1/keys/${key.id}`); reload(); }} /></td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <Trail client={client} of={['key.*', 'session.*', 'portal.*']} />
    </div>
  );
}
