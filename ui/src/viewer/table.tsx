// The table around the rows: what stands above and below them. The rows themselves are in rows.tsx.

import { useEffect, useRef } from 'preact/hooks';
import { locale, t } from '../text.ts';
import { zoneLabel } from '../time.ts';
import { Rows } from './rows.tsx';
import type { View } from './view.ts';

export function Table({ view }: { view: View }) {
  const columns = view.columns.value;
  const scroller = useRef<HTMLDivElement>(null);
  const tall = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const rows = new Rows(view, scroller.current!, tall.current!);
    return () => rows.stop();
  }, [view]);
  const { cursor, loading } = view;
  const count = view.rows.value.length;
  const found = view.histogram.value;
  return (
    <div class={`table ${view.wrap.value ? 'wrap' : ''} ${view.dense.value ? 'dense' : ''}`}>
      <div class="grid" role="table" aria-label={t('table.label')} aria-rowcount={cursor.value ? -1 : count + 1} data-columns={columns.join(' ')}>
      <div role="rowgroup" class="thead">
        <div role="row" aria-rowindex={1} class="tr head">
          {columns.map((column) => (
            <div key={column} role="columnheader" class={`c-${column}`}>
              {t(`column.${column}`)}{column === 'time' && <small> {zoneLabel(view.zone.value, locale.value)}</small>}
            </div>
          ))}
        </div>
      </div>
      <div role="rowgroup" class="tbody" ref={scroller} tabIndex={0} aria-label={t('table.label')} aria-busy={loading.value}>
        <div class="tall" role="presentation" ref={tall} />
      </div>
      </div>
      <div class="table-foot">
        <span>{found ? t('table.count', { n: found.events }) : t('table.counting')} · {t('table.shown', { n: count })}</span>
        {loading.value ? <span>{t('table.loading')}</span> : cursor.value ? <button type="button" class="quiet" onClick={() => view.more()}>{t('table.more')}</button> : count > 0 && <span>{t('table.end')}</span>}
      </div>
    </div>
  );
}
