// One polite live region for the whole page.
import { signal } from '@preact/signals';

export const announcement = signal('');
export const announce = (text: string): void => {
  announcement.value = text;
};
