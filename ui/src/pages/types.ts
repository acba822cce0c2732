// The types of destinations and their settings: the one table that the wizard, the form of changes and their tests read.
// docs/reference/destinations.md says what each means. A new type is one entry here, and one label for each new setting
// in messages/admin.*.ts (`type.…`, `setting.…`).

import type { Json } from '../client.ts';

export type Setting = {
  /** As in the configuration; a dot leads into an object. */
  name: string;
  /**
   * `text` by default. `secret`: written, never shown again. `long` and `pem`: of several lines. `pairs`: lines "name: value".
   * `secrets`: the same, with values that are never shown again. `list` and `numbers`: between commas. `json`: an object.
   */
  kind?: 'text' | 'secret' | 'long' | 'longSecret' | 'pem' | 'number' | 'check' | 'choice' | 'pairs' | 'secrets' | 'list' | 'numbers' | 'json';
  required?: true;
  choices?: string[];
  /** What the server takes when nothing is said; shown in the empty field. */
  usual?: string;
  example?: string;
  /** Behind “More settings”. */
  more?: true;
};

export type Type = {
  settings: Setting[];
  /** The format that the wizard begins with; `json` unless said. */
  format?: string;
  /** Only for people who run the service. */
  operator?: true;
};

const url = (example: string): Setting => ({ name: 'url', required: true, example });
const ca: Setting = { name: 'ca', kind: 'pem', more: true };
const userAndPassword: Setting[] = [{ name: 'username' }, { name: 'password', kind: 'secret' }];
const payload: Setting[] = [
  { name: 'payload.carriage', kind: 'choice', choices: ['text', 'file'], usual: 'text', more: true },
  { name: 'payload.encode', kind: 'list', example: 'gzip, age', more: true },
  { name: 'payload.jwe', kind: 'json', example: '{"kty": "OKP", "crv": "X25519", "x": "…"}', more: true },
  { name: 'payload.age', kind: 'list', example: 'age1…', more: true },
  { name: 'payload.groups', kind: 'list', example: 'actor, targets, context, changes, metadata, description, source', more: true },
];
const objects: Setting[] = [
  { name: 'prefix', example: 'audit/', more: true },
  { name: 'content', kind: 'choice', choices: ['lines', 'parquet'], usual: 'lines', more: true },
  { name: 'compression', kind: 'choice', choices: ['gzip', 'none'], usual: 'gzip', more: true },
  { name: 'events_max', kind: 'number', usual: '10000', more: true },
  { name: 'bytes_max', kind: 'number', usual: '8000000', more: true },
  { name: 'age_seconds', kind: 'number', usual: '60', more: true },
  { name: 'in_flight_max', kind: 'number', usual: '4', more: true },
];
const google: Setting[] = [
  { name: 'credentials', kind: 'longSecret', example: '{"type": "service_account", …}' },
  { name: 'url', more: true },
  ca,
];

