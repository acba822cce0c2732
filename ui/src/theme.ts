// Light, dark, or as the system says.
import { signal } from '@preact/signals';

export type Theme = 'system' | 'light' | 'dark';
const read = (): Theme => {
  try {
    return (localStorage.getItem('attestary.theme') as Theme | null) ?? 'system';
  } catch {
    return 'system';
  }
};
export const theme = signal<Theme>(read());
/** Counts changes of colours. */
export const painted = signal(0);

export function applyTheme(root: HTMLElement = document.documentElement): void {
  root.dataset['theme'] = theme.value;
  painted.value += 1;
}

export function setTheme(next: Theme): void {
  theme.value = next;
  try {
    localStorage.setItem('attestary.theme', next);
  } catch {
    // Then the choice lasts as long as the page.
  }
  applyTheme();
}
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => (painted.value += 1));
