// What this browser knows of a log from before: the keys that it trusts and the last checkpoint that it accepted.
// It lies in local storage; where there is none, it lasts as long as the page, which the viewer says.

export type Memory = {
  /** The trust file as it was pinned. */
  trust: string;
  /** When, and whether it came with the page that shows the viewer or from the server itself at the first visit. */
  pinned: string;
  from: 'page' | 'server';
  /** The last checkpoint that was accepted. */
  seen?: { size: number; root: string; note: string; at: string };
};

const key = (place: string): string => `attestary.log ${place}`;

export function recall(place: string): Memory | null {
  try {
    const found = JSON.parse(localStorage.getItem(key(place)) ?? 'null') as Memory | null;
    return typeof found?.trust === 'string' ? found : null;
  } catch {
    return null;
  }
}

/** False when the browser keeps nothing. */
export function keep(place: string, memory: Memory): boolean {
  try {
    localStorage.setItem(key(place), JSON.stringify(memory));
    return true;
  } catch {
    return false;
  }
}
