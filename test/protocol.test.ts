/** The documented schema (`supervise help protocol`) against what is really answered, by every verb and in every state. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { VERBS } from '../src/control/protocol.ts';
import { DEFINITIONS, type Schema } from '../src/control/schema.ts';
import { SLEEPER, startTree, until } from './tree.ts';

type Name = keyof typeof DEFINITIONS;

/** What is wrong with a value, by its place. Stricter than JSON Schema: a field that is not documented is wrong too. */
function faults(value: unknown, schema: Schema, at = '$'): string[] {
  if (schema.$ref) return faults(value, DEFINITIONS[schema.$ref.replace('#/$defs/', '') as Name], at);
  if (schema.oneOf) {
    const all = schema.oneOf.map((each) => faults(value, each, at));
    return all.filter((found) => found.length === 0).length === 1 ? [] : [`${at}: none of`, ...all.flat()];
  }
  if ('const' in schema) return value === schema.const ? [] : [`${at}: ${JSON.stringify(value)}`];
  if (schema.enum) return schema.enum.includes(value) ? [] : [`${at}: ${JSON.stringify(value)}`];
  const types = schema.type === undefined ? [] : [schema.type].flat();
  const type = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
  const isInteger = type === 'number' && Number.isInteger(value) && types.includes('integer');
  if (types.length > 0 && !types.includes(type) && !isInteger)
    return [`${at}: ${type}, not ${types.join(' or ')}`];
  if (type === 'array')
    return (value as unknown[]).flatMap((item, i) => faults(item, schema.items ?? {}, `${at}[${i}]`));
  if (type !== 'object') return [];
  const { properties = {}, required = [], additionalProperties } = schema;
  const fields = value as Record<string, unknown>;
  return [
    ...required.filter((name) => !Object.hasOwn(fields, name)).map((name) => `${at}.${name}: missing`),
    ...Object.entries(fields).flatMap(([name, field]) => {
      const known = properties[name] ?? additionalProperties;
      if (known) return faults(field, known, `${at}.${name}`);
      return schema.properties ? [`${at}.${name}: not documented`] : [];
    }),
  ];
}

function holds(value: unknown, name: Name): void {
  assert.deepEqual(faults(value, DEFINITIONS[name]), [], `${name}: ${JSON.stringify(value)}`);
}

test('the test can fail', () => {
  const good = { v: 1, seq: 1, time: 't', level: 'info', service: null, event: 'e', fields: { any: 1 } };
  holds(good, 'event');
  assert.deepEqual(faults({ ...good, more: 1 }, DEFINITIONS.event), ['$.more: not documented']);
  assert.deepEqual(faults({ ...good, seq: '1' }, DEFINITIONS.event), ['$.seq: string, not integer']);
  assert.deepEqual(faults({ ...good, level: 'debug' }, DEFINITIONS.event), ['$.level: "debug"']);
  const { time, ...rest } = good;
  assert.deepEqual(faults(rest, DEFINITIONS.event), ['$.time: missing']);
  assert.equal(time, 't');
});

