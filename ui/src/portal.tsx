// The page of a portal session: the viewer alone, full page or inside a frame of the session's origin.
//
// The token stays in this tab's storage, so that a reload keeps the view. In a frame, the page above is asked for a new
// one before the old ends; messages are taken from the session's origin only.

import 'uplot/dist/uPlot.min.css';
import { render } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { announce, announcement } from './announce.ts';
import { Client, Problem, type Session } from './client.ts';
import { closeMenus } from './menus.ts';
import { setLocale, t } from './text.ts';
import { applyTheme, painted, theme, type Theme } from './theme.ts';
import { Viewer } from './viewer/viewer.tsx';
import { View } from './viewer/view.ts';

const KEY = `attestary.portal.${location.pathname}`;
/** How long the page above may take to bring a new token. */
const RENEW_MS = 10_000;
let token = '';
let origin = '';
try {
  token = sessionStorage.getItem(KEY) ?? '';
} catch {
  // Then a reload needs a new link.
}

function keep(next: string): void {
  token = next;
  try {
    sessionStorage.setItem(KEY, next);
  } catch {
    // Then a reload needs a new link.
  }
}

const framed = parent !== window;
const client = new Client('', {
  headers: () => ({ authorization: `Bearer ${token}`, 'attestary-console': '1' }),
  renew: () => (framed && origin ? askParent() : Promise.resolve(false)),
});

function askParent(): Promise<boolean> {
  return new Promise((resolve) => {
    const done = (found: boolean): void => {
      removeEventListener('message', onMessage);
      clearTimeout(timer);
      resolve(found);
    };
    const onMessage = (event: MessageEvent): void => {
      if (event.origin !== origin || event.source !== parent || event.data?.type !== 'attestary:token' || typeof event.data.token !== 'string') return;
      keep(event.data.token);
      done(true);
    };
    addEventListener('message', onMessage);
    const timer = setTimeout(() => done(false), RENEW_MS);
    parent.postMessage({ type: 'attestary:token-expired' }, origin);
  });
}

async function begin(): Promise<Session> {
  const code = new URLSearchParams(location.hash.slice(1)).get('code');
  if (code) {
    history.replaceState(null, '', location.pathname + location.search);
    const started = await client.send<{ token: string }>('POST', '/v1/session', { code }).catch((error) => {
      // A reload brings the used link again; the token of before may still be good.
      if (!token) throw error;
      return { token };
    });
    keep(started.token);
  }
  if (!token) throw new Problem(401, 'unauthenticated', '', '');
  return client.get<Session>('/v1/session');
}

function Portal() {
  const [session, setSession] = useState<Session | null>(null);
  const [ended, setEnded] = useState(false);
  useEffect(() => {
    begin().then(async (found) => {
      origin = found.origin ?? '';
      await setLocale(found.locale);
      document.documentElement.lang = found.locale ?? 'en';
      if (found.theme) theme.value = found.theme as Theme;
      applyTheme();
      setSession(found);
    }, () => setEnded(true));
  }, []);
  if (ended) return <main class="sign-in"><p role="alert">{t('portal.ended')}</p></main>;
  if (!session) return <main class="sign-in"><p role="status">{t('loading')}</p></main>;
  return <Shown session={session} />;
}

function Shown({ session }: { session: Session }) {
  const view = useMemo(() => new View({
    client, session, tenant: session.tenants?.[0] ?? '', announce,
    load: () => new URLSearchParams(location.search),
    save: (state, replace) => history[replace ? 'replaceState' : 'pushState'](null, '', `${location.pathname}?${state}`),
  }), [session]);
  useEffect(() => {
    const back = (): void => view.restore();
    addEventListener('popstate', back);
    const stop = painted.subscribe(() => view.theme.value++);
    return () => (removeEventListener('popstate', back), stop());
  }, [view]);
  return (
    <main id="content">
      <h1 class="sr">{t('search.title')}</h1>
      <Viewer view={view} />
      <div class="sr" role="status" aria-live="polite">{announcement.value}</div>
    </main>
  );
}

applyTheme();
closeMenus(document);
render(<Portal />, document.getElementById('app')!);
