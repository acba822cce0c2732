// What was used, by tenant, key or day, and the quotas of the month.

import { useState } from 'preact/hooks';
import type { Client } from '../client.ts';
import { Link, navigate, search } from '../router.ts';
import { locale, number, t, type Key } from '../text.ts';
import { formatTime } from '../time.ts';
import { visible } from '../viewer/copy.tsx';
import { ProblemBox } from '../viewer/viewer.tsx';
import { FormDialog, PageHead, useRead } from './parts.tsx';
import { Trail } from './trail.tsx';

type Count = { events: number; bytes: number };
type Quota = { events_per_month: number | null; bytes_per_month: number | null; refuse: boolean; used: Count; events_left: number | null; bytes_left: number | null; renewed_at: string };
type Line = { name: string; accepted: Count; stored_events: number | null; quota: Quota | null };
type Usage = { from: string; to: string; by: 'tenant' | 'key' | 'day'; data: Line[]; total: Count };

const BYS = ['tenant', 'key', 'day'] as const;
const PAGE = '/console/usage';

/** Bytes in the largest unit that keeps a number readable. */
export function bytes(value: number): string {
  const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];
  const at = Math.min(units.length - 1, value < 1000 ? 0 : Math.floor(Math.log10(value) / 3));
  return new Intl.NumberFormat(locale.value, { style: 'unit', unit: units[at]!, maximumFractionDigits: 1 }).format(value / 1000 ** at);
}

export function UsagePage({ client }: { client: Client }) {
  const asked = new URLSearchParams(search.value);
  const by = BYS.find((one) => one === asked.get('by')) ?? 'tenant';
  const query = new URLSearchParams({ by, ...Object.fromEntries(['from', 'to'].map((name) => [name, asked.get(name) ?? '']).filter(([, value]) => value)) });
  const { data, problem, reload } = useRead<Usage>(client, `/v1/usage?${query}`);
  const go = (change: Record<string, string>): void => {
    const next = new URLSearchParams(query);
    for (const [name, value] of Object.entries(change)) value ? next.set(name, value) : next.delete(name);
    navigate(`${PAGE}?${next}`, true);
  };
  const most = Math.max(1, ...(data?.data.map(({ accepted }) => accepted.events) ?? []));
  return (
    <div class="page">
      <PageHead title={t('usage.title')} text={t('usage.text')} />
      <div class="actions">
        <label>{t('usage.by')} <select value={by} onChange={(event) => go({ by: event.currentTarget.value })}>{BYS.map((one) => <option key={one} value={one}>{t(`usage.by.${one}`)}</option>)}</select></label>
        <label>{t('usage.from')} <input type="date" value={data?.from ?? ''} onChange={(event) => go({ from: event.currentTarget.value })} /></label>
        <label>{t('usage.to')} <input type="date" value={data?.to ?? ''} onChange={(event) => go({ to: event.currentTarget.value })} /></label>
      </div>
      {problem && <ProblemBox problem={problem} retry={reload} />}
      {!data && !problem && <p role="status">{t('loading')}</p>}
      {data && (
        <>
          <p role="status" class="big">{t('usage.total', { n: data.total.events, bytes: bytes(data.total.bytes) })}</p>
          {data.data.length > 0 && (
            <table class="list">
              <thead><tr><th scope="col">{t(`usage.by.${data.by}`)}</th><th scope="col" class="end">{t('usage.accepted')}</th><th scope="col" class="end">{t('usage.bytes')}</th>{data.by === 'tenant' && <th scope="col" class="end">{t('usage.stored')}</th>}{data.by !== 'day' && <><th scope="col">{t('usage.quota')}</th><td /></>}</tr></thead>
              <tbody>
                {data.data.map((line) => (
                  <tr key={line.name}>
                    <th scope="row">{data.by === 'tenant' ? <Link to={`/console/t/${encodeURIComponent(line.name)}/events`}>{visible(line.name)}</Link> : visible(line.name)}<meter class="share" aria-hidden="true" min={0} max={most} value={line.accepted.events} /></th>
                    <td class="end mono">{number(line.accepted.events)}</td>
                    <td class="end mono">{bytes(line.accepted.bytes)}</td>
                    {data.by === 'tenant' && <td class="end mono">{line.stored_events === null ? '–' : number(line.stored_events)}</td>}
                    {data.by !== 'day' && <><td><QuotaOf quota={line.quota} /></td><td class="end"><QuotaForm client={client} by={data.by} line={line} done={reload} /></td></>}
                  </tr>
                ))}
              </tbody>
            </table>
          )}
        </>
      )}
      <Trail client={client} of={['quota.*']} />
    </div>
  );
}

function QuotaOf({ quota }: { quota: Quota | null }) {
  if (!quota) return <span class="note">{t('usage.unlimited')}</span>;
  const parts = [
    ['events', quota.events_per_month, quota.used.events, number],
    ['bytes', quota.bytes_per_month, quota.used.bytes, bytes],
  ] as const;
  return (
    <>
      {parts.map(([name, limit, used, text]) => limit !== null && (
        <p key={name}><meter aria-label={t(`usage.${name}OfQuota`)} min={0} max={Math.max(1, limit)} value={used} /> {t('usage.of', { used: text(used), limit: text(limit) })}{used > limit && <b class="warn"> {t('usage.over')}</b>}</p>
      ))}
      <p class="note">{t(quota.refuse ? 'usage.refuses' : 'usage.shows')} {t('usage.renewed', { time: formatTime(quota.renewed_at, 'utc', locale.value) })}</p>
    </>
  );
}

function QuotaForm({ client, by, line, done }: { client: Client; by: 'tenant' | 'key'; line: Line; done: () => void }) {
  const [shown, setShown] = useState(line.quota?.refuse ?? false);
  const set = async (form: FormData): Promise<void> => {
    const whole = (name: string): number | null => (form.get(name) ? Number(form.get(name)) : null);
    await client.send('PUT', `/v1/${by === 'tenant' ? 'tenants' : 'keys'}/${encodeURIComponent(line.name)}/quota`, { events_per_month: whole('events'), bytes_per_month: whole('bytes'), refuse: shown });
    done();
  };
  return (
    <FormDialog plain label={t('usage.set')} title={`${t('usage.set')}: ${line.name}`} submit={t('usage.save')} onSubmit={set}>
      <p class="note">{t('usage.setHint')}</p>
      <label>{t('usage.eventsPerMonth')} <input name="events" type="number" min={0} defaultValue={String(line.quota?.events_per_month ?? '')} /></label>
      <label>{t('usage.bytesPerMonth')} <input name="bytes" type="number" min={0} defaultValue={String(line.quota?.bytes_per_month ?? '')} /></label>
      <label class="check"><input type="checkbox" checked={shown} onChange={() => setShown(!shown)} /> {t('usage.refuse' as Key)}</label>
    </FormDialog>
  );
}
