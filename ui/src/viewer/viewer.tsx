// The search page: bar, range, counts, facets, rows. The console and the embedded viewer show the same one.

import { useEffect, useRef, useState } from 'preact/hooks';
import { Problem } from '../client.ts';
import { taken } from '../keys.ts';
import { locale, t, type Key } from '../text.ts';
import { FilterBar } from './bar.tsx';
import { Chart } from './chart.tsx';
import { CopyButton, curl } from './copy.tsx';
import { Facets } from './facets.tsx';
import { Presets } from './presets.tsx';
import { RangePicker } from './range.tsx';
import { Table } from './table.tsx';
import type { View } from './view.ts';

/** Members with a mistake that are named one by one. */
const ERRORS_SHOWN = 10;

export function Viewer({ view, first }: { view: View; first?: () => preact.ComponentChildren }) {
  const root = useRef<HTMLDivElement>(null);
  useKeys(view, root);
  useEffect(() => {
    let last = 0;
    // A live region that speaks at most every ten seconds.
    const stop = view.fresh.subscribe((fresh) => {
      if (fresh.length === 0 || Date.now() - last < 10_000) return;
      last = Date.now();
      view.host.announce(t('live.announce', { n: fresh.length }));
    });
    return () => (stop(), view.stop());
  }, [view]);
  const problem = view.problem.value;
  const rows = view.rows.value;
  const proofs = view.proofs.value;
  const untouched = view.applied.value === '' && 'relative' in view.range.value;
  // A log that holds nothing but its own beginning is empty to people.
  const beginning = first && untouched && rows.length === 1 && rows[0]?.action === 'attestary.genesis';
  const empty = view.loaded.value && !view.loading.value && (rows.length === 0 || beginning) && !problem;
  return (
    <div class="viewer" ref={root} lang={locale.value} data-widget="audit-log-viewer" data-state={view.loading.value ? 'loading' : problem ? 'problem' : empty ? 'empty' : 'ready'}>
      <FilterBar view={view} />
      <div class="tools">
        <RangePicker view={view} />
        <Presets view={view} />
        <Live view={view} />
        <span class="grow" />
        {view.host.tools?.(view)}
        <ColumnChooser view={view} />
        <ApiButton view={view} />
      </div>
      {problem && !(problem.status === 401 && view.host.saysEnded) && <ProblemBox problem={problem} retry={() => view.ask()} />}
      {proofs && <proofs.parts.LogLine view={view} verifier={proofs.verifier} />}
      {!beginning && <Chart view={view} />}
      {view.fresh.value.length > 0 && rows.length > 0 && (
        <button type="button" class="fresh" onClick={() => view.showFresh()}>{t('live.fresh', { n: view.fresh.value.length })}</button>
      )}
      {empty ? (
        <Empty view={view} first={untouched ? first : undefined} />
      ) : (
        <div class="split">
          <Facets view={view} />
          <Table view={view} />
        </div>
      )}
    </div>
  );
}

function Live({ view }: { view: View }) {
  const state = view.tailState.value;
  return (
    <button type="button" class={`live ${view.live.value ? `on ${state}` : ''}`} aria-pressed={view.live.value} onClick={() => view.toggleLive()}>
      <i class="dot" aria-hidden="true" />
      {view.live.value && state !== 'ended' ? t(`live.${state}` as Key) : t('live.start')}
    </button>
  );
}

function ColumnChooser({ view }: { view: View }) {
  const extras = view.extras.value;
  return <details class="menu"><summary>{t('columns.label')}</summary>{extras && <extras.Columns view={view} />}</details>;
}

function ApiButton({ view }: { view: View }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const call = curl(view.call());
  return (
    <>
      <button type="button" onClick={() => dialog.current?.showModal()}>{t('api.button')}</button>
      <dialog ref={dialog} aria-labelledby="attestary-api-title" onClick={(event) => event.target === dialog.current && dialog.current?.close()}>
        <h2 id="attestary-api-title">{t('api.title')}</h2>
        <p>{t('api.text')}</p>
        <pre class="code" tabIndex={0}>{call}</pre>
        <div class="dialog-actions"><CopyButton label={t('api.copy')} text={() => call} /><button type="button" class="primary" onClick={() => dialog.current?.close()}>{t('close')}</button></div>
      </dialog>
    </>
  );
}

