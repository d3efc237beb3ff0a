import { type Helper, leastEntries, readRequired, textValue } from './helper.ts';
import { listOf, oneOf } from './list.ts';
import {
  CATALOG_OPTIONS,
  catalogQuery,
  LOCATION_OPTIONS,
  nodeQuery,
  SERVICE_OPTIONS,
  serviceQuery,
} from './subject.ts';

const LIST_OPTIONS = ['min', 'required'];

/** Services and nodes. */
export const CATALOG = {
  service: {
    usage: 'service "web" tag="v1" min=1',
    meaning:
      'list of the healthy instances, by node and ID; fields Address, Port, Tags, Node, ServiceMeta, Status …',
    examples: [
      [
        '{{#each (service "web")}}{{Address}}:{{Port}}{{#unless @last}},{{/unless}}{{/each}}',
        '10.0.0.1:80,10.0.0.2:8080',
      ],
      ['{{len (service "web" tag="blue")}} {{len (service "blue.web|any")}}', '1 1'],
    ],
    values: [1, 1],
    options: [...LIST_OPTIONS, ...SERVICE_OPTIONS],
    run: (pass, [name], options) =>
      listOf(pass, serviceQuery('service', name, options), leastEntries(options)),
  },
  connect: {
    usage: 'connect "web" min=1',
    meaning: 'the same for instances that take part in the mesh',
    examples: [['{{#each (connect "web")}}{{Address}}:{{Port}}{{/each}}', '10.0.0.9:20000']],
    values: [1, 1],
    options: [...LIST_OPTIONS, ...SERVICE_OPTIONS],
    run: (pass, [name], options) =>
      listOf(pass, serviceQuery('connect', name, options), leastEntries(options)),
  },
  services: {
    usage: 'services dc="eu"',
    meaning: 'list of all services of the catalog, by name; fields Name, Tags',
    examples: [['{{#each (services)}}{{Name}} {{/each}}', 'db web ']],
    values: [0, 1],
    options: [...LIST_OPTIONS, ...CATALOG_OPTIONS],
    run: (pass, [where], options) =>
      listOf(pass, catalogQuery('services', where, options), leastEntries(options)),
  },
  nodes: {
    usage: 'nodes dc="eu" near="_agent"',
    meaning: 'list of all nodes, by name; fields Node, Address, Datacenter, Meta …',
    examples: [['{{#each (nodes)}}{{Node}}={{Address}} {{/each}}', 'n1=10.0.0.1 n2=10.0.0.2 ']],
    values: [0, 1],
    options: [...LIST_OPTIONS, ...CATALOG_OPTIONS],
    run: (pass, [where], options) =>
      listOf(pass, catalogQuery('nodes', where, options), leastEntries(options)),
  },
  node: {
    usage: 'node "n1"',
    meaning: 'a node, without a name our agent’s own: Node as in nodes, and the list Services',
    examples: [
      [
        '{{#with (node "n1")}}{{Node.Address}}{{#each Services}} {{Service}}:{{Port}}{{/each}}{{/with}}',
        '10.0.0.1 web:80',
      ],
    ],
    values: [0, 1],
    options: ['required', ...LOCATION_OPTIONS],
    run: (pass, [name], options) =>
      oneOf(pass, nodeQuery(name, options), readRequired(options['required']) ?? true),
  },
  datacenters: {
    usage: 'datacenters',
    meaning: 'list of the names of all datacenters',
    examples: [['{{join (datacenters) ","}}', 'eu,us']],
    values: [0, 0],
    options: LIST_OPTIONS,
    run: (pass, _, options) =>
      listOf(pass, { kind: 'datacenters', name: '', params: {} }, leastEntries(options)),
  },
  caRoots: {
    usage: 'caRoots',
    meaning: 'list of the root certificates of the mesh; fields RootCert, Active, Name …',
    examples: [['{{#each (caRoots)}}{{#if Active}}{{RootCert}}{{/if}}{{/each}}', 'PEM of the root']],
    values: [0, 0],
    options: LIST_OPTIONS,
    run: (pass, _, options) => listOf(pass, { kind: 'caRoots', name: '', params: {} }, leastEntries(options)),
  },
  caLeaf: {
    usage: 'caLeaf "web"',
    meaning: 'certificate of a service in the mesh; fields CertPEM, PrivateKeyPEM, ValidBefore …',
    examples: [['{{#with (caLeaf "web")}}{{CertPEM}}{{/with}}', 'PEM of the leaf']],
    values: [1, 1],
    options: [],
    run: (pass, [name]) =>
      oneOf(pass, { kind: 'caLeaf', name: textValue(name, 'the name of a service'), params: {} }, true),
  },
} satisfies Record<string, Helper>;
