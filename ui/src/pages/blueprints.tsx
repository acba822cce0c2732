// Blueprints: destinations that every tenant of the environment gets, defined once by the operator.

import type { Client, Json } from '../client.ts';
import { Link } from '../router.ts';
import { locale, number, t } from '../text.ts';
import { formatTime } from '../time.ts';
import { visible } from '../viewer/copy.tsx';
import { ProblemBox } from '../viewer/viewer.tsx';
import { base, type Destination } from './destinations.tsx';
import { Confirm, PageHead, useRead } from './parts.tsx';
import { Trail } from './trail.tsx';
import { Wizard, typeName } from './wizard.tsx';

export type Blueprint = { id: string; name: string; type: string; config: Record<string, Json>; format: { type?: string } | null; filter: string; copies: number; created_at: string };

const PATH = '/v1/destination-blueprints';
const PAGE = '/console/blueprints';
/** How long a tenant's copy is waited for, and how often it is looked for. */
const COPY_MS = 15_000;
const LOOK_MS = 500;

export function BlueprintsPage({ client, tenant, fresh }: { client: Client; tenant: string; fresh: boolean }) {
  return fresh ? <Wizard client={client} tenant={tenant} operator blueprint={{ back: PAGE, make: (draft) => make(client, tenant, draft) }} /> : <All client={client} />;
}

/** Makes a blueprint and waits for what the tenant gets of it; null when that takes too long. */
async function make(client: Client, tenant: string, draft: object): Promise<Destination | null> {
  const list = () => client.get<{ data: Destination[] }>(base(tenant)).then(({ data }) => data);
  const before = new Set(tenant ? (await list()).map(({ id }) => id) : []);
  const made = await client.send<Blueprint>('POST', PATH, draft);
  for (const end = Date.now() + COPY_MS; tenant && Date.now() < end; ) {
    const copy = (await list()).find(({ id, name, managed_by }) => !before.has(id) && name === made.name && managed_by === 'operator');
    if (copy) return copy;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  return null;
}

function All({ client }: { client: Client }) {
  const { data, problem, reload } = useRead<{ data: Blueprint[] }>(client, PATH);
  return (
    <div class="page">
      <PageHead title={t('blueprints.title')} text={t('blueprints.text')}><Link to={`${PAGE}/new`} class="button primary">{t('blueprints.new')}</Link></PageHead>
      {problem && <ProblemBox problem={problem} retry={reload} />}
      {data?.data.length === 0 && <div class="empty"><h2>{t('blueprints.none.title')}</h2><p>{t('blueprints.none.text')}</p></div>}
      <ul class="cards">
        {data?.data.map((one) => (
          <li key={one.id} class="card">
            <div class="page-head">
              <h2>{visible(one.name)} <span class="tag">{typeName(one.type)}{one.format?.type && ` · ${one.format.type}`}</span></h2>
              <Confirm danger label={t('blueprints.delete')} question={t('blueprints.deleteSure', { name: one.name, n: one.copies })} onYes={() => client.send('DELETE', `${PATH}/${encodeURIComponent(one.id)}`).then(reload)} />
            </div>
            <dl class="facts">
              <div><dt>{t('blueprints.copies')}</dt><dd>{number(one.copies)}</dd></div>
              <div><dt>{t('wizard.filter')}</dt><dd class="mono">{one.filter ? visible(one.filter) : t('exports.everything')}</dd></div>
              <div><dt>{t('tenants.created')}</dt><dd>{formatTime(one.created_at, 'local', locale.value)}</dd></div>
            </dl>
            <details><summary>{t('blueprints.settings')}</summary><pre class="code" tabIndex={0}>{visible(JSON.stringify(one.config, null, 2))}</pre></details>
          </li>
        ))}
      </ul>
      <Trail client={client} of={['blueprint.*']} />
    </div>
  );
}
