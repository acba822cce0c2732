// Environments of the installation: list, make, open and close for unknown tenants.

import type { Client } from '../client.ts';
import { locale, t } from '../text.ts';
import { formatTime } from '../time.ts';
import { visible } from '../viewer/copy.tsx';
import { ProblemBox } from '../viewer/viewer.tsx';
import { FormDialog, PageHead, useRead } from './parts.tsx';
import { Trail } from './trail.tsx';

type Environment = { name: string; closed: boolean; unknown_events: 'discard' | 'stdout'; created_at: string };
const UNKNOWN = ['discard', 'stdout'] as const;

export function EnvironmentsPage({ client, changed }: { client: Client; changed: () => void }) {
  const { data, problem, reload } = useRead<{ data: Environment[] }>(client, '/v1/environments');
  const done = (): void => (reload(), changed());
  const body = (form: FormData) => ({ closed: form.get('closed') === 'on', unknown_events: String(form.get('unknown')) });
  return (
    <div class="page">
      <PageHead title={t('environments.title')} text={t('environments.text')}>
        <FormDialog label={t('environments.new')} title={t('environments.new')} submit={t('environments.make')} onSubmit={async (form) => { await client.send('POST', '/v1/environments', { name: String(form.get('name')), ...body(form) }); done(); }}>
          <label>{t('wizard.name')} <input name="name" required pattern="[a-z][a-z0-9\-]{0,31}" maxLength={32} autocomplete="off" aria-describedby="environment-name" /></label>
          <p class="note" id="environment-name">{t('environments.nameHint')}</p>
          <Fields />
        </FormDialog>
      </PageHead>
      {problem && <ProblemBox problem={problem} retry={reload} />}
      {data && (
        <table class="list">
          <thead><tr><th scope="col">{t('wizard.name')}</th><th scope="col">{t('environments.unknown')}</th><th scope="col">{t('environments.doors')}</th><th scope="col">{t('tenants.created')}</th><td /></tr></thead>
          <tbody>
            {data.data.map((one) => (
              <tr key={one.name}>
                <th scope="row">{visible(one.name)}</th>
                <td>{t(one.closed ? 'environments.refused' : 'environments.taken')}</td>
                <td>{one.closed ? t(`environments.${one.unknown_events}`) : '–'}</td>
                <td>{one.created_at && formatTime(one.created_at, 'local', locale.value)}</td>
                <td class="end">
                  <FormDialog plain label={t('environments.change')} title={`${t('environments.change')}: ${one.name}`} submit={t('environments.save')} onSubmit={async (form) => { await client.send('PATCH', `/v1/environments/${encodeURIComponent(one.name)}`, body(form)); done(); }}><Fields one={one} /></FormDialog>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <Trail client={client} of={['environment.*']} />
    </div>
  );
}

const Fields = ({ one }: { one?: Environment }) => (
  <>
    <label class="check"><input type="checkbox" name="closed" defaultChecked={one?.closed ?? false} /> {t('environments.closed')}</label>
    <label>{t('environments.atDoors')} <select name="unknown">{UNKNOWN.map((way) => <option key={way} value={way} selected={way === (one?.unknown_events ?? 'discard')}>{t(`environments.${way}`)}</option>)}</select></label>
  </>
);
