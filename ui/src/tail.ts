// Server-Sent Events over fetch: the credential stands in a header, which EventSource cannot send.

import { parseJson, type Client, type Event } from './client.ts';

/** After so long without a byte the connection is taken for dead; the server speaks every two seconds. */
const SILENCE_MS = 5000;

export type TailState = 'connecting' | 'live' | 'waiting' | 'ended';

/** Follows a log until `signal`; comes back by itself behind the last event that was seen. */
export async function follow(
  client: Client,
  query: { tenant: string; filter: string },
  signal: AbortSignal,
  onEvent: (event: Event) => void,
  onState: (state: TailState) => void,
): Promise<void> {
  let last = '';
  for (let failures = 0; !signal.aborted; ) {
    onState(failures ? 'waiting' : 'connecting');
    const attempt = new AbortController();
    const stop = (): void => attempt.abort();
    signal.addEventListener('abort', stop);
    try {
      const headers: Record<string, string> = last ? { 'last-event-id': last } : {};
      const response = await client.fetch('GET', '/v1/events/tail', { query, headers, signal: attempt.signal });
      failures = 0;
      onState('live');
      for await (const frame of frames(response, stop)) {
        if (frame.id) last = frame.id;
        if (frame.event === 'event') onEvent(parseJson(frame.data) as unknown as Event);
      }
    } catch (error) {
      if (signal.aborted) break;
      const status = (error as { status?: number }).status ?? 0;
      if (status >= 400 && status < 500 && status !== 429) {
        onState('ended');
        throw error;
      }
      failures += 1;
    } finally {
      signal.removeEventListener('abort', stop);
    }
    await new Promise((resolve) => setTimeout(resolve, Math.min(1000 * 2 ** failures, 30000)));
  }
  onState('ended');
}

type Frame = { id: string; event: string; data: string };

async function* frames(response: Response, stop: () => void): AsyncGenerator<Frame> {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const silence = setTimeout(stop, SILENCE_MS);
    const { value, done } = await reader.read().finally(() => clearTimeout(silence));
    if (done) return;
    const pieces = (rest + value).split('\n\n');
    rest = pieces.pop() ?? '';
    for (const piece of pieces) {
      const frame: Frame = { id: '', event: '', data: '' };
      for (const line of piece.split('\n')) {
        const colon = line.indexOf(': ');
        const name = line.slice(0, colon);
        if (name === 'id' || name === 'event' || name === 'data') frame[name] = line.slice(colon + 2);
      }
      yield frame;
    }
  }
}
