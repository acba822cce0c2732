// A new destination step by step, and the same fields for changing one. What a type asks for stands in types.ts.

import { useState } from 'preact/hooks';
import type { Client, Problem } from '../client.ts';
import { Link, search } from '../router.ts';
import { known, number, t, type Key } from '../text.ts';
import { CopyButton, visible } from '../viewer/copy.tsx';
import { ProblemBox } from '../viewer/viewer.tsx';
import { FilterCount, filterProblem } from './count.tsx';
import { BytesPreview } from './deliveries.tsx';
import { base, page, type Attempt, type Destination } from './destinations.tsx';
import { FormDialog, PageHead } from './parts.tsx';
import { TYPES, configOf, isSecret, valuesOf, type Setting, type Values } from './types.ts';

const FORMATS = ['json', 'cef', 'leef', 'ecs', 'ocsf', 'structured-data', 'cloudevents', 'otlp', 'asim', 'udm', 'csv', 'template', 'ironcore', 'easysend', 'formio'];
const TEMPLATE = '{{received_at}} {{/actor/id|quoted}} {{/action}} seq={{seq}} leaf={{leaf_hash}}';
const STEPS = ['wizard.type', 'wizard.connection', 'wizard.filter', 'wizard.format', 'wizard.review'] as const;
const BATCH = ['events_max', 'bytes_max', 'linger_ms', 'in_flight_max'] as const;

type Input = { currentTarget: { value: string } };

/** The name of a type for people; a type that this page does not know keeps its own. */
export const typeName = (type: string): string => known(`type.${type}`) ?? type;
const label = ({ name }: Setting): string => known(`setting.${name}`) ?? name;

export function TestResult({ attempt }: { attempt: Attempt }) {
  const works = attempt.verdict === 'delivered';
  const detail = [attempt.request, attempt.status, attempt.detail].filter(Boolean).join(' · ');
  return (
    <div class={works ? 'card good' : 'problem'} role="status">
      <p>{works ? '✓ ' : '✕ '}{t(works ? 'wizard.works' : 'wizard.worksNot', { detail: visible(detail) })} ({number(attempt.duration_ms)} ms)</p>
      {!works && <p>{t('diagnosis.step', { step: known(`diagnosis.${attempt.stage}`) ?? attempt.stage })} {attempt.hint && visible(attempt.hint)}</p>}
      {attempt.excerpt && <pre class="code" tabIndex={0}>{visible(attempt.excerpt)}</pre>}
    </div>
  );
}

function Field({ setting, value, set, kept }: { setting: Setting; value: string; set: (value: string) => void; kept: boolean }) {
  const id = `setting-${setting.name}`;
  const secret = isSecret(setting);
  const onInput = (event: Input): void => set(event.currentTarget.value);
  // A secret that is kept need not be written again.
  const required = setting.required === true && !(kept && secret);
  const common = { id, name: setting.name, required, 'aria-describedby': secret ? `${id}-hint` : undefined, placeholder: kept && secret ? t('setting.kept') : setting.example ?? setting.usual };
  if (setting.kind === 'check') return <label class="check"><input type="checkbox" name={setting.name} checked={value === 'true'} onChange={(event) => set(String(event.currentTarget.checked))} /> {label(setting)}</label>;
  const long = setting.kind === 'long' || setting.kind === 'longSecret' || setting.kind === 'pem' || setting.kind === 'pairs' || setting.kind === 'secrets' || setting.kind === 'json';
  return (
    <>
      <label for={id}><span>{label(setting)}{!required && <span class="note"> {t('setting.optional')}</span>}</span></label>
      {setting.kind === 'choice'
        ? <select {...common} value={value} onChange={onInput}>{!setting.required && <option value="">{setting.usual ? t('setting.usual', { value: setting.usual }) : '–'}</option>}{setting.choices!.map((one) => <option key={one} value={one}>{one}</option>)}</select>
        : long
          ? <textarea {...common} rows={setting.kind === 'pem' || setting.kind === 'longSecret' ? 4 : 2} class="mono" spellcheck={false} autocomplete="off" value={value} onInput={onInput} />
          : setting.kind === 'secret' ? <input {...common} type="password" autocomplete="new-password" value={value} onInput={onInput} />
            : setting.kind === 'number' ? <input {...common} type="number" min={0} value={value} onInput={onInput} />
              : <input {...common} type="text" autocomplete="off" spellcheck={false} value={value} onInput={onInput} />}
      {secret && <p class="note" id={`${id}-hint`}>{t(setting.kind === 'secrets' ? 'setting.secretsHint' : 'setting.secretHint')}</p>}
    </>
  );
}

