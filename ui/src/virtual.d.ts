declare module 'virtual:sentences' {
  const sentences: Record<string, string>;
  export default sentences;
}
/** Category, severity, outcome and sentence of each known action. */
declare module 'virtual:actions' {
  const actions: Record<string, [string, string, string, string]>;
  export default actions;
}
declare module '*.css?inline' {
  const text: string;
  export default text;
}
declare module '*.css';
/** The offline verifier's parts; see crates/verify/page/verify.js. */
declare module 'virtual:evidence' {
  type Bytes = Uint8Array<ArrayBuffer>;
  export type Note = { text: string; signatures: { name: string; id: string; bytes: Bytes }[] };
  export type LogKey = { name: string; id: string; kind: number; bytes: Bytes; vkey: string };
  export type Trust = {
    logs: LogKey[]; witnesses: unknown[]; quorum: unknown; origin: string; slot: number;
    keys: { vkey: string; epoch: number; first: number }[];
  };
  export class Refused extends Error { readonly step: number }
  export const utf8: TextEncoder;
  export function accept(note: Note, trust: Trust, origin: string, withQuorum: boolean, step: number, what: string): Promise<{ origin: string; size: number; root: Bytes; valid: LogKey[] }>;
  export function big(number: number, bytes: number): Bytes;
  export function consistent(oldSize: number, oldRoot: Bytes, newSize: number, newRoot: Bytes, hashes: Bytes[]): boolean;
  export function fieldHash(salt: Bytes, pointer: Bytes, type: string, value: Bytes): Bytes;
  export function half(count: number): number;
  export function hex(bytes: Bytes): string;
  export function leafHash(data: Bytes): Bytes;
  export function nodeHash(left: Bytes, right: Bytes): Bytes;
  export function parseCheckpoint(text: string, step: number, what: string): { origin: string; size: number; root: Bytes };
  export function parseNote(bytes: Bytes, step: number, what: string): Note;
  export function parseTrust(text: string): Trust;
  export function quorum(trust: Trust, cosigned: Set<number>): boolean;
  export function same(a: Bytes, b: Bytes): boolean;
  export function selfTest(): Promise<void>;
  export function sha256(...parts: Bytes[]): Bytes;
  export function unbase64(text: string, length?: number): Bytes | null;
  export function unhex(text: string, length: number): Bytes | null;
}
