// Tenants: list, make, close, open again.

import type { Client } from '../client.ts';
import { Link } from '../router.ts';
import { locale, number, t } from '../text.ts';
import { formatTime } from '../time.ts';
import { ProblemBox } from '../viewer/viewer.tsx';
import { Confirm, FormDialog, PageHead, useRead } from './parts.tsx';

export type Tenant = { id: string; name: string | null; state: string; events: number; created_at: string };

export function TenantsPage({ client, changed }: { client: Client; changed: () => void }) {
  const { data, problem, reload } = useRead<{ data: Tenant[] }>(client, '/v1/tenants');
  const done = (): void => (reload(), changed());
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
      {data && data.data.length > 0 && (
        <table class="list">
          <thead><tr><th scope="col">{t('tenants.id')}</th><th scope="col">{t('tenants.name')}</th><th scope="col" class="end">{t('tenants.events')}</th><th scope="col">{t('tenants.state')}</th><th scope="col">{t('tenants.created')}</th><td /></tr></thead>
          <tbody>
            {data.data.map((tenant) => (
              <tr key={tenant.id}>
                <th scope="row"><Link to={`/console/t/${encodeURIComponent(tenant.id)}/events`}>{tenant.id}</Link></th>
                <td>{tenant.name}</td>
                <td class="end mono">{number(tenant.events)}</td>
                <td>{t(tenant.state === 'open' ? 'tenants.state.open' : 'tenants.state.closed')}</td>
                <td>{tenant.created_at && formatTime(tenant.created_at, 'local', locale.value)}</td>
                <td class="end">{tenant.state === 'open' ? <Confirm label={t('tenants.close')} question={`${t('tenants.state.closed')}: ${tenant.id}`} onYes={act(tenant.id, 'close')} /> : <button type="button" onClick={() => void act(tenant.id, 'open')()}>{t('tenants.reopen')}</button>}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </div>
  );
}
