// From … to …, and a time zone by its name.

import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { fromInput, toInput } from '../inputs.ts';
import { t } from '../text.ts';
import { isZone } from '../time.ts';
import type { View } from './view.ts';

export function CustomRange({ view }: { view: View }) {
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

/** Every zone that the browser knows, to be searched by name. */
export function ZoneDialog({ view, close }: { view: View; close: () => void }) {
  const id = useId();
  const dialog = useRef<HTMLDialogElement>(null);
  const [name, setName] = useState('');
  const [wrong, setWrong] = useState(false);
  useEffect(() => dialog.current?.showModal(), []);
  const use = (event: SubmitEvent): void => {
    event.preventDefault();
    if (!isZone(name.trim())) return setWrong(true);
    view.zone.value = name.trim();
    dialog.current?.close();
  };
  return (
    <dialog ref={dialog} aria-labelledby={`${id}-title`} onClose={close}>
      <form class="stack" onSubmit={use}>
        <h2 id={`${id}-title`}>{t('zone.title')}</h2>
        <label>{t('zone.find')} <input list={`${id}-zones`} required autocomplete="off" spellcheck={false} value={name} aria-invalid={wrong} aria-describedby={wrong ? `${id}-wrong` : undefined} onInput={(event) => (setName(event.currentTarget.value), setWrong(false))} /></label>
        <datalist id={`${id}-zones`}>{Intl.supportedValuesOf('timeZone').map((zone) => <option key={zone} value={zone} />)}</datalist>
        {wrong && <p class="warn" role="alert" id={`${id}-wrong`}>{t('zone.wrong')}</p>}
        <div class="dialog-actions"><button type="button" onClick={() => dialog.current?.close()}>{t('cancel')}</button><button type="submit" class="primary">{t('zone.use')}</button></div>
      </form>
    </dialog>
  );
}