test('every verb is answered as it is documented', async (t) => {
  const tree = startTree(
    t,
    {
      '.supervise/kv.json': '{"kv":{}}',
      'app/run': SLEEPER,
      'app/timeout-kill': '7s',
      'app/restart-delay': '2s 3s',
      'app/down-signal': 'INT',
      'app/essential': '',
      'bad/run': SLEEPER,
      'bad/restart': 'sometimes',
      'crash/run': '#!/bin/sh\nexit 3\n',
      'crash/restart-delay': '1h',
      'job/run': '#!/bin/sh\n',
      'job/type': 'oneshot',
      'lacks/run': SLEEPER,
      'lacks/templates/a.hbs': '{{!-- dest: /nowhere/a --}}{{key "none"}}',
      'slow/run': SLEEPER,
      'slow/check': '#!/bin/sh\nexit 1\n',
      'waits/run': SLEEPER,
      'waits/dependencies.d/crash': '',
    },
    { args: ['--capture'] },
  );
  await tree.event('died', 'crash');
  await tree.event('done', 'job');
  await until('the templater', () => tree.control('status', '--json').stdout.includes('kv.json'));
  const told: Record<string, { request: object; data: Name | undefined }> = {
    status: { request: {}, data: 'status' },
    up: { request: { services: ['waits'] }, data: 'ordered' },
    once: { request: { services: ['crash'] }, data: 'ordered' },
    restart: { request: { services: ['app'], until: 'ready', timeoutMs: 9000 }, data: 'ordered' },
    reload: { request: { services: ['slow'] }, data: 'ordered' },
    signal: { request: { services: ['app'], signal: 'CONT' }, data: 'ordered' },
    down: { request: { services: ['slow'] }, data: 'ordered' },
    wait: { request: { services: ['app'], until: 'up' }, data: undefined },
    check: { request: {}, data: 'unwell' },
    events: { request: {}, data: undefined },
    logs: { request: { services: ['app'] }, data: undefined },
    rescan: { request: {}, data: 'rescanned' },
    stop: { request: {}, data: undefined },
  };
  assert.deepEqual(Object.keys(told).sort(), [...VERBS].sort());
  for (const [verb, { request, data }] of Object.entries(told)) {
    const line = { v: 1, do: verb, ...request };
    holds(line, 'request');
    const replies = await exchange(tree.socket, JSON.stringify(line));
    for (const reply of replies) {
      holds(reply, 'reply');
      assert.equal(reply.ok, true, JSON.stringify(reply));
      if (data) holds(reply.data, data);
      if (verb === 'logs') for (const output of reply.data as unknown[]) holds(output, 'output');
      if (verb === 'events') for (const event of reply.data as unknown[]) holds(event, 'event');
    }
    assert.deepEqual(
      replies.map(({ more }) => more === true),
      replies.map((_, i) => i < replies.length - 1),
      verb,
    );
    if (verb === 'status') {
      const [reply] = replies as { data: { services: { name: string; settings: object; is: string }[] } }[];
      const services = reply?.data.services ?? [];
      assert.deepEqual(services.find(({ name }) => name === 'app')?.settings, {
        'timeout-kill': '7.0s',
        'restart-delay': '2.0s 3.0s',
        'down-signal': 'SIGINT',
        essential: 'yes',
      });
      assert.equal(services.find(({ name }) => name === 'job')?.is, 'done');
    }
  }
  assert.equal((await tree.ended).code, 0);
});

test('what --json prints is what is documented', async (t) => {
  const tree = startTree(t, {
    'app/run': SLEEPER,
    'crash/run': '#!/bin/sh\nexit 3\n',
    'crash/restart': 'never',
  });
  await tree.event('failed', 'crash');
  holds(JSON.parse(tree.control('status', '--json').stdout), 'status');
  holds(JSON.parse(tree.control('status', 'crash', '--json').stdout), 'status');
  const lines = tree.control('events', '--json').stdout.trim().split('\n');
  assert.ok(lines.length >= 3);
  for (const line of lines) holds(JSON.parse(line), 'event');
});

test('refusals are documented too; nonsense in a field is named', async (t) => {
  const tree = startTree(t, { 'app/run': SLEEPER });
  await tree.event('started', 'app');
  const rows: [string, string][] = [
    ['{"v":1,"do":"down","services":["nobody"]}', 'cannot find "nobody": no such service'],
    ['{"v":1,"do":"down"}', 'cannot down: expected the name of a service'],
    ['{"v":1,"do":"wait","services":["app"]}', 'cannot wait: expected what for: ready, up or down'],
    [
      '{"v":1,"do":"wait","services":["app"],"until":"done"}',
      'cannot read the request: expected "until" to be one of ready, up, down',
    ],
    [
      '{"v":1,"do":"wait","services":["app"],"until":"up","timeoutMs":-1}',
      'cannot read the request: expected "timeoutMs" to be a number of milliseconds from 0 to 2147483647',
    ],
    [
      '{"v":1,"do":"wait","services":["app"],"until":"up","timeoutMs":1e300}',
      'cannot read the request: expected "timeoutMs" to be a number of milliseconds from 0 to 2147483647',
    ],
    [
      '{"v":1,"do":"signal","services":["app"],"signal":9}',
      'cannot read the request: expected "signal" to be the name of a signal',
    ],
    ['{"v":1,"do":"signal","services":["app"]}', 'cannot signal: expected a signal'],
    [
      '{"v":1,"do":"events","follow":"yes"}',
      'cannot read the request: expected "follow" to be true or false',
    ],
  ];
  for (const [line, error] of rows) {
    const [reply] = await exchange(tree.socket, line);
    holds(reply, 'reply');
    assert.equal(reply?.error, error);
    assert.equal(reply?.exit, 100);
  }
});

interface Answer {
  ok: boolean;
  more?: boolean;
  data?: unknown;
  error?: string;
  exit?: number;
}

function exchange(path: string, line: string): Promise<Answer[]> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(path, () => socket.write(`${line}\n`));
    socket.on('data', (piece) => (text += piece.toString()));
    socket.on('close', () =>
      resolve(
        text
          .trim()
          .split('\n')
          .map((each) => JSON.parse(each) as Answer),
      ),
    );
    socket.on('error', reject);
  });
}
