import type { Kind } from './query.ts';

/** Stands for every field of a map. */
const EACH = '*';

/** Of a service of the catalog; null where it has none. */
const TAGS = [''];
const TEXTS = { [EACH]: '' };
const NODE = { ID: '', Node: '', Address: '', Datacenter: '', TaggedAddresses: TEXTS, Meta: TEXTS };
const SERVICE = {
  ID: '',
  Service: '',
  Tags: [''],
  Address: '',
  TaggedAddresses: { [EACH]: {} },
  Meta: TEXTS,
  Port: 0,
  Weights: { [EACH]: 0 },
  EnableTagOverride: true,
  Namespace: '',
};
const PAIRS = [{ Key: '', Value: '', Flags: 0, CreateIndex: 0, ModifyIndex: 0, LockIndex: 0, Session: '' }];
const INSTANCES = [{ Node: NODE, Service: SERVICE, Checks: [{ CheckID: '', Status: '' }] }];
const ROOT = {
  ID: '',
  Name: '',
  RootCert: '',
  IntermediateCerts: [''],
  Active: true,
  SigningKeyID: '',
  ExternalTrustDomain: '',
  NotBefore: '',
  NotAfter: '',
};
const LEAF = {
  SerialNumber: '',
  CertPEM: '',
  PrivateKeyPEM: '',
  Service: '',
  ServiceURI: '',
  ValidAfter: '',
  ValidBefore: '',
};

/** What Consul answers, each value standing for its type; any may be left out or null, but no entry of a list or a map. */
const SHAPES: Readonly<Record<Exclude<Kind, 'file'>, unknown>> = {
  key: PAIRS,
  prefix: PAIRS,
  service: INSTANCES,
  connect: INSTANCES,
  services: { [EACH]: TAGS },
  nodes: [NODE],
  node: { Node: NODE, Services: { [EACH]: SERVICE } },
  datacenters: [''],
  caRoots: { Roots: [ROOT] },
  caLeaf: LEAF,
};

/**
 * Checks that what is read of an answer has the types that Consul gives it: whoever is in between can say anything.
 * @throws Error that names the field, and no value
 */
export function checkShape(kind: Exclude<Kind, 'file'>, content: unknown): void {
  check(content, SHAPES[kind], '');
}

function check(value: unknown, sample: unknown, field: string): void {
  if (value === undefined || value === null) return;
  if (kindOf(value) !== kindOf(sample))
    throw new Error(
      `the answer is not Consul's: expected ${field === '' ? 'it' : field} to be ${kindOf(sample)}, got ${kindOf(value)}`,
    );
  const entry = (each: unknown, of: unknown): void => {
    if (each === null && of !== TAGS)
      throw new Error(`the answer is not Consul's: ${field === '' ? 'it' : field} has an empty entry`);
    check(each, of, field);
  };
  if (Array.isArray(sample)) {
    for (const each of value as unknown[]) entry(each, sample[0]);
  } else if (typeof sample === 'object' && sample !== null) {
    for (const [name, of] of Object.entries(sample)) {
      if (name !== EACH) check((value as Record<string, unknown>)[name], of, name);
      else for (const each of Object.values(value)) entry(each, of);
    }
  }
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'string') return 'text';
  if (typeof value === 'boolean') return 'true or false';
  return typeof value === 'object' ? 'an object' : 'a number';
}
