// Questions that people ask of an audit log, each as a filter that can be changed from there.

import { t, type Key } from '../text.ts';
import type { View } from './view.ts';

const PRESETS: [Key, string, string][] = [
  ['preset.signIns', 'action:user.login* (outcome:failure OR outcome:denied)', '24h'],
  ['preset.privileges', 'action:role.* OR action:permission.* OR action:admin.* OR action:*.permissions.changed', '30d'],
  ['preset.exports', 'action:*.exported OR action:document.downloaded OR action:document.printed OR action:data.searched', '30d'],
  ['preset.keys', 'action:api_key.*', '90d'],
  ['preset.impersonation', 'action:impersonation.* OR exists(impersonator)', '90d'],
  ['preset.personal', 'action:user.profile.viewed OR action:billing.*viewed OR labels:pii OR labels:personal', '30d'],
  ['preset.denied', 'outcome:denied', '7d'],
];

export function Presets({ view }: { view: View }) {
  const saved = view.saved.value;
  return (
    <label>
      <span class="sr">{t('preset.label')}</span>
      <select value="" onChange={(event) => {
        const value = event.currentTarget.value;
        const own = saved.find(({ id }) => id === value);
        const chosen = own ? (['', own.filter, 'all'] as const) : PRESETS[Number(value)];
        event.currentTarget.value = '';
        if (!chosen) return;
        view.text.value = chosen[1];
        view.range.value = { relative: chosen[2] };
        view.submit();
      }}>
        <option value="" disabled>{t('preset.label')}</option>
        {PRESETS.map(([key], at) => <option key={key} value={at}>{t(key)}</option>)}
        {saved.length > 0 && <optgroup label={t('preset.saved')}>{saved.map(({ id, name }) => <option key={id} value={id}>{name}</option>)}</optgroup>}
      </select>
    </label>
  );
}
