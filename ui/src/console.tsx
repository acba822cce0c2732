// The console for operators: sign-in, navigation, pages.

import 'uplot/dist/uPlot.min.css';
import { render } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { Client, Problem, type Session } from './client.ts';
import { EventPage, EventsPage } from './pages/events.tsx';
import { AboutPage, KINDS, type Kind } from './pages/about.tsx';
import { Later } from './pages/parts.tsx';
import { OpenId, takeFailure } from './pages/sign-in.tsx';
import type { Tenant } from './pages/tenants.tsx';
import { Link, navigate, path } from './router.ts';
import { consoleEn } from './messages/console.en.ts';
import { extend, language, setLocale, t } from './text.ts';
import { taken } from './keys.ts';
import { Help } from './pages/help.tsx';
import { announcement, announce } from './announce.ts';
import { closeMenus } from './menus.ts';
import { applyTheme, theme, setTheme, type Theme } from './theme.ts';
import { changes, expired } from './session.ts';

const client = new Client('', {
  headers: () => ({ 'attestary-console': '1' }),
  renew: async () => {
    // The page stays as it is; signing in again in another tab is enough to go on.
    expired.value = true;
    return false;
  },
});

client.onChange = () => changes.value++;

const later = () => import('./pages/later.ts');

async function begin(): Promise<Session | 'refused' | null> {
  const code = new URLSearchParams(location.hash.slice(1)).get('code');
  if (code) {
    history.replaceState(null, '', location.pathname + location.search);
    try {
      await client.send('POST', '/v1/session', { code });
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 401) throw error;
      return own().then((session) => session ?? 'refused');
    }
  }
  return own();
}

async function own(): Promise<Session | null> {
  try {
    return await client.get<Session>('/v1/session');
  } catch (error) {
    if (error instanceof Problem && error.status === 401) return null;
    throw error;
  } finally {
    expired.value = false;
  }
}

function App() {
  const [session, setSession] = useState<Session | 'refused' | 'ended' | null | undefined>(undefined);
  const [failure, setFailure] = useState(false);
  useEffect(() => {
    begin().then(setSession, () => setFailure(true));
  }, []);
  if (failure) return <main class="sign-in"><div class="problem" role="alert"><p>{t('problem.offline')}</p></div></main>;
  if (session === undefined) return <main class="sign-in"><p role="status">{t('signIn.working')}</p></main>;
  if (session === null || session === 'refused' || session === 'ended') return <SignIn state={session} />;
  return <Shell session={session} onEnd={() => setSession('ended')} />;
}

function SignIn({ state }: { state: 'refused' | 'ended' | null }) {
  const [failure] = useState(takeFailure);
  useEffect(() => {
    document.title = `${t('signIn.title')} · Attestary`;
  }, []);
  return (
    <main class="sign-in">
      <div class="card">
        <p class="brand"><Mark /> Attestary</p>
        <h1>{t('signIn.title')}</h1>
        {failure && <p class="problem" role="alert">{failure}</p>}
        {state === 'refused' && <p class="problem" role="alert">{t('signIn.refused')}</p>}
        {state === 'ended' && <p role="status">{t('signIn.ended')}</p>}
        <OpenId client={client} />
        <p>{t('signIn.how')}</p>
        <p class="note">{t('signIn.dev')}</p>
        <p class="note">{t('signIn.admin')}</p>
        <pre class="code" tabIndex={0}>attestary sign-in --id you@example.com --role operator</pre>
        <Preferences />
      </div>
    </main>
  );
}

const Mark = () => (
  <svg class="mark" viewBox="0 0 32 32" width="22" height="22" aria-hidden="true"><rect width="32" height="32" rx="7" /><path d="M9 22 16 8l7 14M11.8 17.2h8.4" /></svg>
);

function Preferences() {
  return (
    <div class="preferences">
      <label>{t('theme.label')}{' '}
        <select value={theme.value} onChange={(event) => setTheme(event.currentTarget.value as Theme)}>
          <option value="system">{t('theme.system')}</option><option value="light">{t('theme.light')}</option><option value="dark">{t('theme.dark')}</option>
        </select>
      </label>
      <label>{t('language.label')}{' '}
        <select value={language()} onChange={(event) => chooseLanguage(event.currentTarget.value)}>
          <option value="en" lang="en">English</option><option value="de" lang="de">Deutsch</option>
        </select>
      </label>
    </div>
  );
}

function chooseLanguage(tag: string): void {
  try {
    localStorage.setItem('attestary.language', tag);
  } catch {
    // Then the choice lasts as long as the page.
  }
  void setLocale(tag);
  document.documentElement.lang = tag;
}

