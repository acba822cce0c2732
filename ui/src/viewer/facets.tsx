// The most frequent values of a few fields: one click narrows down, another leaves out.

import { number, t, type Key } from '../text.ts';
import { visible } from './copy.tsx';
import { GLYPHS, type Outcome } from './sentence.ts';
import type { View } from './view.ts';

export function Facets({ view }: { view: View }) {
  return (
    <nav class="facets" aria-label={t('facets.label')}>
      {view.facets.value.filter((facet) => facet.values.length > 0).map((facet) => {
        const most = facet.values[0]!.count;
        return (
          <section key={facet.field}>
            <h3>{t(`field.${facet.field}` as Key)}</h3>
            <ul>
              {facet.values.map(({ value, count }) => {
                const shown = facet.field === 'outcome' 
                  ? `${GLYPHS[value as Outcome] ?? ''} ${t(`outcome.${value}` as Key)}` 
                  : visible(value);
                return (
                  <li key={value}>
                    <button type="button" class="facet" aria-label={t('facets.include', { field: facet.field, value, n: count })}
                      onClick={(event) => (event.altKey ? view.exclude(facet.field, value) : view.include(facet.field, value))}>
                      <span class="facet-value"><bdi>{shown}</bdi></span>
                      <span class="facet-count">{number(count)}</span>
                      <meter class="facet-share" aria-hidden="true" min={0} max={most} value={count} />
                    </button>
                    <button type="button" class="facet-not icon" aria-label={t('facets.exclude', { field: facet.field, value })} onClick={() => view.exclude(facet.field, value)}>⊖</button>
                  </li>
                );
              })}
            </ul>
            {facet.distinct > facet.values.length && <p class="facet-other">{t('facets.other', { n: facet.distinct - facet.values.length })}</p>}
          </section>
        );
      })}
    </nav>
  );
}