/** The settings of a type. `kept`: they are there already, and secrets that stay empty are not changed. */
function TypeFields({ type, values, set, kept = false }: { type: string; values: Values; set: (values: Values) => void; kept?: boolean }) {
  const settings = TYPES[type]?.settings ?? [];
  const field = (setting: Setting) => <Field key={setting.name} setting={setting} kept={kept} value={values[setting.name] ?? ''} set={(value) => set({ ...values, [setting.name]: value })} />;
  const more = settings.filter((setting) => setting.more);
  return (
    <>
      {settings.filter((setting) => !setting.more).map(field)}
      {settings.length === 0 && <p>{t('wizard.nothing')}</p>}
      {more.length > 0 && <details open={kept && more.some(({ name }) => values[name])}><summary>{t('wizard.more')}</summary><div class="stack">{more.map(field)}</div></details>}
    </>
  );
}

type Form = { type: string; name: string; values: Values; filter: string; format: string; start: string; since: string; batch: Values; checkpoints: string; text: string; media: string };

function draftOf(form: Form) {
  const batch = Object.fromEntries(BATCH.filter((name) => form.batch[name]).map((name) => [name, Number(form.batch[name])]));
  return {
    name: form.name, type: form.type, config: configOf(form.type, form.values), format: form.format === 'template' ? { type: 'template', text: form.text, media: form.media } : { type: form.format }, filter: form.filter,
    start: form.start === 'since' ? new Date(form.since || Date.now()).toISOString() : form.start,
    ...(Object.keys(batch).length > 0 ? { batch } : {}),
    ...(form.checkpoints ? { checkpoint_seconds: Number(form.checkpoints) } : {}),
  };
}

/** Type, filter and name may come with the address: other pages lead here. */
function begun(): Form {
  const asked = new URLSearchParams(search.value);
  const type = TYPES[asked.get('type') ?? ''] ? asked.get('type')! : 'webhook';
  return { type, name: asked.get('name') ?? '', values: firstValues(type), filter: asked.get('q') ?? '', format: TYPES[type]!.format ?? 'json', start: 'now', since: '', batch: {}, checkpoints: '', text: TEMPLATE, media: 'text' };
}

/** A choice that must be made begins with its first way. */
const firstValues = (type: string): Values => Object.fromEntries((TYPES[type]?.settings ?? []).filter(({ kind, required }) => kind === 'choice' && required).map(({ name, choices }) => [name, choices![0]!]));

/** How a blueprint is made: where the list is, and what makes it and gives the tenant's copy, if there is one by then. */
type Blueprints = { back: string; make: (draft: object) => Promise<Destination | null> };

