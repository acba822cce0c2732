// What can be made of the present search: an export, a saved view, an alert.

import { all, type Node } from '../filter/ast.ts';
import { parse } from '../filter/parse.ts';
import { print } from '../filter/print.ts';
import { navigate } from '../router.ts';
import { t } from '../text.ts';
import { FACETS, type View } from '../viewer/view.ts';
import type { Range } from '../time.ts';
import { FormDialog } from './parts.tsx';

const path = (view: View): string => `/v1/tenants/${encodeURIComponent(view.host.tenant)}/saved-views`;

/** Reads the views that people saved; without them, the shipped questions stay. */
export async function loadSaved(view: View): Promise<void> {
  try {
    const { data } = await view.host.client.get<{ data: { id: string; name: string; filter: string; shipped: boolean }[] }>(path(view));
    view.saved.value = data.filter(({ shipped }) => !shipped);
  } catch {
    view.saved.value = [];
  }
}

/** The time range as clauses: a saved view has no range beside its filter. */
function timeOf(range: Range): Node[] {
  if ('relative' in range) return range.relative === 'all' ? [] : [{ field: 'occurred_at', op: '>=', relative: `now-${range.relative}` }];
  const bound = (op: '>=' | '<', value?: string): Node[] => (value ? [{ field: 'occurred_at', op, value }] : []);
  return [...bound('>=', range.from), ...bound('<', range.to)];
}

export function SearchTools({ view, admin, alerts, exports }: { view: View; admin: boolean; alerts: boolean; exports: boolean }) {
  const filter = view.applied.value;
  const save = async (form: FormData): Promise<void> => {
    const tree = parse(filter);
    const text = form.get('time') === 'on' ? print(all([tree, ...timeOf(view.range.value)])) : filter;
    const group = String(form.get('group_by') ?? '');
    await view.host.client.send('POST', path(view), { name: String(form.get('name')), filter: text, group_by: group ? [group] : [] });
    view.host.announce(t('save.done'));
    await loadSaved(view);
  };
  const page = `/console/t/${encodeURIComponent(view.host.tenant)}`;
  const query = new URLSearchParams({ filter });
  const asked = new URLSearchParams({ new: '1', q: filter, ...view.asked.value });
  return (
    <>
      {exports && <button type="button" onClick={() => navigate(`${page}/exports?${asked}`)}>{t('save.export')}</button>}
      {admin && <FormDialog plain label={t('save.label')} title={t('save.title')} submit={t('save.save')} onSubmit={save}>
        <p class="mono wrap-any">{filter || t('save.everything')}</p>
        <label>{t('save.name')} <input name="name" required maxLength={128} autocomplete="off" /></label>
        <label>{t('save.groupBy')} <select name="group_by"><option value="">{t('save.nothing')}</option>{FACETS.map((field) => <option key={field}>{field}</option>)}</select></label>
        {timeOf(view.range.value).length > 0 && <label class="check"><input type="checkbox" name="time" defaultChecked /> {t('save.time')}</label>}
      </FormDialog>}
      {alerts && <button type="button" onClick={() => navigate(`${page}/alerts/new?${query}`)}>{t('save.alert')}</button>}
    </>
  );
}
