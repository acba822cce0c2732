// What concerns every page: whether the server has forgotten who is signed in, and what was changed.
import { signal } from '@preact/signals';

export const expired = signal(false);

/** Counts what this page changed, for what shows changes. */
export const changes = signal(0);

/** When this browser was signed in to the session before this one: a first visit has none. */
export function signedInBefore(id: string): string | undefined {
  try {
    const kept = JSON.parse(localStorage.getItem('attestary.signIn') ?? 'null') as { id: string; at: string; before?: string } | null;
    if (kept?.id === id) return kept.before;
    localStorage.setItem('attestary.signIn', JSON.stringify({ id, at: new Date().toISOString(), before: kept?.at }));
    return kept?.at;
  } catch {
    return undefined;
  }
}
