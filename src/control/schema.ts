/**
 * What goes over the control socket and comes from `--json`, as JSON Schema: printed by `supervise help protocol`, and what
 * tests hold real output against. Within a version a field may be added, and none changes its meaning.
 */
import { GOALS } from '../core/goal.ts';
import { VERBS, VERSION } from './protocol.ts';

export interface Schema {
  $ref?: string;
  description?: string;
  type?: string | readonly string[];
  const?: unknown;
  enum?: readonly unknown[];
  properties?: Readonly<Record<string, Schema>>;
  required?: readonly string[];
  additionalProperties?: Schema;
  items?: Schema;
  oneOf?: readonly Schema[];
}

const text = (description: string): Schema => ({ type: 'string', description });
const textOrNull = (description: string): Schema => ({ type: ['string', 'null'], description });
const integer = (description: string): Schema => ({ type: 'integer', description });
const texts = (description: string): Schema => ({ type: 'array', items: { type: 'string' }, description });
const time = (description: string): Schema => text(`${description}: ISO 8601`);
const version: Schema = { const: VERSION };

/** An object that has all of these. */
function object(description: string, properties: Record<string, Schema>, optional: string[] = []): Schema {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: 'object', description, properties, required };
}

export const DEFINITIONS = {
  request: object(
    'One line; then the lines of the answer. Keep your end open as long as you want to hear more.',
    {
      v: version,
      do: { enum: VERBS, description: 'the verb' },
      services: texts('names; none is all, where the verb allows that'),
      signal: text('of signal: TERM, SIGUSR1, 15, RTMIN+3'),
      until: {
        enum: GOALS,
        description: 'of wait, and of an order that is to be waited for; up: executed, ready or not',
      },
      timeoutMs: integer('how long that may take'),
      follow: { type: 'boolean', description: 'of events, logs and status: go on telling' },
    },
    ['services', 'signal', 'until', 'timeoutMs', 'follow'],
  ),
  reply: {
    description: 'A line of the answer; the last one has no "more".',
    oneOf: [
      object(
        'Yes, or done.',
        { v: version, ok: { const: true }, more: { const: true, description: 'others follow' }, data: {} },
        ['more'],
      ),
      object(
        'No.',
        {
          v: version,
          ok: { const: false },
          exit: integer(
            'the exit code of the verb: 1 no, 99 timed out, 100 wrong usage, 111 the system refused',
          ),
          error: text('cannot <verb> <object>: <cause>'),
          hint: text('how to mend it'),
        },
        ['hint'],
      ),
    ],
  },
  status: object('The data of status, again with each change where it is followed; also status --json.', {
    v: version,
    version: text('of supervise'),
    pid: integer('of supervise'),
    scandir: textOrNull('the services directory'),
    stopping: { type: 'boolean', description: 'the whole tree is on its way down' },
    package: {
      description: 'the package whose services these are; null where there is none that says so of itself',
      oneOf: [
        { type: 'null' },
        object('', {
          name: text('by its manifest.json'),
          version: text('by its manifest.json'),
          services: {
            type: 'object',
            description: 'service → its version',
            additionalProperties: { type: 'string' },
          },
        }),
      ],
    },
    services: { type: 'array', items: { $ref: '#/$defs/service' } },
    source: {
      description:
        'where the values of templates come from; null where there is no templater, or it has not said',
      oneOf: [
        { type: 'null' },
        object('', {
          name: text('such as consul at 127.0.0.1:8500'),
          awaySince: { type: ['string', 'null'], description: 'no answer since; null: it answers' },
          cause: textOrNull('why'),
        }),
      ],
    },
  }),
  service: object('One service.', {
    name: text('that of its directory; (command) is the main command'),
    type: { enum: ['longrun', 'oneshot'] },
    is: {
      enum: ['down', 'starting', 'up', 'ready', 'stopping', 'finishing', 'backoff', 'failed', 'done'],
      description: 'up: not ready yet; finishing: its finish runs; done: a oneshot that succeeded',
    },
    wanted: { enum: ['up', 'once', 'down'] },
    disabled: { type: 'boolean', description: 'not started at boot, and nobody waits for it' },
    since: time('the last change of "is"'),
    pid: { type: ['integer', 'null'], description: 'of its run, or of its finish' },
    crashes: integer('in a row'),
    lastDeath: {
      description: 'the last end of its run',
      oneOf: [
        { type: 'null' },
        object('', {
          code: { type: ['integer', 'null'], description: 'null: a signal ended it' },
          signal: textOrNull('its name'),
          ranMs: integer('how long it ran'),
          reason: textOrNull('where code and signal do not tell: timeout-up, cannot execute …'),
          at: time('when'),
        }),
      ],
    },
    nextStart: { type: ['string', 'null'], description: 'when its backoff ends: ISO 8601' },
    dependencies: {
      type: 'array',
      description: 'what it depends on',
      items: object('', { name: text('of a service'), is: text('as in service') }),
    },
    has: texts('what it has beside its run: check, health, finish, log, templates'),
    waitsFor: texts('what its start waits for, in words'),
    complaint: textOrNull('how its check or its health was answered last, where that was no yes'),
    heldBack: texts('why its config is older than its templates and the source, in words'),
    kept: texts('what its templates ask and is gone from the source: the last value of each still stands'),
    rollout: {
      description: 'of a service with templates: how it fares on its config',
      oneOf: [
        { type: 'null' },
        object('', {
          generation: textOrNull('names the contents of all its files'),
          state: {
            enum: ['unproven', 'settling', 'good', 'bad', 'recovering'],
            description: 'settling: new, being judged; recovering: started again on the previous files',
          },
          since: time('the last change of either'),
          canGoBack: { type: 'boolean', description: 'the files that it was well on before are kept' },
          bad: {
            description: 'what it could not live with, until another generation proves good',
            oneOf: [
              { type: 'null' },
              object('', { generation: text('its name'), cause: text('how it showed') }),
            ],
          },
        }),
      ],
    },
    problem: textOrNull('why it cannot be started, as its directory was last read'),
    hint: textOrNull('how to mend that'),
    path: textOrNull('its directory; null for what has none'),
    settings: {
      type: 'object',
      additionalProperties: { type: 'string' },
      description: 'those that are not the default: file → value, in words',
    },
  }),
  event: object('events, in lists; also one line of events --json. It is a line of the log.', {
    v: version,
    seq: integer('counts up from 1; a gap is what is no longer remembered'),
    time: time('when'),
    level: { enum: ['info', 'warn', 'error'] },
    service: textOrNull('null: the tree itself'),
    event: text('short, constant, in the past tense'),
    fields: { type: 'object', description: 'its values; a name that ends in Ms is a time in milliseconds' },
  }),
  output: object(
    'logs, in lists; also one line of logs --json. Whole lines, or a part of one that is very long.',
    {
      service: text('its name'),
      text: text('what it wrote, with U+FFFD where that is no UTF-8'),
      base64: text('then: all its bytes'),
    },
    ['base64'],
  ),
  ordered: object('The data of up, down, once, restart, reload and signal.', {
    services: {
      type: 'array',
      items: object('', {
        name: text(''),
        is: text('as in service'),
        waitsFor: texts('as in service'),
      }),
    },
  }),
  rescanned: object('The data of rescan.', {
    added: texts('names'),
    removed: texts('names'),
    changed: texts('names'),
    files: {
      type: 'object',
      description: 'of each that goes on and has changed files: which, and when they take effect',
      additionalProperties: {
        type: 'array',
        items: object('', {
          file: text('in its directory'),
          takes: { enum: ['at once', 'at the next start'] },
        }),
      },
    },
    problems: {
      type: 'array',
      description: 'of what cannot be started as its directory now is, or goes on as it was before',
      items: object('', {
        service: text('its name'),
        message: text('cannot <verb> <object>: <cause>'),
        hint: textOrNull('how to mend it'),
      }),
    },
  }),
  unwell: texts('The data of check: what is not as it should be, in words; none: all is well.'),
} as const satisfies Record<string, Schema>;

/** The whole of it, as a document. */
export function protocolSchema(): object {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: `The control protocol of supervise, version ${VERSION}`,
    description:
      'JSON lines over a Unix socket: one request a connection. supervise help control tells where it is.',
    $defs: DEFINITIONS,
  };
}