export const TYPES: Record<string, Type> = {
  webhook: {
    settings: [
      url('https://siem.example.com/hook'),
      { name: 'headers', kind: 'secrets', example: 'authorization: Bearer …' },
      { name: 'signature', kind: 'choice', choices: ['v1', 'v1a'], usual: 'v1', more: true },
      ca,
      { name: 'client_certificate', kind: 'pem', more: true },
      { name: 'client_key', kind: 'longSecret', more: true },
      { name: 'token_url', more: true },
      { name: 'client_id', more: true },
      { name: 'client_secret', kind: 'secret', more: true },
      { name: 'scope', more: true },
      ...payload,
    ],
  },
  mail: {
    settings: [
      { name: 'address', required: true, example: 'smtp.example.com:587' },
      { name: 'security', kind: 'choice', choices: ['starttls', 'tls', 'none'], usual: 'starttls' },
      { name: 'user' },
      { name: 'password', kind: 'secret' },
      { name: 'from', required: true, example: 'audit@example.com' },
      { name: 'to', kind: 'list', required: true, example: 'soc@example.org' },
      { name: 'subject', usual: 'Audit events of {tenant}: {count}', more: true },
      ca,
      ...payload,
    ],
  },
  syslog: {
    format: 'cef',
    settings: [
      { name: 'address', required: true, example: 'siem.example.com:6514' },
      { name: 'transport', kind: 'choice', required: true, choices: ['tls', 'tcp', 'udp'] },
      { name: 'framing', kind: 'choice', choices: ['octet-counting', 'lf'], usual: 'octet-counting', more: true },
      { name: 'facility', kind: 'number', usual: '13', more: true },
      { name: 'hostname', usual: '{tenant}', more: true },
      { name: 'app_name', usual: 'attestary', more: true },
      { name: 'enterprise_id', kind: 'number', usual: '32473', more: true },
      { name: 'frame_bytes_max', kind: 'number', usual: '8000', more: true },
      ca,
    ],
  },
  splunk: {
    settings: [
      url('https://splunk.example.com:8088'),
      { name: 'token', kind: 'secret', required: true },
      { name: 'index' },
      { name: 'acknowledgement', kind: 'choice', choices: ['auto', 'on', 'off'], usual: 'auto' },
      { name: 'source', usual: 'attestary', more: true },
      { name: 'sourcetype', more: true },
      { name: 'host', usual: '{tenant}', more: true },
      { name: 'scheme', kind: 'choice', choices: ['splunk', 'bearer'], usual: 'splunk', more: true },
      ca,
    ],
  },
  elasticsearch: {
    format: 'ecs',
    settings: [
      url('https://es.example.com:9200'),
      { name: 'index', required: true, example: 'audit-acme' },
      { name: 'api_key', kind: 'secret' },
      ...userAndPassword,
      { name: 'bearer', kind: 'secret', more: true },
      { name: 'layout', kind: 'choice', choices: ['data-stream', 'daily'], usual: 'data-stream', more: true },
      ca,
    ],
  },
  sentinel: {
    format: 'asim',
    settings: [
      url('https://….ingest.monitor.azure.com'),
      { name: 'rule', required: true, example: 'dcr-…' },
      { name: 'stream', required: true, example: 'Microsoft-ASimAuditEventLogs' },
      { name: 'directory', required: true },
      { name: 'client_id', required: true },
      { name: 'client_secret', kind: 'secret', required: true },
      { name: 'cloud', kind: 'choice', choices: ['public', 'us', 'china'], usual: 'public', more: true },
      { name: 'token_url', more: true },
      ca,
    ],
  },
  datadog: {
    settings: [
      { name: 'api_key', kind: 'secret', required: true },
      { name: 'site', usual: 'datadoghq.com' },
      { name: 'service', usual: 'attestary' },
      { name: 'tags', example: 'team:security' },
      { name: 'url', more: true },
      ca,
    ],
  },
  s3: {
    settings: [
      { name: 'bucket', required: true, example: 'audit-acme' },
      { name: 'region', required: true, example: 'eu-central-1' },
      { name: 'access_key_id' },
      { name: 'secret_access_key', kind: 'secret' },
      { name: 'role_arn', example: 'arn:aws:iam::123456789012:role/audit' },
      { name: 'endpoint', example: 'https://s3.example.com' },
      { name: 'sts_endpoint', more: true },
      ...objects,
      { name: 'object_lock.mode', kind: 'choice', choices: ['governance', 'compliance'], more: true },
      { name: 'object_lock.days', kind: 'number', more: true },
      { name: 'security_lake.source', example: 'attestary', more: true },
      { name: 'security_lake.account_id', example: '123456789012', more: true },
      { name: 'security_lake.class_uid', kind: 'number', example: '3002', more: true },
      ca,
    ],
  },
  azure_blob: {
    settings: [
      { name: 'account', required: true, example: 'acmeaudit' },
      { name: 'container', required: true, example: 'audit' },
      { name: 'sas', kind: 'secret', required: true, example: 'sv=…&sig=…' },
      { name: 'endpoint', more: true },
      ...objects,
      ca,
    ],
  },
  gcs: {
    settings: [
      { name: 'bucket', required: true, example: 'audit-acme' },
      { name: 'credentials', kind: 'longSecret', example: '{"type": "service_account", …}' },
      { name: 'endpoint', more: true },
      ...objects,
      ca,
    ],
  },
  'google-cloud-logging': {
    settings: [{ name: 'project', required: true }, { name: 'log', usual: 'attestary' }, ...google],
  },
  'google-secops': {
    format: 'udm',
    settings: [
      { name: 'project', required: true },
      { name: 'region', required: true, example: 'us' },
      { name: 'instance', required: true },
      { name: 'log_type', more: true },
      { name: 'forwarder', more: true },
      ...google,
    ],
  },
  otlp: {
    format: 'otlp',
    settings: [url('https://otel.example.com:4318'), { name: 'headers', kind: 'secrets', example: 'x-api-key: …' }, ca],
  },
  loki: {
    settings: [
      url('https://loki.example.com:3100'),
      { name: 'org_id' },
      ...userAndPassword,
      { name: 'bearer', kind: 'secret', more: true },
      { name: 'labels', kind: 'pairs', example: 'app: audit', more: true },
      { name: 'age_hours_max', kind: 'number', usual: '168', more: true },
      ca,
    ],
  },
  sumo: {
    settings: [
      { name: 'url', kind: 'secret', required: true, example: 'https://endpoint….sumologic.com/receiver/v1/http/…' },
      { name: 'category' },
      { name: 'name', more: true },
      { name: 'host', more: true },
      ca,
    ],
  },
  newrelic: {
    settings: [
      { name: 'api_key', kind: 'secret', required: true },
      { name: 'region', kind: 'choice', choices: ['us', 'eu', 'gov'], usual: 'us' },
      { name: 'service', usual: 'attestary', more: true },
      { name: 'url', more: true },
      ca,
    ],
  },
  http: {
    operator: true,
    settings: [
      url('https://siem.example.com/in'),
      { name: 'method', kind: 'choice', choices: ['POST', 'PUT', 'PATCH'], usual: 'POST' },
      { name: 'content_type', usual: 'application/json' },
      { name: 'headers', kind: 'secrets', example: 'authorization: Bearer …' },
      { name: 'escape', kind: 'choice', choices: ['json', 'xml', 'form', 'line'], usual: 'json' },
      { name: 'open', usual: '[' },
      { name: 'record', kind: 'long', usual: '{{event}}' },
      { name: 'separator', usual: ',' },
      { name: 'close', usual: ']' },
      { name: 'gzip', kind: 'check', more: true },
      { name: 'success', kind: 'numbers', example: '200, 202', more: true },
      { name: 'events_max', kind: 'number', usual: '500', more: true },
      { name: 'bytes_max', kind: 'number', usual: '950000', more: true },
      ca,
    ],
  },
  kafka: {
    operator: true,
    settings: [
      { name: 'brokers', kind: 'list', required: true, example: 'kafka.example.com:9093' },
      { name: 'topic', required: true, example: 'audit' },
      { name: 'tls', kind: 'check' },
      { name: 'mechanism', kind: 'choice', choices: ['scram-sha-512', 'scram-sha-256', 'plain'] },
      { name: 'user' },
      { name: 'password', kind: 'secret' },
  { name: 'compression', kind: 'choice', choices: ['gzip', 'none'], usual: 'gzip', more: true },
      { name: 'client_certificate', kind: 'pem', more: true },
      { name: 'client_key', kind: 'longSecret', more: true },
      ca,
    ],
  },
  nats: {
    operator: true,
    settings: [
      { name: 'address', required: true, example: 'nats.example.com:4222' },
      { name: 'tls', kind: 'check' },
      { name: 'user' },
      { name: 'password', kind: 'secret' },
      { name: 'token', kind: 'secret', more: true },
      { name: 'subject', usual: 'audit.{tenant}.{action}', more: true },
      ca,
    ],
  },
  file: {
    operator: true,
    settings: [
      { name: 'path', required: true, example: 'audit.ndjson' },
      { name: 'rotate_bytes', kind: 'number', usual: '104857600' },
      { name: 'files_max', kind: 'number' },
    ],
  },
  stdout: { operator: true, settings: [] },
};

