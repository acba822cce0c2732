// The empty state that teaches: a call that works as it stands, and a page that turns green by itself.

import { useState } from 'preact/hooks';
import { Problem, type Client } from '../client.ts';
import { t } from '../text.ts';
import { CopyButton } from '../viewer/copy.tsx';
import { ProblemBox } from '../viewer/viewer.tsx';

export function FirstEvent({ client, tenant, canMakeKeys }: { client: Client; tenant: string; canMakeKeys: boolean; onEvent: () => void }) {
  const [key, setKey] = useState('');
  const [problem, setProblem] = useState<Problem | null>(null);
  const make = async (): Promise<void> => {
    try {
      const made = await client.send<{ secret: string }>('POST', '/v1/keys', { name: `first events of ${tenant}`.slice(0, 100), scopes: ['ingest'], tenants: [tenant] });
      setKey(made.secret);
    } catch (error) {
      setProblem(error as Problem);
    }
  };
  const body = JSON.stringify({ tenant, action: 'user.login', actor: { type: 'user', id: 'alice', name: 'Alice' }, outcome: 'success' });
  const call = `curl '${location.origin}/v1/events' \\\n  -H 'authorization: Bearer ${key || '$ATTESTARY_KEY'}' \\\n  -H 'content-type: application/json' \\\n  -d '${body.replaceAll("'", "'\\''")}'`;
  return (
    <div class="empty teach" data-testid="first-event">
      <h2>{t('empty.first.title')}</h2>
      <p>{t('empty.first.text')}</p>
      {canMakeKeys && !key && <button type="button" class="primary" onClick={make}>{t('empty.first.key')}</button>}
      {key && <p role="status">{t('empty.first.keyMade')}</p>}
      {problem && <ProblemBox problem={problem} />}
      <pre class="code" tabIndex={0}>{call}</pre>
      <CopyButton label={t('api.copy')} text={() => call} />
      <p class="waiting" role="status"><i class="dot" aria-hidden="true" /> {t('empty.first.waiting')}</p>
    </div>
  );
}
