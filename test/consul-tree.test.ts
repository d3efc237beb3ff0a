/** The main job, end to end: a service whose config follows a real Consul agent. */
import assert from 'node:assert/strict';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type ConsulAgent, startConsul } from './consul.ts';
import { type RunningTree, startBundle, startTree, type TreeOptions, tempDir, until } from './tree.ts';

const SAMPLE = join(import.meta.dirname, '../services.d');
let consul: ConsulAgent;
before(async () => {
  consul = await startConsul();
});
after(() => consul.stop());

const APP = '#!/bin/sh\necho "$(cat "$OUT/app.conf")" >>"$OUT/seen"\nexec sleep 1000\n';
const template = (key: string, onChange: string, name = 'app'): string =>
  `{{!--\ndest: \${OUT}/${name}.conf\non-change: ${onChange}\n--}}\nvalue={{key "${key}"}}\n`;

function follow(
  t: Parameters<typeof startTree>[0],
  files: Record<string, string>,
  options: TreeOptions = {},
): RunningTree {
  return startTree(t, files, {
    ...options,
    env: { CONSUL_HTTP_ADDR: consul.address, SUPERVISE_SETTLE: '100ms', ...options.env },
  });
}

test('put → file → restarted exactly once; the same value again → nothing', async (t) => {
  await consul.put('e2e/a', 'one');
  const tree = follow(t, { 'app/run': APP, 'app/templates/app.conf.hbs': template('e2e/a', 'restart') });
  await tree.event('started', 'app');
  await until('one to be seen', () => tree.lines('seen').length === 1);
  assert.equal(tree.file('app.conf'), 'value=one\n');
  await consul.put('e2e/a', 'two');
  await tree.event('started', 'app', 2);
  // A run that is told to stop before its first line ran has seen nothing.
  await until('two to be seen', () => tree.lines('seen').length === 2);
  const file = join(tree.directory, 'app.conf');
  const { mtimeMs, ino } = statSync(file);
  await consul.put('e2e/a', 'two');
  // What follows is seen by the same watch, after the write that changed nothing.
  await consul.put('e2e/a', 'three');
  await tree.event('started', 'app', 3);
  await until('all to be seen', () => tree.lines('seen').length === 3);
  assert.deepEqual(tree.lines('seen'), ['value=one', 'value=two', 'value=three']);
  assert.equal(tree.eventsOf('config changed', 'app').length, 2);
  assert.notEqual(statSync(file).ino, ino);
  assert.ok(statSync(file).mtimeMs > mtimeMs);
  assert.equal(tree.eventsOf('died').length, 0, 'a restart for new config is no crash');
});

test('a key that is deleted keeps its value, and status says so until it is there again', async (t) => {
  await consul.put('e2e/gone', 'one');
  const tree = follow(t, { 'app/run': APP, 'app/templates/app.conf.hbs': template('e2e/gone', 'restart') });
  await tree.event('started', 'app');
  const kept = (): unknown =>
    (JSON.parse(tree.control('status', 'app', '--json').stdout) as { services: { kept: unknown }[] })
      .services[0]?.kept;
  assert.deepEqual(kept(), []);
  await consul.delete('e2e/gone');
  await until('it to be kept', () => (kept() as string[]).length > 0);
  assert.deepEqual(kept(), ['key "e2e/gone"']);
  const words = 'key "e2e/gone" (gone, last value kept)';
  for (const args of [['status'], ['status', 'app']]) assert.ok(tree.control(...args).stdout.includes(words));
  await consul.put('e2e/gone', 'one');
  await until('it to be there', () => (kept() as string[]).length === 0);
  assert.equal(tree.eventsOf('config changed').length, 0);
  assert.equal(tree.control('check').code, 0);
});

test('several changes at once are one restart', async (t) => {
  for (const key of ['x', 'y', 'z']) await consul.put(`e2e/many/${key}`, '0');
  const text = `{{!--\ndest: \${OUT}/app.conf\n--}}\n{{key "e2e/many/x"}}{{key "e2e/many/y"}}{{key "e2e/many/z"}}\n`;
  const tree = follow(
    t,
    { 'app/run': APP, 'app/templates/app.conf.hbs': text },
    { args: ['--wait', '300ms:5s'] },
  );
  await tree.event('started', 'app');
  for (const key of ['x', 'y', 'z']) await consul.put(`e2e/many/${key}`, '1');
  await tree.event('started', 'app', 2);
  await until('the second start to be seen', () => tree.lines('seen').length === 2);
  assert.deepEqual(tree.lines('seen'), ['000', '111']);
});

test('a Consul that was never reached: said so, and what a start on files from before lacks is named', async (t) => {
  const tree = follow(
    t,
    { 'app/run': APP, 'app/templates/app.conf.hbs': template('e2e/a', 'restart') },
    { args: ['--gate-timeout', '1:stale'], env: { CONSUL_HTTP_ADDR: '127.0.0.1:1' } },
  );
  // It is there long before the templater runs.
  writeFileSync(join(tree.directory, 'app.conf'), 'old\n');
  await tree.event('could not reach consul', 'templater');
  const { lacks } = await tree.event('started on files from before', 'app');
  assert.match(String(lacks), /^key "e2e\/a"/);
  assert.match(tree.control('events').stdout, /warn: could not reach the source source=/);
});

