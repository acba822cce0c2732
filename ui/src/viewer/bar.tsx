// The filter as text and as chips: two editors of one tree, with completion and a mark under what is wrong.

import { useEffect, useId, useMemo, useRef, useState } from 'preact/hooks';
import { clauses } from '../filter/ast.ts';
import { print } from '../filter/print.ts';
import { t, type Key } from '../text.ts';
import type { Facet, View } from './view.ts';

const FIELDS = [
  'action', 'actor.id', 'actor.name', 'actor.email', 'actor.type', 'target.type', 'target.id', 'target.name', 'outcome', 'reason',
  'severity', 'category', 'description', 'labels', 'context.ip', 'context.user_agent', 'context.session_id', 'context.request_id',
  'context.location', 'impersonator.id', 'on_behalf_of.id', 'occurred_at', 'received_at', 'seq', 'id', 'metadata.',
];

/** What stands before the caret: the beginning of a field, or of a value of a field. */
function atCaret(text: string, caret: number): { start: number; field?: string; typed: string } {
  const before = text.slice(0, caret);
  const found = /(?:^|[\s(])-?([^\s()":=<>!]*)(?:(:|=|!=)("?[^\s()"]*))?$/.exec(before);
  if (!found) return { start: caret, typed: '' };
  const value = found[3];
  if (value !== undefined) return { start: caret - value.length, field: found[1]!, typed: value.replace(/^"/, '') };
  return { start: caret - found[1]!.length, typed: found[1]! };
}

/** A value as it stands in a filter: in quotes where it needs them. */
const written = (value: string): string => print({ field: 'a', op: '=', value }).slice(2).replaceAll('*', '\\*');

export function FilterBar({ view }: { view: View }) {
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  const [caret, setCaret] = useState<number | null>(null);
  const [chosen, setChosen] = useState(-1);
  const [values, setValues] = useState<Record<string, Facet>>({});
  const text = view.text.value;
  const error = view.error.value;
  const place = caret === null ? null : atCaret(text, caret);
  const hidden = view.host.session.hide_fields ?? [];

  // Values come from what the tenant's events really hold.
  useEffect(() => {
    const field = place?.field;
    if (!field || values[field]) return;
    const query = { tenant: view.host.tenant, fields: field, limit: 30, ...view.asked.value };
    view.host.client.get<{ data: Facet[] }>('/v1/events/facets', query).then(
      (found) => found.data[0] && setValues((known) => ({ ...known, [field]: found.data[0]! })),
      () => undefined,
    );
  }, [place?.field]);

  const suggestions = useMemo(() => {
    if (!place) return [];
    const typed = place.typed.toLowerCase();
    if (place.field !== undefined) {
      const known = values[place.field]?.values ?? [];
      return known.filter(({ value }) => value.toLowerCase().includes(typed) && value !== place.typed).slice(0, 8)
        .map(({ value, count }) => ({ text: `${written(value)} `, shown: value, note: String(count) }));
    }
    if (!typed) return [];
    return FIELDS.filter((field) => field.includes(typed) && field !== typed && !hidden.some((path) => field.startsWith(path))).slice(0, 8)
      .map((field) => ({ text: field.endsWith('.') ? field : `${field}:`, shown: field, note: '' }));
  }, [place?.field, place?.typed, values]);

  const take = (index: number): void => {
    const suggestion = suggestions[index];
    if (!place || !suggestion || caret === null) return;
    const next = text.slice(0, place.start) + suggestion.text + text.slice(caret);
    view.text.value = next;
    const position = place.start + suggestion.text.length;
    setChosen(-1);
    requestAnimationFrame(() => {
      input.current?.setSelectionRange(position, position);
      setCaret(position);
    });
  };
  const onKey = (event: KeyboardEvent): void => {
    const open = suggestions.length > 0;
    if (open && (event.key === 'ArrowDown' || event.key === 'ArrowUp')) {
      const step = event.key === 'ArrowDown' ? 1 : -1;
      setChosen((chosen + step + suggestions.length + (chosen < 0 && step < 0 ? 1 : 0)) % suggestions.length);
      event.preventDefault();
    } else if (open && chosen >= 0 && (event.key === 'Enter' || event.key === 'Tab')) {
      take(chosen);
      event.preventDefault();
    } else if (event.key === 'Enter') {
      setCaret(null);
      view.submit();
    } else if (event.key === 'Escape') {
      if (open) setCaret(null);
      else input.current?.blur();
      event.stopPropagation();
    }
  };
  const moved = (): void => setCaret(input.current?.selectionStart ?? null);
  return (
    <div class="bar">
      <form role="search" onSubmit={(event) => (event.preventDefault(), view.submit())}>
        <div class="bar-input">
          <input
            ref={input}
            id={`${id}-text`}
            class="filter-text"
            type="text"
            role="combobox"
            spellcheck={false}
            autocomplete="off"
            autocapitalize="off"
            aria-label={t('search.label')}
            aria-expanded={suggestions.length > 0}
            aria-controls={`${id}-list`}
            aria-autocomplete="list"
            aria-activedescendant={chosen >= 0 ? `${id}-${chosen}` : undefined}
            aria-invalid={error !== null}
            aria-describedby={error ? `${id}-error` : undefined}
            placeholder={t('search.placeholder')}
            value={text}
            onInput={(event) => ((view.text.value = event.currentTarget.value), setChosen(-1), moved())}
            onKeyDown={onKey}
            onKeyUp={moved}
            onClick={moved}
            onBlur={() => setTimeout(() => setCaret(null), 150)}
          />
          {text && (
            <button type="button" class="icon" aria-label={t('search.clear')} onClick={() => ((view.text.value = ''), view.submit(), input.current?.focus())}>✕</button>
          )}
          <ul id={`${id}-list`} role="listbox" class="suggestions" aria-label={t('search.suggestions')} hidden={suggestions.length === 0}>
            {suggestions.map((suggestion, at) => (
              <li key={suggestion.shown} id={`${id}-${at}`} role="option" aria-selected={at === chosen} onMouseDown={(event) => (event.preventDefault(), take(at))}>
                <bdi>{suggestion.shown}</bdi> <small>{suggestion.note}</small>
              </li>
            ))}
          </ul>
        </div>
        <button type="submit" class="primary" disabled={error !== null}>{t('search.run')}</button>
      </form>
      {error && <ErrorLine id={`${id}-error`} text={text} error={error} />}
      <Chips view={view} edit={(clause) => edit(view, input.current, clause)} />
    </div>
  );
}

/** The text again with a mark where it stops being a filter. */
function ErrorLine({ id, text, error }: { id: string; text: string; error: { reason: string; offset: number; length: number; expected: string[] } }) {
  const bytes = new TextEncoder().encode(text);
  const cut = (from: number, to?: number): string => new TextDecoder().decode(bytes.slice(from, to));
  const end = error.offset + error.length;
  const reason = t(`reason.${error.reason}` as Key);
  return (
    <div class="filter-error" id={id} role="status">
      <code>{cut(Math.max(0, error.offset - 60), error.offset)}<mark>{cut(error.offset, end) || ' '}</mark>{cut(end, end + 60)}</code>
      <span>{t('search.error', { reason })}{error.expected.length > 0 && ` · ${t('search.expected', { list: error.expected.join('  ') })}`}</span>
    </div>
  );
}

/** Selects the clause in the text, so that typing replaces it. */
function edit(view: View, input: HTMLInputElement | null, clause: string): void {
  if (!input) return;
  view.text.value = view.applied.value;
  requestAnimationFrame(() => {
    const at = view.text.value.indexOf(clause);
    input.focus();
    if (at >= 0) input.setSelectionRange(at, at + clause.length);
  });
}

function Chips({ view, edit }: { view: View; edit: (clause: string) => void }) {
  const list = clauses(view.tree.value);
  if (list.length === 0 || !view.applied.value) return null;
  return (
    <ul class="chips" aria-label={t('chips.label')}>
      {list.map((clause, at) => {
        const shown = print(clause);
        const negative = 'not' in clause;
        return (
          <li key={shown} class={negative ? 'chip negative' : 'chip'}>
            <button type="button" class="chip-sign" aria-pressed={negative} aria-label={t('chips.negate', { clause: shown })}
              onClick={() => view.replaceClause(at, negative ? clause.not : { not: clause })}>{negative ? '⊖' : '⊕'}</button>
            <button type="button" class="chip-text" aria-label={t('chips.edit', { clause: shown })} onClick={() => edit(shown)}><bdi>{negative ? print(clause.not) : shown}</bdi></button>
            <button type="button" class="chip-remove" aria-label={t('chips.remove', { clause: shown })} onClick={() => view.replaceClause(at, null)}>✕</button>
          </li>
        );
      })}
    </ul>
  );
}
