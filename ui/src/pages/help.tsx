// The keyboard, and the filter language on one card.

import { useState } from 'preact/hooks';
import { t, type Key } from '../text.ts';

const KEYS: [string, Key][] = [
  ['/', 'help.search'], ['j ↓', 'help.down'], ['k ↑', 'help.up'], ['Enter', 'help.open'], ['x', 'help.exclude'], ['t', 'help.time'],
  ['g d', 'help.destinations'], ['?', 'help.help'], ['Esc', 'help.escape'],
];
const FILTERS: [string, Key][] = [
  ['action:user.login', 'help.filter.exact'], ['action:user.*', 'help.filter.star'], ['-actor.type:service', 'help.filter.not'],
  ['outcome:failure OR outcome:denied', 'help.filter.or'], ['context.ip:10.0.0.0/8', 'help.filter.ip'], ['occurred_at>now-24h', 'help.filter.time'],
  ['exists(actor.email)', 'help.filter.exists'],
];

export function Help({ dialog }: { dialog: { current: HTMLDialogElement | null } }) {
  const [on, setOn] = useState(localStorage.getItem('attestary.shortcuts') !== 'false');
  const toggle = (): void => {
    localStorage.setItem('attestary.shortcuts', String(!on));
    setOn(!on);
  };
  return (
    <dialog ref={dialog} aria-labelledby="help-title" onClick={(event) => event.target === dialog.current && dialog.current?.close()}>
      <h2 id="help-title">{t('help.title')}</h2>
      <label class="check"><input type="checkbox" checked={on} onChange={toggle} /> {t('help.shortcuts')}</label>
      <dl class="keys">{KEYS.map(([key, text]) => <div key={key}><dt><kbd>{key}</kbd></dt><dd>{t(text)}</dd></div>)}</dl>
      <h2>{t('help.filter.title')}</h2>
      <dl class="keys">{FILTERS.map(([text, key]) => <div key={text}><dt><code>{text}</code></dt><dd>{t(key)}</dd></div>)}</dl>
      <div class="dialog-actions"><button type="button" class="primary" onClick={() => dialog.current?.close()}>{t('close')}</button></div>
    </dialog>
  );
}