test('the gate: a service first starts when its files are there; what is missing is named', async (t) => {
  const tree = follow(t, {
    'app/run': APP,
    'app/templates/app.conf.hbs': template('e2e/gate', 'restart'),
    'other/run': '#!/bin/sh\nexec sleep 1000\n',
  });
  await tree.event('started', 'other');
  await until('status to name the key', () =>
    /waits for +key "e2e\/gate"/.test(tree.control('status', 'app').stdout),
  );
  const waiting = await tree.event('still waiting', 'app');
  assert.match(String(waiting['for']), /key "e2e\/gate"/);
  assert.equal(tree.control('check').code, 1);
  await consul.put('e2e/gate', 'here');
  await tree.event('started', 'app');
  assert.equal(tree.file('app.conf'), 'value=here\n');
});

test('on-change: reload signals, none leaves alone', async (t) => {
  await consul.put('e2e/r', '1');
  await consul.put('e2e/n', '1');
  const run =
    '#!/bin/sh\ntrap \'cat "$OUT/app.conf" >>"$OUT/hup"\' HUP\necho >&3\nwhile :; do sleep 0.01; done\n';
  const tree = follow(t, {
    'app/run': run,
    'app/notification-fd': '3',
    'app/templates/reload.hbs': template('e2e/r', 'reload'),
    'app/templates/none.hbs': template('e2e/n', 'none', 'none'),
  });
  await tree.event('ready', 'app');
  await consul.put('e2e/n', '2');
  await until('the file', () => tree.file('none.conf') === 'value=2\n');
  await consul.put('e2e/r', '2');
  await until('the reload', () => tree.file('hup') === 'value=2\n');
  assert.equal(tree.eventsOf('started, not ready yet', 'app').length, 1);
  assert.deepEqual(
    tree.eventsOf('config changed', 'app').map((event) => event['action']),
    ['none', 'reload'],
  );
});

test('Consul killed, and started again with empty state: the last good file stays, then it recovers by itself', async (t) => {
  const own = await startConsul();
  t.after(() => own.stop());
  await own.put('e2e/s', 'good');
  const tree = follow(
    t,
    { 'app/run': APP, 'app/templates/app.conf.hbs': template('e2e/s', 'restart') },
    { env: { CONSUL_HTTP_ADDR: own.address } },
  );
  await tree.event('started', 'app');
  await own.kill();
  await until('status to say how stale', () =>
    tree.control('status').stdout.includes('files stay as they are'),
  );
  assert.equal(tree.control('check').code, 0);
  await own.restart();
  await until('status to be fresh', () => !tree.control('status').stdout.includes('files stay as they are'));
  assert.equal(tree.file('app.conf'), 'value=good\n');
  assert.equal(tree.eventsOf('config changed').length, 0);
  await own.put('e2e/s', 'better');
  await tree.event('started', 'app', 2);
  assert.equal(tree.file('app.conf'), 'value=better\n');
});

test('Consul absent at the start: the gate waits, everybody else runs, and it opens when Consul comes', async (t) => {
  const own = await startConsul();
  t.after(() => own.stop());
  await own.kill();
  const tree = follow(
    t,
    {
      'app/run': APP,
      'app/templates/app.conf.hbs': template('e2e/late', 'restart'),
      'other/run': '#!/bin/sh\nexec sleep 1000\n',
    },
    { env: { CONSUL_HTTP_ADDR: own.address } },
  );
  await tree.event('started', 'other');
  await own.restart();
  await own.put('e2e/late', 'v');
  await tree.event('started', 'app');
});

test('kill -9 of the templater: it comes back; a change made meanwhile is acted on once, no change is not', async (t) => {
  await consul.put('e2e/k', '1');
  const tree = follow(t, { 'app/run': APP, 'app/templates/app.conf.hbs': template('e2e/k', 'restart') });
  await tree.event('started', 'app');
  process.kill(tree.servicePid('templater'), 'SIGKILL');
  await tree.event('started', 'templater', 2);
  await until(
    'the templater to follow again',
    () => tree.eventsOf('config changed').length === 0 && tree.control('check').code === 0,
  );
  const templater = tree.servicePid('templater');
  process.kill(templater, 'SIGSTOP');
  await consul.put('e2e/k', '2');
  process.kill(templater, 'SIGKILL');
  await tree.event('started', 'app', 2);
  await until('seen', () => tree.lines('seen').length === 2);
  assert.deepEqual(tree.lines('seen'), ['value=1', 'value=2']);
  assert.equal(tree.eventsOf('config changed', 'app').length, 1);
});

test('a template that is wrong harms no other service', async (t) => {
  await consul.put('e2e/ok', '1');
  const tree = follow(t, {
    'app/run': APP,
    'app/templates/app.conf.hbs': template('e2e/ok', 'restart'),
    'broken/run': '#!/bin/sh\nexec sleep 1000\n',
    'broken/templates/x.hbs': '{{!--\ndest: ${OUT}/x\n--}}\n{{#if}}\n',
  });
  await tree.event('started', 'app');
  await until('the reason in status', () => /broken .*templates\/x\.hbs/.test(tree.control('status').stdout));
});

test('the sample follows the agent when CONSUL_HTTP_ADDR is set', async (t) => {
  await consul.put('app/greeting', 'hello from Consul');
  const tree = startBundle(t, [SAMPLE], {
    env: { CONSUL_HTTP_ADDR: consul.address, SAMPLE_DIR: tempDir(t) },
  });
  await until('the greeting', () => tree.stdout.includes('app: hello from Consul\n'));
  await consul.put('app/greeting', 'hello again');
  await until('the new greeting', () => tree.stdout.includes('app: hello again\n'));
});
