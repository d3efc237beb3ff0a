/** What names a source of values, before anything is opened: a file, or Consul at an address or where its variables say. */
export type SourceName = { kind: 'file'; path: string } | { kind: 'consul'; address: string | undefined };

/** What is expected of one. */
export const SOURCE_NAMES = 'file:PATH, consul or consul:HOST:PORT';

/** Reads `file:PATH`, `consul` or `consul:HOST:PORT`; undefined for anything else. */
export function parseSourceName(text: string): SourceName | undefined {
  const [, kind, rest] = /^(file|consul)(?::(.*))?$/s.exec(text) ?? [];
  if (kind === 'file' && rest) return { kind, path: rest };
  return kind === 'consul' ? { kind, address: rest || undefined } : undefined;
}