/** `tenant`: whose destination it becomes; of a blueprint, whose events and copy are shown: none when it is empty. */
export function Wizard({ client, tenant, operator, blueprint }: { client: Client; tenant: string; operator: boolean; blueprint?: Blueprints }) {
  const [step, setStep] = useState(0);
  const [form, setForm] = useState<Form>(begun);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [made, setMade] = useState<Destination | null>(null);
  const [done, setDone] = useState(false);
  const [tested, setTested] = useState<Attempt | null>(null);
  const set = (name: 'name' | 'filter' | 'format' | 'start' | 'since' | 'checkpoints' | 'text' | 'media') => (event: Input): void => setForm({ ...form, [name]: event.currentTarget.value });
  const choose = (type: string): void => setForm({ ...form, type, values: { ...firstValues(type) }, format: TYPES[type]!.format ?? 'json' });
  const wrong = filterProblem(form.filter);
  const draft = draftOf(form);
  // A shared secret of a blueprint would be shown to nobody.
  if (blueprint && form.type === 'webhook') draft.config['signature'] = 'v1a';
  const test = async (destination: Destination): Promise<void> => {
    setTested(null);
    try {
      setTested(await client.send<Attempt>('POST', `${base(tenant)}/${destination.id}/test`));
      setProblem(null);
    } catch (error) {
      setProblem(error as Problem);
    }
  };
  const create = async (): Promise<void> => {
    try {
      const destination = blueprint ? await blueprint.make(draft) : await client.send<Destination>('POST', base(tenant), draft);
      setMade(destination);
      setDone(true);
      setProblem(null);
      if (destination) await test(destination);
    } catch (error) {
      setProblem(error as Problem);
    }
  };
  const go = (to: number): void => {
    setProblem(null);
    setStep(to);
  };
  const next = (event: SubmitEvent): void => {
    event.preventDefault();
    if (step === STEPS.length - 1) void create();
    else go(step + 1);
  };
  const heading = t('wizard.step', { n: step + 1, all: STEPS.length, name: t(STEPS[step]!) });
  const types = Object.entries(TYPES).filter(([, type]) => operator || !type.operator);
  return (
    <div class="page narrow">
      <p><Link to={blueprint?.back ?? page(tenant)}>← {t(blueprint ? 'blueprints.back' : 'destinations.back')}</Link></p>
      <PageHead title={t(blueprint ? 'blueprints.new' : 'wizard.title')} text={done ? '' : heading} />
      {blueprint && done && <p role="status">✓ {t('blueprints.made')}</p>}
      {done && !made ? null : made ? (
        <div class="stack">
          {made.secret && <div class="card secret"><p>{t('wizard.secret')}</p><pre class="code" tabIndex={0}>{made.secret}</pre><CopyButton label={t('api.copy')} text={() => made.secret!} /></div>}
          {made.external_id && <div class="card"><p>{t('destinations.externalId')}</p><pre class="code" tabIndex={0}>{made.external_id}</pre></div>}
          {made.public_keys.length > 0 && <div class="card"><p>{t('destinations.publicKeys')}</p><pre class="code" tabIndex={0}>{made.public_keys.join('\n')}</pre></div>}
          {tested ? <TestResult attempt={tested} /> : problem ? <ProblemBox problem={problem} /> : <p role="status">{t('wizard.testing')}</p>}
          <p class="actions"><Link to={page(tenant, `/${made.id}`)} class="button primary">{t('wizard.done')}</Link>{(tested || problem) && <button type="button" onClick={() => void test(made)}>{t('wizard.again')}</button>}</p>
        </div>
      ) : (
        <form class="card stack" onSubmit={next} aria-label={heading}>
          <ol class="steps" aria-hidden="true">{STEPS.map((name, at) => <li key={name} class={at === step ? 'now' : at < step ? 'done' : ''}>{t(name)}</li>)}</ol>
          {step === 0 && (
            <fieldset class="choices"><legend>{t('wizard.type')}</legend>
              {types.map(([type]) => (
                <label class="choice" key={type}><input type="radio" name="type" value={type} checked={form.type === type} onChange={() => choose(type)} /> <span><b>{typeName(type)}</b><br /><span class="note">{known(`type.${type}.hint`)}</span></span></label>
              ))}
            </fieldset>
          )}
          {step === 1 && (
            <>
              <label for="wizard-name">{t('wizard.name')}</label>
              <input id="wizard-name" required maxLength={200} value={form.name} onInput={set('name')} aria-describedby="wizard-name-hint" />
              <p class="note" id="wizard-name-hint">{t('wizard.nameHint')}</p>
              <TypeFields type={form.type} values={form.values} set={(values) => setForm({ ...form, values })} />
              {blueprint && form.type === 'webhook' && <p class="note">{t('blueprints.key')}</p>}
            </>
          )}
          {step === 2 && (
            <>
              <label>{t('wizard.filter')} <input class="mono" value={form.filter} onInput={set('filter')} aria-describedby="wizard-filter" aria-invalid={wrong !== ''} spellcheck={false} /></label>
              <p class="note" id="wizard-filter">{t('wizard.filterHint')}</p>
              {tenant ? <FilterCount client={client} tenant={tenant} filter={form.filter} /> : wrong && <p class="warn" role="status">{wrong}</p>}
              <label>{t('wizard.start')} <select value={form.start} onChange={set('start')}>{['now', 'beginning', 'since'].map((one) => <option key={one} value={one}>{t(`wizard.start.${one}` as Key)}</option>)}</select></label>
              {form.start === 'since' && <label>{t('wizard.since')} <input type="datetime-local" step="1" required value={form.since} onInput={set('since')} /></label>}
            </>
          )}
          {step === 3 && (
            <>
              <label>{t('wizard.format')} <select value={form.format} onChange={set('format')}>{FORMATS.map((format) => <option key={format}>{format}</option>)}</select></label>
              <p class="note">{t('wizard.formatHint')}</p>
              {form.format === 'template' && (
                <>
                  <label>{t('wizard.template')} <textarea class="mono" rows={3} required maxLength={4096} spellcheck={false} value={form.text} onInput={set('text')} /></label>
                  <label>{t('wizard.media')} <select value={form.media} onChange={set('media')}><option value="text">{t('wizard.media.text')}</option><option value="json">{t('wizard.media.json')}</option></select></label>
                </>
              )}
              <details><summary>{t('wizard.batch')}</summary><div class="stack">
                {BATCH.map((name) => <label key={name}>{t(`batch.${name}`)} <input type="number" min={0} value={form.batch[name] ?? ''} onInput={(event) => setForm({ ...form, batch: { ...form.batch, [name]: event.currentTarget.value } })} /></label>)}
              </div></details>
              <label>{t('wizard.checkpoints')} <input type="number" min={0} max={86400} value={form.checkpoints} onInput={set('checkpoints')} aria-describedby="wizard-checkpoints" /></label>
              <p class="note" id="wizard-checkpoints">{t('wizard.checkpointsHint')}</p>
              {tenant ? <BytesPreview client={client} base={base(tenant)} body={draft} /> : <p class="note">{t('blueprints.noPreview')}</p>}
            </>
          )}
          {step === 4 && (
            <dl class="facts">
              <div><dt>{t('wizard.name')}</dt><dd>{form.name}</dd></div>
              <div><dt>{t('wizard.type')}</dt><dd>{typeName(form.type)}</dd></div>
              {(TYPES[form.type]?.settings ?? []).filter(({ name }) => form.values[name]).map((setting) => <div key={setting.name}><dt>{label(setting)}</dt><dd class="mono">{isSecret(setting) ? '••••••' : form.values[setting.name]}</dd></div>)}
              <div><dt>{t('wizard.filter')}</dt><dd class="mono">{form.filter || t('exports.everything')}</dd></div>
              <div><dt>{t('wizard.start')}</dt><dd>{t(`wizard.start.${form.start}` as Key)}{form.start === 'since' && ` ${draft.start}`}</dd></div>
              <div><dt>{t('wizard.format')}</dt><dd>{form.format}</dd></div>
            </dl>
          )}
          {problem && <ProblemBox problem={problem} />}
          <div class="dialog-actions">
            {step > 0 && <button type="button" onClick={() => go(step - 1)}>{t('wizard.previous')}</button>}
            <button type="submit" class="primary" disabled={step === 2 && wrong !== ''}>{t(step < STEPS.length - 1 ? 'wizard.next' : blueprint ? 'blueprints.create' : 'wizard.create')}</button>
          </div>
        </form>
      )}
    </div>
  );
}

