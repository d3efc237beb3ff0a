/** How a function of consul-template's, or of Go's templates, is written here. */
export type Turn =
  | {
      /** What it is called here, if otherwise. */
      name?: string;
      /** Least and greatest number of arguments in Go. */
      args: readonly [number, number];
      /** Go has the subject last, so that it can be piped in; here it comes first. */
      subjectLast?: true;
      /** The arguments are joined to one, with this between them. */
      joined?: string;
      /** Options that are added. */
      options?: string;
      /** Prints differently: Go has a notation of its own for it. */
      returns?: 'list' | 'map';
    }
  /** Cannot be turned; what to do instead. */
  | { instead: string };

const MANY = Number.POSITIVE_INFINITY;

const LIST = { returns: 'list' } as const;
const MAP = { returns: 'map' } as const;
const SUBJECT_LAST = { subjectLast: true } as const;
const ONE = { args: [1, 1] } as const;
const TWO = { args: [2, 2] } as const;
const ANY = { args: [1, MANY] } as const;

const VAULT: Turn = { instead: 'secrets of Vault are not read: leave that file to Vault Agent' };
const NOMAD: Turn = { instead: 'Nomad is not read: leave that file to Nomad' };
const OWN: Turn = { instead: 'write a helper of your own for it (--helpers FILE)' };
const NO_CALL: Turn = { instead: 'nothing can be called from here' };

