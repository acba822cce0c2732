// Addresses: the history API and a link that uses it.

import { signal } from '@preact/signals';
import { createElement, type ComponentChildren } from 'preact';

export const path = signal(location.pathname);
export const search = signal(location.search);

const read = (): void => {
  path.value = location.pathname;
  search.value = location.search;
};
addEventListener('popstate', read);

export function navigate(to: string, replace = false): void {
  history[replace ? 'replaceState' : 'pushState'](null, '', to);
  read();
}

export function Link({ to, current, class: className, children }: { to: string; current?: boolean; class?: string; children: ComponentChildren }) {
  return createElement('a', {
    href: to,
    class: className,
    'aria-current': current ? 'page' : undefined,
    onClick: (event: MouseEvent) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
      event.preventDefault();
      navigate(to);
    },
  }, children);
}