export const isSecret = ({ kind }: Setting): boolean => kind === 'secret' || kind === 'longSecret' || kind === 'secrets';

/** What stands in the fields, by the settings' names. */
export type Values = Record<string, string>;

const between = (text: string): string[] => text.split(',').map((one) => one.trim()).filter(Boolean);

/** What is no JSON goes as text: the server says what is wrong with it. */
function object(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}

function read({ kind }: Setting, text: string): Json {
  switch (kind) {
    case 'number': return Number(text);
    case 'check': return text === 'true';
    case 'json': return object(text);
    case 'list': return between(text);
    case 'numbers': return between(text).map(Number);
    case 'pairs':
    case 'secrets':
      return Object.fromEntries(text.split('\n').filter((line) => line.trim()).map((line) => {
        const colon = line.indexOf(':');
        return colon < 0 ? [line.trim(), ''] : [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
      }));
    default: return text;
  }
}

/** The configuration that the fields say; what is empty is left out. */
export function configOf(type: string, values: Values): Record<string, Json> {
  const config: Record<string, Json> = {};
  for (const setting of TYPES[type]?.settings ?? []) {
    const text = values[setting.name] ?? '';
    if (text.trim() === '' || (setting.kind === 'check' && text !== 'true')) continue;
    const [name, inner] = setting.name.split('.') as [string, string | undefined];
    if (inner === undefined) config[name] = read(setting, text);
    else config[name] = { ...(config[name] as Record<string, Json> | undefined), [inner]: read(setting, text) };
  }
  return config;
}

/** The fields for a configuration as the server shows it: secrets stay empty, of secret headers the names are there. */
export function valuesOf(type: string, config: Record<string, Json>): Values {
  const values: Values = {};
  for (const setting of TYPES[type]?.settings ?? []) {
    const [name, inner] = setting.name.split('.') as [string, string | undefined];
    const outer = config[name];
    const value = inner === undefined ? outer : (outer as Record<string, Json> | undefined)?.[inner];
    if (value === undefined || value === null || setting.kind === 'secret' || setting.kind === 'longSecret') continue;
    if (setting.kind === 'secrets') values[setting.name] = (Array.isArray(value) ? value : Object.keys(value as object)).map((one) => `${String(one)}: `).join('\n');
    else if (setting.kind === 'pairs') values[setting.name] = Object.entries(value as object).map(([key, one]) => `${key}: ${String(one)}`).join('\n');
    else if (setting.kind === 'json') values[setting.name] = JSON.stringify(value);
    else values[setting.name] = Array.isArray(value) ? value.join(', ') : String(value);
  }
  return values;
}
