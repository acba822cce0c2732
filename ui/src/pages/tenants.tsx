// Tenants: list, make, close, open again, sign with a new key, delete.

import { useState } from 'preact/hooks';
import type { Client } from '../client.ts';
import { Link } from '../router.ts';
import { locale, number, t } from '../text.ts';
import { formatTime } from '../time.ts';
import { ProblemBox } from '../viewer/viewer.tsx';
import { Confirm, FormDialog, PageHead, useRead } from './parts.tsx';
import { Trail } from './trail.tsx';

export type Tenant = { id: string; name: string | null; state: string; events: number; created_at: string };

/** From so many tenants on they can be searched for. */
const FIND_FROM = 8;

export function TenantsPage({ client, changed }: { client: Client; changed: () => void }) {
  const { data, problem, reload } = useRead<{ data: Tenant[] }>(client, '/v1/tenants');
  const [wanted, setWanted] = useState('');
  const done = (): void => (reload(), changed());
  const text = wanted.trim().toLowerCase();
  const shown = data?.data.filter(({ id, name }) => !text || id.toLowerCase().includes(text) || (name ?? '').toLowerCase().includes(text)) ?? [];
  const act = (id: string, verb: string) => async () => {
    await client.send('POST', `/v1/tenants/${encodeURIComponent(id)}/${verb}`);
    done();
  };
  const make = async (form: FormData): Promise<void> => {
    const name = String(form.get('name'));
    await client.send('POST', '/v1/tenants', { id: String(form.get('id')), ...(name ? { name } : {}) });
    done();
  };
  return (
    <div class="page">
      <PageHead title={t('tenants.title')} text={t('tenants.text')}>
        <FormDialog label={t('tenants.new')} title={t('tenants.new')} submit={t('tenants.make')} onSubmit={make}>
          <label>{t('tenants.id')} <input name="id" required maxLength={128} autocomplete="off" /></label>
          <label>{t('tenants.name')} <input name="name" maxLength={200} autocomplete="off" /></label>
        </FormDialog>
      </PageHead>
      {problem && <ProblemBox problem={problem} retry={reload} />}
      {data?.data.length === 0 && <p>{t('tenants.none')}</p>}
      {data && data.data.length > FIND_FROM && <div class="actions"><label>{t('actions.find')} <input type="search" value={wanted} onInput={(event) => setWanted(event.currentTarget.value)} /></label></div>}
      {data && data.data.length > 0 && (
        <table class="list">
          <thead><tr><th scope="col">{t('tenants.id')}</th><th scope="col">{t('tenants.name')}</th><th scope="col" class="end">{t('tenants.events')}</th><th scope="col">{t('tenants.state')}</th><th scope="col">{t('tenants.created')}</th><td /></tr></thead>
          <tbody>
            {shown.map((tenant) => (
              <tr key={tenant.id}>
                <th scope="row"><Link to={`/console/t/${encodeURIComponent(tenant.id)}/events`}>{tenant.id}</Link></th>
                <td>{tenant.name}</td>
                <td class="end mono">{number(tenant.events)}</td>
                <td>{t(tenant.state === 'open' ? 'tenants.state.open' : 'tenants.state.closed')}</td>
                <td>{tenant.created_at && formatTime(tenant.created_at, 'local', locale.value)}</td>
                <td class="end actions">
                  {tenant.state === 'open' ? <Confirm label={t('tenants.close')} question={`${t('tenants.state.closed')}: ${tenant.id}`} onYes={act(tenant.id, 'close')} /> : <button type="button" onClick={() => void act(tenant.id, 'open')()}>{t('tenants.reopen')}</button>}
                  <Confirm label={t('tenants.newKey')} question={t('tenants.newKeySure', { id: tenant.id })} onYes={act(tenant.id, 'rotate-key')} />
                  <Delete client={client} tenant={tenant} done={done} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <Trail client={client} of={['tenant.*']} />
    </div>
  );
}

/** Deleting takes a whole log away, so its name is written first. */
function Delete({ client, tenant, done }: { client: Client; tenant: Tenant; done: () => void }) {
  const [typed, setTyped] = useState('');
  return (
    <FormDialog plain label={t('tenants.delete')} title={`${t('tenants.delete')}: ${tenant.id}`} submit={t('tenants.deleteNow')} refuse={typed !== tenant.id} onSubmit={async () => { await client.send('DELETE', `/v1/tenants/${encodeURIComponent(tenant.id)}`); done(); }}>
      <p class="warn">{t('tenants.deleteSure')}</p>
      <label>{t('tenants.deleteType', { id: tenant.id })} <input required value={typed} onInput={(event) => setTyped(event.currentTarget.value)} autocomplete="off" spellcheck={false} /></label>
    </FormDialog>
  );
}
