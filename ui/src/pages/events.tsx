// The search page of one tenant, and the page of one event.

import { useEffect, useMemo, useState } from 'preact/hooks';
import { Problem, type Client, type Event, type Session } from '../client.ts';
import { Link, navigate, path, search } from '../router.ts';
import { t } from '../text.ts';
import { announce } from '../announce.ts';
import { expired, signedInBefore } from '../session.ts';
import { painted } from '../theme.ts';
import { Viewer, ProblemBox } from '../viewer/viewer.tsx';
import { View, type Host } from '../viewer/view.ts';
import { sentence } from '../viewer/sentence.ts';
import { aboutUrl } from './about.tsx';
import { FirstEvent } from './first.tsx';
import { SearchTools, loadSaved } from './save.tsx';

const base = (tenant: string): string => `/console/t/${encodeURIComponent(tenant)}`;

function hostOf(client: Client, session: Session, tenant: string): Host {
  const since = signedInBefore(session.id);
  return {
    ...(since ? { since } : {}),
    saysEnded: true,
    client,
    session,
    tenant,
    announce,
    load: () => new URLSearchParams(location.search),
    save: (state, replace) => {
      const text = state.toString();
      navigate(`${base(tenant)}/events${text ? `?${text}` : ''}`, replace);
    },
    aboutUrl: (kind, id) => aboutUrl(tenant, kind, id),
    go: (url) => navigate(url),
    tools: (view) => <SearchTools view={view} admin={session.scopes.includes('admin')} alerts={tenant !== '_audit' && session.scopes.includes('destinations')} exports={tenant !== '_audit' && session.scopes.includes('export')} />,
    eventUrl: (id) => `${location.origin}${base(tenant)}/e/${id}`,
  };
}

export function EventsPage({ client, session, tenant }: { client: Client; session: Session; tenant: string }) {
  const view = useMemo(() => new View(hostOf(client, session, tenant)), [client, session, tenant]);
  useEffect(() => {
    document.title = `${t('search.title')} · ${tenant} · Attestary`;
    void loadSaved(view);
    const back = (): void => view.restore();
    addEventListener('popstate', back);
    const stop = painted.subscribe(() => view.theme.value++);
    // Signed in again, what was asked meanwhile is asked once more.
    const again = expired.subscribe((ended) => void (!ended && view.problem.peek()?.status === 401 && view.ask()));
    return () => (removeEventListener('popstate', back), stop(), again());
  }, [view]);
  void search.value;
  return (
    <>
      <h1 class="sr">{t('search.title')}</h1>
      <Viewer view={view} first={() => <FirstEvent client={client} tenant={tenant} canMakeKeys={session.scopes.includes('admin')} onEvent={() => view.ask()} />} />
    </>
  );
}

export function EventPage({ client, session, tenant, id }: { client: Client; session: Session; tenant: string; id: string }) {
  const [event, setEvent] = useState<Event | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  useEffect(() => {
    document.title = `${t('event.title')} · ${tenant} · Attestary`;
    client.get<Event>(`/v1/events/${encodeURIComponent(id)}`, { tenant }).then(setEvent, (error) => setProblem(error as Problem));
  }, [id]);
  // Filters chosen here lead to the search.
  const view = useMemo(() => {
    const host = hostOf(client, session, tenant);
    return new View({ ...host, load: () => new URLSearchParams('range=all'), save: (state, replace) => path.value.includes('/e/') && (state.get('q') ? host.save(state, replace) : undefined) });
  }, []);
  const extras = view.extras.value;
  return (
    <div class="page">
      <p><Link to={`${base(tenant)}/events?range=all`}>← {t('event.back')}</Link></p>
      <h1>{event ? sentence(event).map((part) => part.text).join('') : t('event.title')}</h1>
      {problem && <ProblemBox problem={problem} />}
      {event && extras && <div class="card"><extras.Detail view={view} event={event} /></div>}
    </div>
  );
}
