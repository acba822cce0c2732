// The rows: only those in sight are in the document, and the one with the focus never leaves it.

import { useEffect, useMemo, useRef } from 'preact/hooks';
import type { Event } from '../client.ts';
import { locale, number, t } from '../text.ts';
import { formatTime } from '../time.ts';
import { Detail, visible } from './detail.tsx';
import { GLYPHS, actorName, outcomeOf, sentence, targetName } from './sentence.ts';
import type { Column, View } from './view.ts';
import { useWindow } from './window.ts';

const ROW_HEIGHT = 34;
type Made = { event: Event; at: number; columns: Column[]; shown: preact.ComponentChild };

export function Table({ view }: { view: View }) {
  const rows = view.rows.value;
  const columns = view.columns.value;
  const keys = useMemo(() => rows.map((event) => event.id), [rows]);
  const { scroller, items, total, reveal, observe } = useWindow(keys, ROW_HEIGHT, view.focused.value);
  const last = items.reduce((most, item) => Math.max(most, item.index === view.focused.value ? 0 : item.index), 0);
  const { cursor, loading } = view;
  useEffect(() => {
    if (cursor.value && !loading.value && last >= rows.length - 40) void view.more();
  }, [last, rows.length, cursor.value, loading.value]);

  // Proofs are checked where the reader looks, once the scrolling rests.
  const shown = items.map((item) => rows[item.index]).filter((event) => event !== undefined);
  const inSight = columns.includes('proof') ? shown : [];
  useEffect(() => {
    const timer = setTimeout(() => void view.check(inSight), 80);
    return () => clearTimeout(timer);
  }, [inSight[0]?.id, inSight.at(-1)?.id, inSight.length]);

  // Keys move the focus; the row that gets it is brought into sight first.
  const move = useRef(reveal);
  move.current = reveal;
  useEffect(() => {
    const onMove = (event: globalThis.Event): void => {
      const at = (event as CustomEvent<number>).detail;
      move.current(at);
      requestAnimationFrame(() => requestAnimationFrame(() => scroller.current?.querySelector<HTMLElement>(`[data-index="${at}"] .row-toggle`)?.focus({ preventScroll: true })));
    };
    const element = scroller.current;
    element?.addEventListener('attestary-focus-row', onMove);
    return () => element?.removeEventListener('attestary-focus-row', onMove);
  }, []);

  // A row that is there already is not made again while others scroll by; what it shows it follows by itself.
  const kept = useRef(new Map<string, Made>());
  const made = new Map<string, Made>();
  const rowOf = (event: Event, at: number) => {
    const known = kept.current.get(event.id);
    const row = known && known.event === event && known.at === at && known.columns === columns ? known : { event, at, columns, shown: <Row view={view} event={event} at={at} columns={columns} /> };
    made.set(event.id, row);
    return row.shown;
  };
  useEffect(() => {
    kept.current = made;
  });
  const found = view.histogram.value;
  return (
    <div class={`table ${view.wrap.value ? 'wrap' : ''}`}>
      <div class="grid" role="table" aria-label={t('table.label')} aria-rowcount={cursor.value ? -1 : rows.length + 1} data-columns={columns.join(' ')}>
      <div role="rowgroup" class="thead">
        <div role="row" aria-rowindex={1} class="tr head">
          {columns.map((column) => (
            <div key={column} role="columnheader" class={`c-${column}`}>
              {t(`column.${column}`)}{column === 'time' && <small> {view.zone.value === 'utc' ? 'UTC' : ''}</small>}
            </div>
          ))}
        </div>
      </div>
      <div role="rowgroup" class="tbody" ref={scroller} tabIndex={0} aria-label={t('table.label')} aria-busy={loading.value}>
        <div class="tall" role="presentation" style={{ height: `${total}px` }}>
          {items.map((item) => {
            const event = rows[item.index];
            if (!event) return null;
            return (
              <div key={event.id} role="presentation" class="slot" data-index={item.index} data-key={event.id} style={{ transform: `translateY(${item.start}px)` }}
                ref={(element) => {
                  observe(element);
                }}>
                {rowOf(event, item.index)}
                {view.open.value === event.id && <div role="row" class="tr-detail"><div role="cell"><Detail view={view} event={event} /></div></div>}
              </div>
            );
          })}
        </div>
      </div>
      </div>
      <div class="table-foot">
        <span>{found ? t('table.count', { n: found.events }) : t('table.counting')} · {t('table.shown', { n: rows.length })}</span>
        {loading.value ? <span>{t('table.loading')}</span> : cursor.value ? <button type="button" class="quiet" onClick={() => view.more()}>{t('table.more')}</button> : rows.length > 0 && <span>{t('table.end')}</span>}
      </div>
    </div>
  );
}

function Row({ view, event, at, columns }: { view: View; event: Event; at: number; columns: Column[] }) {
  const outcome = outcomeOf(event);
  const parts = sentence(event);
  const whole = parts.map((part) => part.text).join('');
  const open = view.open.value === event.id;
  const proofs = view.proofs.value;
  const toggle = (): void => {
    view.focused.value = at;
    view.setOpen(event.id);
  };
  const cell = (column: Column) => {
    switch (column) {
      case 'time': return <time dateTime={event.occurred_at ?? event.received_at} title={event.occurred_at ?? event.received_at}>{formatTime(event.occurred_at ?? event.received_at, view.zone.value, locale.value)}</time>;
      case 'outcome': return <span class={`outcome outcome-${outcome}`}><i aria-hidden="true">{GLYPHS[outcome]}</i> {t(`outcome.${outcome}`)}</span>;
      case 'event': return (
        <button type="button" class="row-toggle" aria-expanded={open} aria-label={t('row.open', { sentence: whole.slice(0, 300) })} onClick={(press) => (press.stopPropagation(), toggle())} onFocus={() => (view.focused.value = at)}>
          {parts.map((part, index) => part.strong ? <b key={index}><bdi>{visible(part.text.slice(0, 300))}</bdi></b> : <span key={index}>{part.text}</span>)}
        </button>
      );
      case 'action': return <code><bdi>{visible(event.action ?? '')}</bdi></code>;
      case 'actor': return <bdi>{visible(actorName(event.actor))}</bdi>;
      case 'target': return <bdi>{visible(targetName(event.targets?.[0]))}</bdi>;
      case 'ip': return <span class="mono">{visible(event.context?.ip ?? '')}</span>;
      case 'proof': return proofs && <proofs.parts.Chip verifier={proofs.verifier} event={event} />;
      case 'seq': return <span class="mono">{number(event.seq)}</span>;
    }
  };
  return (
    <div role="row" aria-rowindex={at + 2} class={`tr ${open ? 'open' : ''} row-${outcome}`} onClick={() => !getSelection()?.toString() && toggle()}>
      {columns.map((column) => <div key={column} role="cell" class={`c-${column}`}>{cell(column)}</div>)}
    </div>
  );
}
