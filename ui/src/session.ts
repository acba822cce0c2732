// What concerns every page: whether the server has forgotten who is signed in, and what was changed.
import { signal } from '@preact/signals';

export const expired = signal(false);

/** Counts what this page changed, for what shows changes. */
export const changes = signal(0);
