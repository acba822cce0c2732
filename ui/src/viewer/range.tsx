// The time range: quick ones, or from … to …; and the time zone.

import { useState } from 'preact/hooks';
import { t, type Key } from '../text.ts';
import { RELATIVE } from '../time.ts';
import type { View } from './view.ts';

export function RangePicker({ view }: { view: View }) {
  const range = view.range.value;
  const relative = 'relative' in range ? range.relative : 'custom';
  const [custom, setCustom] = useState(false);
  const [picking, setPicking] = useState(false);
  const extras = view.extras.value;
  const zone = view.zone.value;
  const { since } = view.host;
  const shown = custom || relative === 'custom';
  return (
    <div class="range">
      <label>
        <span class="sr">{t('range.label')}</span>
        <select class="range-select" value={shown ? 'custom' : relative} onChange={(event) => {
          const value = event.currentTarget.value;
          setCustom(value === 'custom');
          if (value === 'since') view.setRange({ from: since! });
          else if (value !== 'custom') view.setRange({ relative: value });
        }}>
          {RELATIVE.map((name) => <option key={name} value={name}>{t(`range.${name}` as Key)}</option>)}
          {!RELATIVE.includes(relative as (typeof RELATIVE)[number]) && relative !== 'custom' && <option value={relative}>{relative}</option>}
          {since && <option value="since">{t('range.since')}</option>}
          <option value="custom">{t('range.custom')}</option>
        </select>
      </label>
      {shown && extras && <extras.CustomRange view={view} key={`${zone} ${JSON.stringify(range)}`} />}
      <label>
        <span class="sr">{t('zone.label')}</span>
        <select value={zone} onChange={({ currentTarget }) => {
          if (currentTarget.value !== '') return (view.zone.value = currentTarget.value);
          currentTarget.value = zone;
          setPicking(true);
        }}>
          <option value="local">{t('zone.local', { zone: Intl.DateTimeFormat().resolvedOptions().timeZone })}</option>
          <option value="utc">{t('zone.utc')}</option>
          {zone !== 'local' && zone !== 'utc' && <option value={zone}>{zone}</option>}
          <option value="">{t('zone.other')}</option>
        </select>
      </label>
      {picking && extras && <extras.ZoneDialog view={view} close={() => setPicking(false)} />}
    </div>
  );
}