/** Name, filter, format and settings of a destination that is there; its place in the log stays. */
export function Change({ client, path, destination, done }: { client: Client; path: string; destination: Destination; done: () => void }) {
  const first = valuesOf(destination.type, destination.config);
  const [values, setValues] = useState<Values | null>(null);
  const [filter, setFilter] = useState<string | null>(null);
  const wrong = filterProblem(filter ?? destination.filter);
  const send = async (form: FormData): Promise<void> => {
    const format = String(form.get('format'));
    const checkpoints = Number(form.get('checkpoints'));
    // What was not touched is not sent: the options of a format would be lost, and the receipt would begin anew.
    await client.send('PATCH', path, {
      name: String(form.get('name')),
      ...(filter !== null && filter !== destination.filter ? { filter } : {}),
      ...(format !== (destination.format.type ?? 'json') ? { format: { type: format } } : {}),
      ...(values ? { config: configOf(destination.type, values) } : {}),
      ...(checkpoints !== destination.checkpoint_seconds ? { checkpoint_seconds: checkpoints } : {}),
    });
    setValues(null);
    setFilter(null);
    done();
  };
  return (
    <FormDialog plain label={t('destinations.change')} title={t('destinations.change')} submit={t('destinations.save')} refuse={wrong !== ''} onSubmit={send}>
      <label>{t('wizard.name')} <input name="name" required maxLength={200} defaultValue={destination.name} /></label>
      <label>{t('wizard.filter')} <input class="mono" value={filter ?? destination.filter} onInput={(event) => setFilter(event.currentTarget.value)} spellcheck={false} /></label>
      {wrong && <p class="warn" role="status">{wrong}</p>}
      <label>{t('wizard.format')} <select name="format" defaultValue={destination.format.type ?? 'json'}>{FORMATS.filter((format) => format !== 'template' || destination.format.type === 'template').map((format) => <option key={format} selected={format === (destination.format.type ?? 'json')}>{format}</option>)}</select></label>
      <label>{t('wizard.checkpoints')} <input name="checkpoints" type="number" min={0} max={86400} defaultValue={String(destination.checkpoint_seconds)} /></label>
      <TypeFields kept type={destination.type} values={values ?? first} set={setValues} />
      <p class="note">{t('destinations.changeHint')}</p>
    </FormDialog>
  );
}