function Shell({ session, onEnd }: { session: Session; onEnd: () => void }) {
  const [tenants, setTenants] = useState<Tenant[]>([]);
  const [environments, setEnvironments] = useState<string[]>([]);
  const [environment, setEnvironment] = useState('');
  const operator = session.scopes.includes('operator');
  const help = useRef<HTMLDialogElement>(null);
  const has = (scope: string): boolean => session.scopes.includes(scope);
  const loadTenants = (): void => {
    client.get<{ data: Tenant[] }>('/v1/tenants').then((found) => setTenants(found.data), () => setTenants((session.tenants ?? []).map((id) => ({ id, name: null, state: 'open', events: 0, created_at: '' }))));
  };
  const loadEnvironments = (): void => {
    if (!operator) return;
    client.get<{ data: { name: string }[] }>('/v1/environments').then((found) => {
      const names = found.data.map(({ name }) => name);
      setEnvironments(names);
      if (session.environment === '_system') setEnvironment((before) => before || (names[0] ?? ''));
    }, () => undefined);
  };
  useEffect(loadEnvironments, []);
  client.environment = environment;
  const waiting = session.environment === '_system' && environment === '';
  useEffect(() => {
    if (!waiting) loadTenants();
  }, [environment, waiting]);

  const route = useMemo(() => path.value.split('/').filter(Boolean).map(decodeURIComponent), [path.value]);
  const [, section, name, page = 'events', rest] = route;
  const tenant = section === 't' ? name : undefined;
  const current = tenant ?? tenants.find(({ state }) => state === 'open')?.id ?? tenants[0]?.id;
  useEffect(() => {
    // The console begins where there is something to see.
    if (route.length <= 1 && current) navigate(`/console/t/${encodeURIComponent(current)}/events`, true);
  }, [route.length, current]);
  useEffect(() => {
    const waiting = { g: false };
    const onKey = (event: KeyboardEvent): void => {
      if (taken(event) || !shortcutsOn()) return;
      if (event.key === '?') help.current?.showModal();
      else if (waiting.g && event.key === 'd' && current) navigate(`/console/t/${encodeURIComponent(current)}/destinations`);
      else if (waiting.g && event.key === 'e' && current) navigate(`/console/t/${encodeURIComponent(current)}/events`);
      waiting.g = event.key === 'g';
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [current]);

  const to = (where: string): string => `/console/t/${encodeURIComponent(current ?? '')}/${where}`;
  const signOut = async (): Promise<void> => {
    await client.send('DELETE', '/v1/session').catch(() => undefined);
    onEnd();
  };
  const key = `${environment} ${tenant}`;
  /** What is not the search is loaded when it is wanted. */
  const more = (pages: Awaited<ReturnType<typeof later>>) => {
    if (tenant) {
      switch (page) {
        case 'exports': return <pages.ExportsPage client={client} tenant={tenant} />;
        case 'govern': return <pages.GovernPage client={client} tenant={tenant} />;
        case 'actions': return <pages.ActionsPage client={client} tenant={tenant} admin={has('admin')} />;
        case 'views': return <pages.ViewsPage client={client} tenant={tenant} admin={has('admin')} alerts={has('destinations')} id={rest} />;
        case 'portals': return <pages.PortalsPage client={client} tenant={tenant} />;
        case 'alerts': return <pages.AlertsPage client={client} tenant={tenant} fresh={rest === 'new'} />;
      }
    }
    switch (section) {
      case 'keys': return <pages.KeysPage client={client} />;
      case 'usage': return <pages.UsagePage client={client} />;
      case 'environments': return <pages.EnvironmentsPage client={client} changed={loadEnvironments} />;
      default: return <pages.TenantsPage client={client} changed={loadTenants} />;
    }
  };
  return (
    <>
      <a class="skip" href="#content">{t('app.skip')}</a>
      <header class="top">
        <Link to="/console/" class="brand"><Mark /> Attestary</Link>
        <label class="tenant-pick"><span class="sr">{t('nav.tenant')}</span>
          <select value={tenant ?? ''} onChange={(event) => navigate(`/console/t/${encodeURIComponent(event.currentTarget.value)}/${['e', ...KINDS].includes(page) ? 'events' : page}`)}>
            {!tenant && <option value="">{t('nav.pickTenant')}</option>}
            {tenant && !tenants.some(({ id }) => id === tenant) && tenant !== '_audit' && <option value={tenant}>{tenant}</option>}
            {tenants.map(({ id, name }) => <option key={id} value={id}>{name ? `${name} (${id})` : id}</option>)}
            {session.tenants === null && <option value="_audit">{t('nav.audit')}</option>}
          </select>
        </label>
        <nav aria-label={t('nav.main')}>
          {current && <Link to={to('events')} current={page === 'events' && !!tenant || page === 'e'}>{t('nav.events')}</Link>}
          {current && <Link to={to('views')} current={page === 'views' && !!tenant}>{t('nav.views')}</Link>}
          {current && current !== '_audit' && has('destinations') && <Link to={to('alerts')} current={page === 'alerts' && !!tenant}>{t('nav.alerts')}</Link>}
          {current && current !== '_audit' && has('destinations') && <Link to={to('destinations')} current={page === 'destinations' && !!tenant}>{t('nav.destinations')}</Link>}
          {current && current !== '_audit' && has('export') && <Link to={to('exports')} current={page === 'exports' && !!tenant}>{t('nav.exports')}</Link>}
          {current && current !== '_audit' && has('admin') && <Link to={to('govern')} current={page === 'govern' && !!tenant}>{t('nav.govern')}</Link>}
          {current && <Link to={to('actions')} current={page === 'actions' && !!tenant}>{t('nav.actions')}</Link>}
          {current && current !== '_audit' && has('portal') && <Link to={to('portals')} current={page === 'portals' && !!tenant}>{t('nav.portals')}</Link>}
          {has('admin') && <Link to="/console/tenants" current={section === 'tenants'}>{t('nav.tenants')}</Link>}
          {has('admin') && <Link to="/console/keys" current={section === 'keys'}>{t('nav.keys')}</Link>}
          {has('admin') && <Link to="/console/usage" current={section === 'usage'}>{t('nav.usage')}</Link>}
          {has('destinations') && session.tenants === null && <Link to="/console/blueprints" current={section === 'blueprints'}>{t('nav.blueprints')}</Link>}
          {operator && <Link to="/console/environments" current={section === 'environments'}>{t('nav.environments')}</Link>}
        </nav>
        {operator && environments.length > 0 && (
          <label><span class="sr">{t('nav.environment')}</span>
            <select value={environment || session.environment} onChange={(event) => setEnvironment(event.currentTarget.value)}>{environments.map((one) => <option key={one}>{one}</option>)}</select>
          </label>
        )}
        <button type="button" class="icon" aria-label={t('nav.help')} onClick={() => help.current?.showModal()}>?</button>
        <details class="menu user">
          <summary>{session.name}</summary>
          <div class="menu-body">
            <p class="note">{t('nav.signedInAs', { name: session.name ?? '', role: session.role ?? '' })}</p>
            <Preferences />
            <button type="button" onClick={signOut}>{t('nav.signOut')}</button>
          </div>
        </details>
      </header>
      {expired.value && <div class="banner" role="alert">{t('problem.expired')} <button type="button" onClick={() => own()}>{t('problem.retry')}</button></div>}
      <main id="content" tabIndex={-1}>
        {waiting ? <p role="status">{t('loading')}</p>
          : tenant && page === 'events' ? <EventsPage key={key} client={client} session={session} tenant={tenant} />
          : tenant && page === 'e' && rest ? <EventPage key={rest} client={client} session={session} tenant={tenant} id={rest} />
          : tenant && KINDS.includes(page) && rest ? <AboutPage key={`${key} ${page} ${rest}`} client={client} tenant={tenant} kind={page as Kind} id={rest} exports={has('export')} />
          : tenant && page === 'destinations' ? <Later key={`${key} ${rest}`} load={() => import('./pages/connect.ts').then(({ DestinationsPage }) => () => <DestinationsPage client={client} session={session} tenant={tenant} id={rest} />)} />
          : section === 'blueprints' ? <Later key={`${key} ${name} ${current}`} load={() => import('./pages/connect.ts').then(({ BlueprintsPage }) => () => <BlueprintsPage client={client} tenant={current ?? ''} fresh={name === 'new'} />)} />
          : <Later key={`${key} ${section} ${page} ${rest}`} load={() => later().then((pages) => () => more(pages))} />}
      </main>
      <Help dialog={help} />
      <div class="sr" role="status" aria-live="polite">{announcement.value}</div>
    </>
  );
}

function shortcutsOn(): boolean {
  try {
    return localStorage.getItem('attestary.shortcuts') !== 'false';
  } catch {
    return true;
  }
}

extend(consoleEn, { de: () => import('./messages/console.de.ts').then(({ consoleDe }) => consoleDe) });
let language0: string | null = null;
try {
  language0 = localStorage.getItem('attestary.language');
} catch {
  // The browser's language then.
}
applyTheme();
announce('');
closeMenus(document);
void setLocale(language0).then(() => {
  document.documentElement.lang = language();
  render(<App />, document.getElementById('app')!);
});
