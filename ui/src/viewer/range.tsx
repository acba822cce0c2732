// The time range: quick ones, or from … to …; and the time zone.

import { useState } from 'preact/hooks';
import { t, type Key } from '../text.ts';
import { RELATIVE, fromInput, toInput } from '../time.ts';
import type { View } from './view.ts';

export function RangePicker({ view }: { view: View }) {
  const range = view.range.value;
  const relative = 'relative' in range ? range.relative : 'custom';
  const [custom, setCustom] = useState(false);
  const shown = custom || relative === 'custom';
  return (
    <div class="range">
      <label>
        <span class="sr">{t('range.label')}</span>
        <select class="range-select" value={shown ? 'custom' : relative} onChange={(event) => {
          const value = event.currentTarget.value;
          setCustom(value === 'custom');
          if (value !== 'custom') view.setRange({ relative: value });
        }}>
          {RELATIVE.map((name) => <option key={name} value={name}>{t(`range.${name}` as Key)}</option>)}
          {!RELATIVE.includes(relative as (typeof RELATIVE)[number]) && relative !== 'custom' && <option value={relative}>{relative}</option>}
          <option value="custom">{t('range.custom')}</option>
        </select>
      </label>
      {shown && <Custom view={view} key={JSON.stringify(range)} />}
      <label>
        <span class="sr">{t('zone.label')}</span>
        <select value={view.zone.value} onChange={(event) => (view.zone.value = event.currentTarget.value)}>
          <option value="local">{t('zone.local', { zone: Intl.DateTimeFormat().resolvedOptions().timeZone })}</option>
          <option value="utc">{t('zone.utc')}</option>
        </select>
      </label>
    </div>
  );
}

function Custom({ view }: { view: View }) {
  const zone = view.zone.value;
  const now = view.range.value;
  const start = 'relative' in now ? view.asked.value : now;
  const [from, setFrom] = useState(toInput(start.from, zone));
  const [to, setTo] = useState(toInput(start.to, zone));
  const wrong = from !== '' && to !== '' && from >= to;
  return (
    <form class="range-custom" onSubmit={(event) => {
      event.preventDefault();
      const [first, last] = [fromInput(from, zone), fromInput(to, zone)];
      if (!wrong) view.setRange({ ...(first ? { from: first } : {}), ...(last ? { to: last } : {}) });
    }}>
      <label>{t('range.from')} <input type="datetime-local" step="1" value={from} onInput={(event) => setFrom(event.currentTarget.value)} /></label>
      <label>{t('range.to')} <input type="datetime-local" step="1" value={to} onInput={(event) => setTo(event.currentTarget.value)} /></label>
      <button type="submit" disabled={wrong}>{t('range.apply')}</button>
      {wrong && <span class="warn" role="status">{t('range.wrong')}</span>}
    </form>
  );
}