const FUNCTIONS: Readonly<Record<string, Turn>> = {
  // Keys, services, nodes.
  key: ONE,
  keyOrDefault: TWO,
  keyExists: ONE,
  ls: { ...ONE, ...LIST },
  safeLs: { ...ONE, ...LIST },
  tree: { ...ONE, ...LIST },
  safeTree: { ...ONE, ...LIST },
  service: { args: [1, MANY], joined: '|', ...LIST },
  connect: { args: [1, MANY], joined: '|', ...LIST },
  services: { args: [0, MANY], joined: '', ...LIST },
  nodes: { args: [0, MANY], joined: '', ...LIST },
  node: { args: [0, MANY], joined: '', ...MAP },
  datacenters: { args: [0, 0], ...LIST },
  caRoots: { args: [0, 0], ...LIST },
  caLeaf: { ...ONE, ...MAP },
  // This machine.
  file: ONE,
  env: ONE,
  envOrDefault: TWO,
  mustEnv: ONE,
  timestamp: { args: [0, 1] },
  sockaddr: { args: [0, 1] },
  // Grouping.
  byKey: { ...ONE, ...MAP },
  byTag: { ...ONE, ...MAP },
  byPort: { ...ONE, ...MAP },
  byMeta: { ...TWO, ...SUBJECT_LAST, ...MAP },
  explode: { ...ONE, ...MAP },
  explodeMap: { ...ONE, ...MAP },
  mergeMap: { ...TWO, ...MAP },
  mergeMapWithOverride: { ...TWO, ...MAP },
  // Lists.
  contains: { ...TWO, ...SUBJECT_LAST },
  containsAll: { ...TWO, ...SUBJECT_LAST },
  containsAny: { ...TWO, ...SUBJECT_LAST },
  containsNone: { ...TWO, ...SUBJECT_LAST },
  containsNotAll: { ...TWO, ...SUBJECT_LAST },
  in: TWO,
  loop: { args: [1, 2], ...LIST },
  join: { ...TWO, ...SUBJECT_LAST },
  split: { ...TWO, ...SUBJECT_LAST, ...LIST },
  splitToMap: { args: [3, 3], ...SUBJECT_LAST, ...MAP },
  // Text.
  trim: { ...TWO, ...SUBJECT_LAST },
  trimPrefix: { ...TWO, ...SUBJECT_LAST },
  trimSuffix: { ...TWO, ...SUBJECT_LAST },
  trimSpace: ONE,
  indent: { ...TWO, ...SUBJECT_LAST },
  replaceAll: { args: [3, 3], ...SUBJECT_LAST },
  regexMatch: { ...TWO, ...SUBJECT_LAST },
  regexReplaceAll: { args: [3, 3], ...SUBJECT_LAST },
  toLower: ONE,
  toUpper: ONE,
  toTitle: ONE,
  // Formats.
  parseBool: ONE,
  parseFloat: ONE,
  parseInt: ONE,
  parseUint: ONE,
  parseJSON: ONE,
  parseYAML: ONE,
  toJSON: ONE,
  toJSONPretty: ONE,
  toUnescapedJSON: ONE,
  toUnescapedJSONPretty: ONE,
  toYAML: ONE,
  toTOML: ONE,
  base64Encode: ONE,
  base64Decode: ONE,
  base64URLEncode: ONE,
  base64URLDecode: ONE,
  sha256Hex: ONE,
  md5sum: ONE,
  hmacSHA256Hex: TWO,
  // Numbers.
  add: { ...TWO, ...SUBJECT_LAST },
  subtract: { ...TWO, ...SUBJECT_LAST },
  multiply: { ...TWO, ...SUBJECT_LAST },
  divide: { ...TWO, ...SUBJECT_LAST },
  modulo: { ...TWO, ...SUBJECT_LAST },
  minimum: { ...TWO, ...SUBJECT_LAST },
  maximum: { ...TWO, ...SUBJECT_LAST },
  // What is put aside for the rest of the run.
  'scratch.Set': { ...TWO, name: 'set' },
  'scratch.Get': { ...ONE, name: 'get', options: 'default=""' },
  // Go's own.
  and: ANY,
  or: ANY,
  not: ONE,
  eq: { args: [2, MANY] },
  ne: TWO,
  lt: TWO,
  le: TWO,
  gt: TWO,
  ge: TWO,
  len: ONE,
  index: { args: [2, MANY] },
  slice: { args: [2, 3] },
  print: { args: [0, MANY] },
  printf: ANY,
  urlquery: ONE,
  // What is not carried over.
  secret: VAULT,
  secrets: VAULT,
  pkiCert: VAULT,
  nomadServices: NOMAD,
  nomadService: NOMAD,
  nomadVarList: NOMAD,
  nomadVarListSafe: NOMAD,
  nomadVar: NOMAD,
  nomadVarExists: NOMAD,
  plugin: OWN,
  writeToFile: { instead: 'a template writes one file: make that one a template of its own' },
  executeTemplate: { instead: 'print it where it is, as {{template "name" .}}; its text cannot be a value' },
  'scratch.Key': { instead: 'write (get "name" default="") and ask whether it is empty' },
  'scratch.SetX': { instead: 'write {{#unless (get "name" default="")}}{{set "name" value}}{{/unless}}' },
  'scratch.MapSet': { instead: 'set each entry under a name of its own' },
  'scratch.MapSetX': { instead: 'set each entry under a name of its own' },
  'scratch.MapValues': { instead: 'set each entry under a name of its own' },
  peerings: { instead: 'name the peer where it is asked: (service "web" peer="east")' },
  partitions: { instead: 'name the partition where it is asked: (service "web" partition="eu")' },
  exportedServices: OWN,
  importedServices: OWN,
  html: { instead: 'write {{xml …}}, which quotes " and \' by other names' },
  js: { instead: 'write {{json …}}' },
  println: { instead: 'write (print …), and the line break as text' },
  call: NO_CALL,
  scratch: { instead: 'write {{set "name" value}} and (get "name")' },
};

/** By the beginning of a name. */
const FAMILIES: readonly (readonly [string, Turn])[] = [
  ['sprig_', OWN],
  ['spew_', { instead: 'write {{toJSONPretty …}} to look at a value' }],
  ['nomad', NOMAD],
];

/** How a function is written here; undefined for one that consul-template does not have. */
export function turnOf(name: string): Turn | undefined {
  if (Object.hasOwn(FUNCTIONS, name)) return FUNCTIONS[name];
  return FAMILIES.find(([start]) => name.startsWith(start))?.[1];
}

/** Names of all functions that can be turned. */
export function turnable(): string[] {
  return Object.keys(FUNCTIONS).filter((name) => 'args' in (FUNCTIONS[name] ?? {}));
}

/** What waits for something, or fails, where it is only evaluated: Go leaves it alone behind an `and` that is decided. */
export const RISKY = new Set([
  'key',
  'safeLs',
  'safeTree',
  'node',
  'caLeaf',
  'file',
  'mustEnv',
  'index',
  'slice',
]);
