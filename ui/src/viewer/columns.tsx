// Which columns there are, in which order, and how high the rows are; kept in this browser.

import { t } from '../text.ts';
import { COLUMNS, DEFAULT_COLUMNS, type Column, type View } from './view.ts';

export function Columns({ view }: { view: View }) {
  const chosen = view.columns.value;
  // The sentence carries the button that opens a row, so it always stays.
  const toggle = (column: Column): void => {
    view.columns.value = chosen.includes(column) ? chosen.filter((one) => one !== column) : [...chosen, column];
  };
  const move = (at: number, step: number) => (press: MouseEvent): void => {
    const next = chosen.slice();
    next.splice(at + step, 0, ...next.splice(at, 1));
    const button = press.currentTarget as HTMLElement;
    view.columns.value = next;
    // The line moves, and the focus with it; at an end the other button of the line takes it.
    requestAnimationFrame(() => (button.matches(':disabled') ? button.parentElement?.querySelector<HTMLElement>('button:enabled') : button)?.focus());
  };
  const switches = [['columns.wrap', view.wrap], ['columns.dense', view.dense], ['columns.plain', view.plain]] as const;
  return (
    <div class="menu-body columns" role="group" aria-label={t('columns.order')}>
      {[...chosen, ...COLUMNS.filter((one) => !chosen.includes(one))].map((column, at) => {
        const name = t(`column.${column}`);
        return (
          <div key={column}>
            <label><input type="checkbox" checked={at < chosen.length} disabled={column === 'event'} onChange={() => toggle(column)} /> {name}</label>
            {at < chosen.length && <button type="button" class="icon" aria-label={t('columns.up', { column: name })} disabled={at === 0} onClick={move(at, -1)}>↑</button>}
            {at < chosen.length && <button type="button" class="icon" aria-label={t('columns.down', { column: name })} disabled={at === chosen.length - 1} onClick={move(at, 1)}>↓</button>}
          </div>
        );
      })}
      <hr />
      {switches.map(([key, setting]) => <label key={key}><input type="checkbox" checked={setting.value} onChange={() => (setting.value = !setting.value)} /> {t(key)}</label>)}
      <button type="button" class="quiet" onClick={() => (view.columns.value = DEFAULT_COLUMNS)}>{t('columns.reset')}</button>
    </div>
  );
}
