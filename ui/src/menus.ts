// Menus that open on a click close as menus do: by Escape, and by whatever is done elsewhere.

/** `root`: the document, or the shadow root of an element. */
export function closeMenus(root: Document | ShadowRoot): void {
  const open = (): HTMLDetailsElement[] => [...root.querySelectorAll<HTMLDetailsElement>('details.menu[open]')];
  const elsewhere = (event: Event): void => open().forEach((menu) => event.composedPath().includes(menu) || (menu.open = false));
  root.addEventListener('click', elsewhere);
  root.addEventListener('focusin', elsewhere);
  // Before others hear it: Escape closes one thing at a time.
  root.addEventListener('keydown', (event) => {
    const menu = (event as KeyboardEvent).key === 'Escape' && open().find((one) => event.composedPath().includes(one));
    if (!menu) return;
    menu.open = false;
    menu.querySelector('summary')?.focus();
    event.stopPropagation();
  }, true);
}
