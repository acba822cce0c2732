// <audit-log-viewer>: the viewer as an element for pages of any framework.
//
//   <audit-log-viewer src="https://attestary.example.com"></audit-log-viewer>
//   element.tokenProvider = async () => (await fetch('/audit-token')).text();
//
// The token comes from the property `token` or from the function `tokenProvider`, which is asked again whenever it has
// ended. Attributes: src, tenant, filter, range, lang, theme (light, dark, system), trust (a trust file). Events: token-expired, event-open,
// filter-change. Colours are custom properties (--accent, --ground, …); parts: viewer.

import { effect, signal } from '@preact/signals';
import { render } from 'preact';
import uplot from 'uplot/dist/uPlot.min.css?inline';
import { Client, type Session } from './client.ts';
import { closeMenus } from './menus.ts';
import style from './style.css?inline';
import { setLocale, t } from './text.ts';
import { Viewer } from './viewer/viewer.tsx';
import { View } from './viewer/view.ts';

type TokenProvider = () => string | Promise<string>;

export class AuditLogViewer extends HTMLElement {
  static readonly observedAttributes = ['filter', 'range', 'theme', 'lang'];
  private provider: TokenProvider | null = null;
  private held = '';
  private beginning = false;
  private view: View | null = null;
  private readonly root = this.attachShadow({ mode: 'open' });
  private readonly spoken = signal('');
  private readonly stops: (() => void)[] = [];

  constructor() {
    super();
    closeMenus(this.root);
  }

  get token(): string {
    return this.held;
  }

  set token(next: string) {
    this.held = next;
    void this.begin();
  }

  get tokenProvider(): TokenProvider | null {
    return this.provider;
  }

  /** A page may set it at any time: before the element is defined, or long after it was put into the page. */
  set tokenProvider(next: TokenProvider | null) {
    this.provider = next;
    void this.begin();
  }

  connectedCallback(): void {
    // Properties that were set before the element was defined stand in the way of its own.
    for (const name of ['token', 'tokenProvider'] as const) {
      if (!Object.hasOwn(this, name)) continue;
      const value = this[name];
      delete (this as Record<string, unknown>)[name];
      (this as Record<string, unknown>)[name] = value;
    }
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(`${uplot}\n${style}`);
    this.root.adoptedStyleSheets = [sheet];
    void this.begin();
  }

  disconnectedCallback(): void {
    for (const stop of this.stops.splice(0)) stop();
    this.view?.stop();
    this.view = null;
    render(null, this.root);
  }

  attributeChangedCallback(name: string, before: string | null, after: string | null): void {
    if (!this.view || before === after) return;
    if (name === 'filter') {
      this.view.text.value = after ?? '';
      this.view.submit();
    } else if (name === 'range') this.view.setRange({ relative: after ?? '24h' });
    else if (name === 'lang') void setLocale(after);
    else this.view.theme.value++;
  }

  private async renew(): Promise<boolean> {
    this.dispatchEvent(new CustomEvent('token-expired', { bubbles: true, composed: true }));
    if (!this.provider) return false;
    const before = this.held;
    this.held = await this.provider();
    return this.held !== '' && this.held !== before;
  }

  private async begin(): Promise<void> {
    if (this.view || this.beginning || !this.isConnected || !(this.held || this.provider)) return;
    this.beginning = true;
    try {
      await this.show();
    } finally {
      this.beginning = false;
    }
  }

  private refused(): void {
    render(<p class="problem" role="alert">{t('portal.ended')}</p>, this.root);
  }

  private async show(): Promise<void> {
    await setLocale(this.getAttribute('lang'));
    try {
      if (!this.held && this.provider) this.held = await this.provider();
    } catch {
      this.held = '';
    }
    if (!this.held) return this.refused();
    const client = new Client(this.getAttribute('src') ?? new URL(import.meta.url).origin, {
      headers: () => ({ authorization: `Bearer ${this.held}` }),
      renew: () => this.renew(),
    });
    let session: Session;
    try {
      session = await client.get<Session>('/v1/session');
    } catch {
      // What was held is worth nothing; a new token or provider begins anew.
      this.held = '';
      return this.refused();
    }
    if (!this.isConnected) return;
    await setLocale(this.getAttribute('lang') ?? session.locale ?? document.documentElement.lang);
    if (!this.hasAttribute('theme') && session.theme) this.setAttribute('theme', session.theme);
    const state = new URLSearchParams({ q: this.getAttribute('filter') ?? '', range: this.getAttribute('range') ?? '24h' });
    const view = new View({
      client,
      session,
      tenant: this.getAttribute('tenant') ?? session.tenants?.[0] ?? '',
      load: () => state,
      save: () => undefined,
      announce: (text) => (this.spoken.value = text),
      trust: this.getAttribute('trust') ?? '',
    });
    this.view = view;
    const tell = (name: string, detail: unknown): boolean => this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
    this.stops.push(
      effect(() => void tell('filter-change', { filter: view.applied.value })),
      effect(() => void (view.open.value && tell('event-open', { id: view.open.value }))),
    );
    const Spoken = () => <div class="sr" role="status" aria-live="polite">{this.spoken.value}</div>;
    render(<div part="viewer" class="embed"><Viewer view={view} /><Spoken /></div>, this.root);
  }
}

if (!customElements.get('audit-log-viewer')) customElements.define('audit-log-viewer', AuditLogViewer);
