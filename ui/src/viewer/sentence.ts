// An event as one sentence: from the known actions where the page's language has them, else from its parts.

import sentences from 'virtual:sentences';
import type { Actor, Event, Target } from '../client.ts';
import { language, t } from '../text.ts';

export const actorName = (actor: Actor | undefined): string =>
  actor?.name || actor?.email || actor?.id || t(actor?.type === 'anonymous' ? 'actor.anonymous' : 'actor.unknown');

export const targetName = (target: Target | undefined): string => target?.name || target?.id || target?.type || '';

export type Part = { text: string; strong?: boolean };

/** The pieces of the sentence; names are strong, and always text of a stranger. */
export function sentence(event: Event): Part[] {
  const actor = { text: actorName(event.actor), strong: true };
  const first = event.targets?.[0];
  const more = (event.targets?.length ?? 0) - 1;
  const target = { text: targetName(first) + (more > 0 ? ` +${more}` : ''), strong: true };
  const template = language() === 'en' ? sentences[event.action ?? ''] : undefined;
  const expected = event.outcome === 'success' || event.outcome === undefined || event.outcome === 'unknown' || /(failed|denied|blocked)/.test(event.action ?? '');
  if (template && expected && (target.text || !template.includes('{target}'))) {
    const parts = template.split(/(\{actor\}|\{target\})/).map((piece) => (piece === '{actor}' ? actor : piece === '{target}' ? target : { text: piece }));
    return template.includes('{target}') || !target.text ? parts : [...parts, { text: ' · ' }, target];
  }
  // `document.viewed` reads well as it is: viewed the document.
  const [, noun, past] = /^([a-z_]+)\.([a-z]+ed)$/.exec(event.action ?? '') ?? [];
  if (noun && past && expected && language() === 'en') {
    return [actor, { text: ` ${past} the ${noun.replaceAll('_', ' ')} ` }, ...(target.text ? [target] : [])];
  }
  const verb = t(event.outcome === 'failure' ? 'sentence.failed' : event.outcome === 'denied' ? 'sentence.denied' : 'sentence.did', { action: event.action ?? '' });
  return [actor, { text: ` ${verb}` }, ...(target.text ? [{ text: ` ${t('sentence.on')} ` }, target] : [])];
}

export const OUTCOMES = ['success', 'failure', 'denied', 'unknown'] as const;
export type Outcome = (typeof OUTCOMES)[number];
export const GLYPHS: Record<Outcome, string> = { success: '✓', failure: '✕', denied: '⊘', unknown: '·' };
export const outcomeOf = (event: Event): Outcome =>
  OUTCOMES.includes(event.outcome as Outcome) ? (event.outcome as Outcome) : 'unknown';
