// Counts over time, stacked by outcome; dragging chooses a range.

import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import { locale, number, t } from '../text.ts';
import { formatTime, zoneName } from '../time.ts';
import { GLYPHS, OUTCOMES, type Outcome } from './sentence.ts';
import type { Bucket, View } from './view.ts';

const HEIGHT = 108;
/** A second click within this time makes the first half of a double-click, in milliseconds. */
const DOUBLE_MS = 250;
const total = (bucket: Bucket): number => OUTCOMES.reduce((sum, outcome) => sum + bucket[outcome], 0);

export function Chart({ view }: { view: View }) {
  const holder = useRef<HTMLDivElement>(null);
  const [hidden, setHidden] = useState<Outcome[]>([]);
  const found = view.histogram.value;
  const zone = view.zone.value;
  const tag = locale.value;

  useEffect(() => {
    const element = holder.current;
    if (!element || !found || found.data.length === 0) return undefined;
    const style = getComputedStyle(element);
    const color = (name: string): string => style.getPropertyValue(name).trim();
    const starts = found.data.map((bucket) => Date.parse(bucket.start) / 1000);
    const shown = OUTCOMES.filter((outcome) => !hidden.includes(outcome));
    // Each series is the sum of those below it; the highest is drawn first.
    const sums = shown.map((_, at) => found.data.map((bucket) => shown.slice(0, at + 1).reduce((sum, outcome) => sum + bucket[outcome], 0)));
    const order = shown.map((_, at) => at).reverse();
    const seconds = found.interval_ms / 1000;
    const bars = uPlot.paths.bars!({ size: [0.86, 60], align: 1 });
    const options: uPlot.Options = {
      width: element.clientWidth || 600,
      height: HEIGHT,
      tzDate: (at) => uPlot.tzDate(new Date(at * 1000), zoneName(zone) ?? Intl.DateTimeFormat().resolvedOptions().timeZone),
      legend: { show: false },
      padding: [8, 8, 0, 0],
      cursor: {
        y: false,
        points: { show: false },
        drag: { x: true, y: false, setScale: false },
        bind: { dblclick: () => () => (clearTimeout(click), view.undoRange(), null) },
      },
      scales: { x: { range: () => [starts[0]!, starts[starts.length - 1]! + seconds] }, y: { range: (_, __, max) => [0, Math.max(max, 1)] } },
      axes: [
        { stroke: color('--muted'), grid: { show: false }, ticks: { stroke: color('--line'), size: 4 }, size: 26, font: '11px system-ui', values: (_, splits) => splits.map((at) => formatTime(new Date(at * 1000).toISOString(), zone, tag, 'axis')), space: 110 },
        { stroke: color('--muted'), grid: { stroke: color('--line'), width: 1 }, ticks: { show: false }, size: 44, font: '11px system-ui', values: (_, splits) => splits.map((value) => (Number.isInteger(value) ? number(value) : '')), space: 30 },
      ],
      series: [{}, ...order.map((at) => ({ fill: color(`--outcome-${shown[at]}`), width: 0, paths: bars, points: { show: false } }))],
      hooks: {
        setSelect: [
          (plot) => {
            const { left, width } = plot.select;
            if (width < 4) return;
            dragged = true;
            const [from, to] = [plot.posToVal(left, 'x'), plot.posToVal(left + width, 'x')];
            view.setRange({ from: new Date(from * 1000).toISOString(), to: new Date(to * 1000).toISOString() });
          },
        ],
      },
    };
    // A bar that is clicked becomes the range; dragging sets it by itself, and a double-click goes back.
    let [click, dragged] = [0, false];
    const plot = new uPlot(options, [starts, ...order.map((at) => sums[at]!)] as uPlot.AlignedData, element);
    plot.over.addEventListener('mousedown', () => (dragged = false));
    plot.over.addEventListener('click', () => {
      clearTimeout(click);
      const at = plot.cursor.idx;
      const start = at == null || dragged ? undefined : starts[at];
      if (start === undefined) return;
      const [from, to] = [start, start + seconds].map((second) => new Date(second * 1000).toISOString()) as [string, string];
      click = window.setTimeout(() => view.setRange({ from, to }), DOUBLE_MS);
    });
    const observer = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);
    return () => {
      clearTimeout(click);
      observer.disconnect();
      plot.destroy();
    };
  }, [found, zone, tag, hidden, view.theme.value]);

  if (!found) return <div class="chart" />;
  const busiest = found.data.reduce((best, bucket) => (total(bucket) > total(best) ? bucket : best), found.data[0] ?? { start: '', success: 0, failure: 0, denied: 0, unknown: 0 });
  const sums = OUTCOMES.map((outcome) => [outcome, found.data.reduce((sum, bucket) => sum + bucket[outcome], 0)] as const);
  return (
    <figure class="chart" aria-label={t('histogram.label')}>
      <figcaption>
        <span class="chart-text">
          {found.events === 0 ? t('histogram.none') : t('histogram.text', { n: found.events, time: formatTime(busiest.start, zone, tag), most: total(busiest) })}
          {!found.complete && found.complete_from && <span class="note"> {t('histogram.partial', { time: formatTime(found.complete_from.received_at, zone, tag) })}</span>}
        </span>
        <span class="legend">
          {sums.filter(([, sum]) => sum > 0).map(([outcome, sum]) => (
            <button
              key={outcome}
              type="button"
              class={`legend-item outcome-${outcome}`}
              aria-pressed={!hidden.includes(outcome)}
              aria-label={t('histogram.toggle', { outcome: t(`outcome.${outcome}`) })}
              onClick={() => setHidden(hidden.includes(outcome) ? hidden.filter((one) => one !== outcome) : [...hidden, outcome])}
            >
              <i class="swatch" aria-hidden="true">{GLYPHS[outcome]}</i> {t(`outcome.${outcome}`)} <b>{number(sum)}</b>
            </button>
          ))}
        </span>
      </figcaption>
      <div class="plot" ref={holder} title={t('histogram.hint')} aria-hidden="true" />
    </figure>
  );
}
