// Messages in the reader's language; languages besides English are loaded when they are wanted. `{name}` is replaced; `{n|one|other}` picks a plural, `#` is the number.

import { signal } from '@preact/signals';
import type { adminEn } from './messages/admin.en.ts';
import type { connectEn } from './messages/connect.en.ts';
import type { consoleEn } from './messages/console.en.ts';
import { en } from './messages/en.ts';
import type { moreEn } from './messages/more.en.ts';
import type { proofsEn } from './messages/proofs.en.ts';

export type Key = keyof typeof en | keyof typeof adminEn | keyof typeof connectEn | keyof typeof consoleEn | keyof typeof moreEn | keyof typeof proofsEn;
const catalogues: Record<string, Record<string, string>> = { en };
/** Languages besides English, loaded when they are wanted. */
const others: Record<string, () => Promise<Record<string, string>>> = {
  de: () => import('./messages/de.ts').then(({ de }) => de),
};

const loaded = new Set<string>();

/** Adds the messages of further pages, before the first language is set. */
export function extend(english: Record<string, string>, more: typeof others): void {
  catalogues['en'] = { ...catalogues['en'], ...english };
  for (const [tag, load] of Object.entries(more)) {
    const first = others[tag]!;
    others[tag] = async () => ({ ...(await first()), ...(await load()) });
  }
}

/** Adds the messages of a part that is loaded later; they are there in the page's language when it returns. */
export async function extendNow(english: Record<string, string>, more: typeof others): Promise<void> {
  extend(english, more);
  // Every language that is there already: the reader may have changed it before this part was loaded.
  for (const tag of loaded) if (more[tag]) catalogues[tag] = { ...catalogues[tag], ...(await more[tag]()) };
}

/** The language tag of the page; messages fall back to English. */
export const locale = signal('en');

/** Sets the language; the texts are there when it returns. */
export async function setLocale(tag: string | null | undefined): Promise<void> {
  const wanted = tag || (typeof navigator === 'undefined' ? 'en' : navigator.language);
  let canonical = 'en';
  try {
    canonical = Intl.getCanonicalLocales(wanted)[0] ?? 'en';
  } catch {
    // No language tag: English.
  }
  const short = canonical.split('-')[0]!;
  const load = others[short];
  if (load && !loaded.has(short)) {
    loaded.add(short);
    catalogues[short] = { ...catalogues[short], ...(await load()) };
  }
  locale.value = canonical;
}
export const language = (): string => (loaded.has(locale.value.split('-')[0]!) ? locale.value.split('-')[0]! : 'en');

// Making a format costs a hundred times what using it costs.
const formats = new Map<string, Intl.NumberFormat>();
const rules = new Map<string, Intl.PluralRules>();
const cached = <T>(kept: Map<string, T>, tag: string, make: () => T): T => {
  const found = kept.get(tag) ?? make();
  kept.set(tag, found);
  return found;
};
const formatOf = (tag: string): Intl.NumberFormat => cached(formats, tag, () => new Intl.NumberFormat(tag));

export function fill(template: string, values: Record<string, string | number>, tag: string): string {
  return template.replace(/\{(\w+)(?:\|([^|}]*)\|([^}]*))?\}/g, (whole, name: string, one?: string, other?: string) => {
    const value = values[name];
    if (value === undefined) return whole;
    const shown = typeof value === 'number' ? formatOf(tag).format(value) : value;
    if (one === undefined) return shown;
    const plural = cached(rules, tag, () => new Intl.PluralRules(tag)).select(Number(value)) === 'one' ? one : other!;
    return plural.replace('#', shown);
  });
}

export function t(key: Key, values: Record<string, string | number> = {}): string {
  const catalogue = catalogues[language()]!;
  return fill(catalogue[key] ?? catalogues['en']![key] ?? key, values, locale.value);
}

/** A message whose key is made of something that the server names; nothing where there is none. */
export const known = (key: string): string | undefined => {
  const catalogue = catalogues[language()]!;
  return catalogue[key] ?? catalogues['en']![key];
};

export const number = (value: number): string => formatOf(locale.value).format(value);
