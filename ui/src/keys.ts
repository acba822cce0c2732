// Which key presses belong to the page rather than to what has the focus.

/** Kinds of inputs into which nothing is written. */
const SWITCHES = ['checkbox', 'radio', 'button', 'submit', 'reset'];

/**
 * True when a single key is no shortcut: text is being written, a choice is made by letter, a dialog is open, or a modifier
 * is held. A checkbox writes nothing, and may still have the focus in the moment after its dialog was closed.
 */
export function taken(event: KeyboardEvent): boolean {
  const target = event.composedPath()[0] as HTMLElement;
  const writes = target instanceof HTMLInputElement ? !SWITCHES.includes(target.type) : /^(SELECT|TEXTAREA)$/.test(target.tagName) || target.isContentEditable;
  return writes || event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog:modal') !== null;
}
