// The public HTTP API, as the console and the embedded viewer use it. Nothing else is asked of the server.

/** A refusal: RFC 9457, with the place in a filter where there is one. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
    readonly requestId: string,
    readonly errors: { pointer: string; detail: string }[] = [],
    readonly place?: { offset: number; length: number; expected: string[] },
  ) {
    super(detail);
  }
}

/** A number whose source token a double cannot hold: shown and copied as it was written. */
export class Exact {
  constructor(readonly source: string) {}
}

export type Json = null | boolean | number | string | Exact | Json[] | { [name: string]: Json };

/** Reads JSON and keeps number tokens that would change (where the browser tells the source). */
export function parseJson(text: string): Json {
  const revive = (_: string, value: unknown, context?: { source?: string }): unknown => {
    const source = context?.source;
    return typeof value === 'number' && source !== undefined && String(value) !== source ? new Exact(source) : value;
  };
  return JSON.parse(text, revive as (key: string, value: unknown) => unknown) as Json;
}

/** Writes JSON, number tokens as they came. */
export function printJson(value: Json, indent = ''): string {
  if (value instanceof Exact) return value.source;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const deeper = `${indent}  `;
  const [open, close] = Array.isArray(value) ? ['[', ']'] : ['{', '}'];
  const parts = Array.isArray(value)
    ? value.map((item) => printJson(item, deeper))
    : Object.entries(value).map(([name, item]) => `${JSON.stringify(name)}: ${printJson(item, deeper)}`);
  return parts.length === 0 ? open + close : `${open}\n${deeper}${parts.join(`,\n${deeper}`)}\n${indent}${close}`;
}

export type Query = Record<string, string | number | undefined>;

export function queryString(query: Query): string {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== '');
  return new URLSearchParams(pairs.map(([name, value]) => [name, String(value)])).toString();
}

export type Credentials = {
  /** Returns the headers that let requests in. */
  headers: () => Record<string, string>;
  /** Called once when the server no longer knows who asks; true when it is worth to ask again. */
  renew: () => Promise<boolean>;
};

export class Client {
  environment = '';
  /** Told after each request that may have changed something. */
  onChange: () => void = () => undefined;
  constructor(
    readonly base: string,
    private readonly credentials: Credentials,
  ) {}

  url(path: string, query: Query = {}): string {
    const text = queryString(query);
    return `${this.base}${path}${text ? `?${text}` : ''}`;
  }

  async fetch(method: string, path: string, options: { query?: Query; body?: unknown; signal?: AbortSignal; headers?: Record<string, string> } = {}): Promise<Response> {
    for (let again = false; ; again = true) {
      const headers: Record<string, string> = { ...this.credentials.headers(), ...options.headers };
      if (this.environment) headers['attestary-environment'] = this.environment;
      if (options.body !== undefined) headers['content-type'] = 'application/json';
      let response: Response;
      try {
        response = await fetch(this.url(path, options.query), {
          method,
          headers,
          credentials: 'same-origin',
          ...(options.signal ? { signal: options.signal } : {}),
          ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
        });
      } catch (error) {
        if (options.signal?.aborted) throw error;
        throw new Problem(0, 'offline', '', '');
      }
      if (response.status === 401 && !again && (await this.credentials.renew())) continue;
      if (!response.ok) throw await problemOf(response);
      return response;
    }
  }

  async get<T = any>(path: string, query: Query = {}, signal?: AbortSignal): Promise<T> {
    const response = await this.fetch('GET', path, { query, ...(signal ? { signal } : {}) });
    return parseJson(await response.text()) as T;
  }

  async send<T = any>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await this.fetch(method, path, body === undefined ? {} : { body });
    this.onChange();
    const text = await response.text();
    return (text ? parseJson(text) : null) as T;
  }
}

async function problemOf(response: Response): Promise<Problem> {
  const text = await response.text().catch(() => '');
  const requestId = response.headers.get('x-request-id') ?? '';
  try {
    const body = JSON.parse(text);
    const code = String(body.type ?? '').replace('/problems/', '');
    const place = typeof body.offset === 'number' ? { offset: body.offset, length: body.length, expected: body.expected ?? [] } : undefined;
    return new Problem(response.status, code, String(body.detail ?? ''), String(body.request_id ?? requestId), body.errors ?? [], place);
  } catch {
    return new Problem(response.status, 'unknown', '', requestId);
  }
}

export type Actor = { type?: string; id?: string; name?: string; email?: string };
export type Target = { type?: string; id?: string; name?: string };
export type Change = { field?: string; old?: Json; new?: Json };

export type Event = {
  id: string;
  tenant: string;
  environment: string;
  seq: number;
  received_at: string;
  occurred_at?: string;
  action?: string;
  actor?: Actor;
  targets?: Target[];
  context?: { ip?: string; request_id?: string; session_id?: string; user_agent?: string };
  outcome?: string;
  reason?: string;
  severity?: number;
  category?: string;
  changes?: Change[];
  leaf_hash: string;
  [name: string]: unknown;
};

export type Session = {
  kind: 'key' | 'sign-in' | 'portal';
  id: string;
  name: string | null;
  role: string | null;
  environment: string;
  scopes: string[];
  tenants: string[] | null;
  expires_at: string | null;
  hide_fields: string[] | null;
  origin: string | null;
  locale: string | null;
  theme: string | null;
};
