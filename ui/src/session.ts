// Whether the server has forgotten who is signed in.
import { signal } from '@preact/signals';

export const expired = signal(false);
