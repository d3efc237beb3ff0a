/**
 * What the directory of a package says of itself. Its `manifest.json` names the exact version of every service, so that a
 * set of which a part is missing or is of another version is refused rather than half run.
 */

/** What the installer writes into a package directory: what was installed, and what it works in. */
export const MARKER = '.supervise-package.json';
export const WORK = '.supervise-package';
/** What the names of locks begin with. */
export const LOCK = '.supervise-package.lock';

export interface Manifest {
  name: string | undefined;
  version: string | undefined;
  /** Service → its version; undefined where it lists none, and so is no business of ours beyond name and version. */
  services: ReadonlyMap<string, string> | undefined;
}

/** One word of it in a log or a status: no line of text, and no escape sequence. */
const MOST_WORD = 200;

/** Reads `manifest.json`; a text is what is wrong with it. */
export function parseManifest(text: string): Manifest | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'it is no JSON';
  }
  if (!isObject(value)) return 'expected a JSON object';
  const { name, version, services } = value;
  const manifest = { name: asWord(name), version: asWord(version) };
  // A manifest.json may be somebody else's: a browser's, a web application's.
  if (services === undefined) return { ...manifest, services: undefined };
  if (manifest.name === undefined || manifest.version === undefined)
    return 'expected "name" and "version" to be words';
  if (!isObject(services)) return 'expected "services" to name the version of each service';
  const versions = new Map<string, string>();
  for (const [service, version] of Object.entries(services)) {
    const word = asWord(version);
    if (word === undefined || !isWord(service) || service.includes('/') || service.startsWith('.'))
      return `expected "services" to name the version of each service, got ${JSON.stringify({ [service]: version }).slice(0, MOST_WORD)}`;
    versions.set(service, word);
  }
  return { ...manifest, services: versions };
}

/**
 * What is wrong with a set, in words; empty when it is whole.
 * @param found every directory of `services.d/`, and what its `version` file says, where there is one
 */
export function findMixture(
  { services }: Manifest,
  found: ReadonlyMap<string, string | undefined>,
): string[] {
  if (!services) return [];
  const missing = [...services.keys()].filter((name) => !found.has(name));
  const strange = [...found.keys()].filter((name) => !services.has(name));
  const mixed = [...services].flatMap(([name, version]) => {
    const is = found.get(name);
    return is === undefined || is === version
      ? []
      : [`services.d/${name} is of version ${is}, not ${version}`];
  });
  return [
    ...missing.map((name) => `services.d/${name} is missing`),
    ...strange.map((name) => `services.d/${name} is not of it`),
    ...mixed,
  ];
}

/** `shop 1.4.2 (api 1.4.2, worker 1.3.9)` */
export function packageTitle(name: string, version: string, services: ReadonlyMap<string, string>): string {
  const list = [...services].map(([service, version]) => `${service} ${version}`).join(', ');
  return `${name} ${version}${list === '' ? '' : ` (${list})`}`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function asWord(value: unknown): string | undefined {
  return typeof value === 'string' && isWord(value) ? value : undefined;
}

function isWord(text: string): boolean {
  return text !== '' && text.length <= MOST_WORD && !/\p{C}/u.test(text);
}
