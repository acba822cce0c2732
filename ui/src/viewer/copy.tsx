// What many pages share: text of strangers made visible, calls as command lines, buttons that copy.

import { useState } from 'preact/hooks';
import { t } from '../text.ts';

/** Control and direction characters shown as what they are. */
export const visible = (text: string): string =>
  // biome-ignore lint: the range is the point
  text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g, (c) => `⟨U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}⟩`);

/** The call as a command line; `environment` where the key alone does not name one. */
export const curl = (url: string, environment = ''): string => {
  const absolute = new URL(url, location.href).href;
  return `curl '${absolute.replaceAll("'", '%27')}' -H "authorization: Bearer $ATTESTARY_KEY"${environment && ` -H 'attestary-environment: ${environment}'`}`;
};

/** `text` may have to be asked for; a browser that wants the copy within the click is given the promise. */
export function CopyButton({ label, text }: { label: string; text: () => string | Promise<string> }) {
  const [done, setDone] = useState('');
  const copy = async (): Promise<void> => {
    try {
      const found = text();
      if (typeof found === 'string') await navigator.clipboard.writeText(found);
      else await navigator.clipboard.write([new ClipboardItem({ 'text/plain': found.then((one) => new Blob([one], { type: 'text/plain' })) })]);
      setDone(t('detail.copied'));
    } catch {
      setDone(t('detail.copyFailed'));
    }
    setTimeout(() => setDone(''), 2500);
  };
  return <button type="button" class="quiet" onClick={copy}><span aria-live="polite">{done || label}</span></button>;
}
