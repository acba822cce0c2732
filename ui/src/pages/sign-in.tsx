// The page before the console: by the provider that the operator set up, or by a link that works once.

import { useEffect, useState } from 'preact/hooks';
import { t } from '../text.ts';
import type { Client } from '../client.ts';

type Methods = { openid: { name: string; url: string } | null };

const FAILURES = ['no-role', 'expired', 'refused', 'provider', 'token', 'busy', 'failed'] as const;

/** Takes what the server says about a sign-in that did not come about out of the address. */
export function takeFailure(): string | null {
  const code = new URLSearchParams(location.hash.slice(1)).get('sign-in-error');
  if (code === null) return null;
  history.replaceState(null, '', location.pathname + location.search);
  const known = FAILURES.find((failure) => failure === code);
  return t(`signIn.openid.${known ?? 'failed'}`);
}

/** The button of the provider, where there is one. */
export function OpenId({ client }: { client: Client }) {
  const [methods, setMethods] = useState<Methods | null>(null);
  useEffect(() => {
    client.get<Methods>('/v1/sign-in').then(setMethods, () => setMethods(null));
  }, []);
  if (!methods?.openid) return null;
  return (
    <p>
      <a class="button primary" href={methods.openid.url} data-testid="openid">{t('signIn.openid', { name: methods.openid.name })}</a>
    </p>
  );
}