export function problemText(problem: Problem): string {
  if (problem.status === 0) return t('problem.offline');
  if (problem.status === 401) return t('problem.expired');
  if (problem.status === 403) return t('problem.forbidden', { detail: problem.message });
  if (problem.status === 404) return t('problem.notFound');
  if (problem.status === 429 || problem.status === 503) return t('problem.busy');
  if (problem.status >= 500) return t('problem.server');
  return problem.message;
}

export function ProblemBox({ problem, retry }: { problem: Problem; retry?: () => void }) {
  return (
    <div class="problem" role="alert">
      <p>{problemText(problem)}</p>
      {problem.errors.length > 1 && <ul>{problem.errors.slice(0, ERRORS_SHOWN).map(({ pointer, detail }) => <li key={pointer}><code>{pointer}</code> {detail}</li>)}</ul>}
      {problem.requestId && <p class="note">{t('problem.requestId', { id: problem.requestId })}</p>}
      {retry && <button type="button" onClick={retry}>{t('problem.retry')}</button>}
    </div>
  );
}

function Empty({ view, first }: { view: View; first?: (() => preact.ComponentChildren) | undefined }) {
  const [none, setNone] = useState<boolean | null>(null);
  // Nothing in the range may mean nothing at all: then the page teaches how to begin.
  useEffect(() => {
    if (!first) return undefined;
    let stopped = false;
    const probe = (): void => {
      view.host.client.get<{ data: { seq: number; action?: string }[] }>('/v1/events', { tenant: view.host.tenant, limit: 1, filter: '-action:attestary.genesis' }).then(
        (page) => {
          if (stopped) return;
          if (page.data.length > 0 && none) void view.ask();
          setNone(page.data.length === 0);
        },
        () => undefined,
      );
    };
    probe();
    const timer = setInterval(probe, 2000);
    return () => {
      stopped = true;
      clearInterval(timer);
    };
  }, [view, none]);
  if (first && none) return <>{first()}</>;
  const filtered = view.applied.value !== '';
  return (
    <div class="empty" role="status">
      <h2>{t(filtered ? 'empty.filtered.title' : 'empty.range.title')}</h2>
      <p>{t(filtered ? 'empty.filtered.text' : 'empty.range.text')}</p>
      <button type="button" onClick={() => view.setRange({ relative: 'all' })}>{t('empty.widen')}</button>
    </div>
  );
}

/** Single keys, where no text is being written; they can be switched off. */
function useKeys(view: View, root: { current: HTMLElement | null }): void {
  useEffect(() => {
    const scope = root.current;
    if (!scope) return undefined;
    const find = <T extends HTMLElement>(selector: string): T | null => scope.querySelector<T>(selector);
    const move = (step: number): void => {
      const at = Math.max(0, Math.min(view.rows.value.length - 1, view.focused.value + step));
      view.focused.value = at;
      find('.tbody')?.dispatchEvent(new CustomEvent('attestary-focus-row', { detail: at }));
    };
    const onKey = (event: KeyboardEvent): void => {
      if (taken(event)) return;
      if (event.key === 'Escape' && view.open.value) {
        view.setOpen(view.open.value);
        move(0);
        return;
      }
      if (!view.shortcuts.value) return;
      const row = view.rows.value[view.focused.value];
      if (event.key === '/') find('.filter-text')?.focus();
      else if (event.key === 'j') move(1);
      else if (event.key === 'k') move(-1);
      else if (event.key === 't') find('.range-select')?.focus();
      else if (event.key === 'x' && row?.action) view.exclude('action', row.action);
      else return;
      event.preventDefault();
    };
    const host = scope.getRootNode() instanceof ShadowRoot ? scope : document;
    host.addEventListener('keydown', onKey as EventListener);
    return () => host.removeEventListener('keydown', onKey as EventListener);
  }, [view]);
}
