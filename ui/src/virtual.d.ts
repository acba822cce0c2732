declare module 'virtual:sentences' {
  const sentences: Record<string, string>;
  export default sentences;
}
declare module '*.css?inline' {
  const text: string;
  export default text;
}
declare module '*.css';
