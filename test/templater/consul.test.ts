/* biome-ignore-all lint/suspicious/noTemplateCurlyInString: it is what templates are written with */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type ConsulAgent, startConsul } from '../consul.ts';
import { type Fault, startFaultProxy } from '../fault-proxy.ts';
import { until } from '../tree.ts';
import { hbs, startTemplater } from './template.ts';

let consul: ConsulAgent;
before(async () => {
  consul = await startConsul();
});
after(() => consul.stop());

const DEST = '${OUT}/app.conf';

test('a put changes the file and is reported; the same value again does nothing', async (t) => {
  await consul.put('one/rate', '10');
  const run = startTemplater(
    t,
    { 'app/templates/a.hbs': hbs({ dest: DEST, 'on-change': 'reload' }, 'rate={{key "one/rate"}}\n') },
    { env: { CONSUL_HTTP_ADDR: consul.address } },
  );
  await run.file('out/app.conf', 'rate=10\n');
  const first = await run.report('rendered');
  assert.equal(first.service, 'app');
  assert.equal(first.files[0]?.onChange, 'reload');
  await consul.put('one/rate', '20');
  await run.file('out/app.conf', 'rate=20\n');
  const second = await run.report('rendered', 2);
  assert.notEqual(second.files[0]?.digest, first.files[0]?.digest);
  await consul.put('one/rate', '20');
  // A later change is the proof that the same value in between has been looked at and led to nothing.
  await consul.put('one/rate', '30');
  await run.report('rendered', 3);
  await run.file('out/app.conf', 'rate=30\n');
  assert.equal(run.count('rendered'), 3);
  assert.equal(run.events.filter(({ msg }) => msg === 'rendered').length, 3);
  run.kill('SIGTERM');
  assert.equal(await run.ended, 0);
});

test('a Consul that was killed and comes back empty changes nothing, and a new value is seen within 2 s', async (t) => {
  const own = await startConsul();
  t.after(() => own.stop());
  await own.put('app/rate', '10');
  await own.put('app/peers/a', '1');
  const body =
    '{{key "app/rate"}} {{key "app/none" default="none"}} {{keyExists "app/rate"}} {{#each (ls "app/peers")}}{{Key}}={{Value}}{{/each}}\n';
  const run = startTemplater(
    t,
    { 'app/templates/a.hbs': hbs({ dest: DEST }, body) },
    { env: { CONSUL_HTTP_ADDR: own.address } },
  );
  await run.file('out/app.conf', '10 none true a=1\n');
  await own.kill();
  const away = await run.event('lost consul');
  assert.match(String(away['cause']), /ECONN/);
  await own.restart();
  await until('both to be kept', () => {
    const kept = run.events.filter(({ msg }) => msg === 'kept the last value');
    return kept.reduce((sum, { others }) => sum + 1 + Number(others ?? 0), 0) === 2;
  });
  assert.equal(run.read('out/app.conf'), '10 none true a=1\n');
  const began = performance.now();
  await own.put('app/rate', '11');
  await run.file('out/app.conf', '11 none true a=1\n');
  assert.ok(performance.now() - began < 2000, `took ${performance.now() - began} ms`);
  assert.equal(run.reports.findLast((each) => each.type === 'source')?.awaySince, null);
  assert.equal(run.events.filter(({ msg }) => msg === 'lost consul').length, 1, 'bad news is said once');
  await run.report('rendered', 2);
  assert.equal(run.count('rendered'), 2);
});

test('changes that come together are one report', async (t) => {
  await consul.put('storm/n', '0');
  const run = startTemplater(
    t,
    { 'app/templates/a.hbs': hbs({ dest: DEST }, '{{key "storm/n"}}') },
    { env: { CONSUL_HTTP_ADDR: consul.address, SUPERVISE_WAIT: '1s:60s' } },
  );
  await run.file('out/app.conf', '0');
  for (let n = 1; n <= 100; n++) await consul.put('storm/n', String(n));
  await run.file('out/app.conf', '100');
  await run.report('rendered', 2);
  assert.equal(run.count('rendered'), 2);
});

test('a key that does not exist yet is seen soon, however much is written elsewhere', async (t) => {
  const run = startTemplater(
    t,
    { 'app/templates/a.hbs': hbs({ dest: DEST }, '{{key "late/key"}}') },
    { env: { CONSUL_HTTP_ADDR: consul.address } },
  );
  await until('the missing key', () =>
    run.reports.some((each) => each.type === 'waiting' && each.missing[0] === 'key "late/key"'),
  );
  for (let n = 1; n <= 200; n++) await consul.put('elsewhere', String(n));
  const began = performance.now();
  await consul.put('late/key', 'here');
  await run.file('out/app.conf', 'here');
  assert.ok(performance.now() - began < 2000, `took ${performance.now() - began} ms`);
});

test('a value that is no text keeps the last file and harms no other; a good one mends it', async (t) => {
  await consul.put('bin/a', 'text');
  await consul.put('bin/b', '1');
  const run = startTemplater(
    t,
    {
      'one/templates/a.hbs': hbs({ dest: '${OUT}/one' }, '{{key "bin/a"}}'),
      'two/templates/b.hbs': hbs({ dest: '${OUT}/two' }, '{{key "bin/b"}}'),
    },
    { env: { CONSUL_HTTP_ADDR: consul.address } },
  );
  await run.file('out/one', 'text');
  await consul.put('bin/a', Buffer.from([0xff, 0xfe, 0x00]));
  const failed = await run.event('could not render');
  assert.match(
    String(failed['cause']),
    /^cannot render .*one\/templates\/a.hbs: key: the value of key "bin\/a" is not text/,
  );
  await consul.put('bin/b', '2');
  await run.file('out/two', '2');
  assert.equal(run.read('out/one'), 'text');
  await consul.put('bin/a', 'text again');
  await run.file('out/one', 'text again');
});

test('services: instances come and go, but the list never becomes empty', async (t) => {
  const body =
    '{{#each (service "web")}}{{Address}}:{{Port}}\n{{/each}}{{#each (tree "svc" min=0)}}{{Key}}\n{{/each}}';
  await consul.register({ name: 'web', id: 'w1', address: '10.0.0.1', port: 80 });
  await consul.put('svc/a', '1');
  const run = startTemplater(
    t,
    { 'app/templates/a.hbs': hbs({ dest: DEST }, body.replaceAll('\\n', '\n')) },
    { env: { CONSUL_HTTP_ADDR: consul.address } },
  );
  await run.file('out/app.conf', '10.0.0.1:80\na\n');
  await consul.register({ name: 'web', id: 'w2', address: '10.0.0.2', port: 81 });
  await run.file('out/app.conf', '10.0.0.1:80\n10.0.0.2:81\na\n');
  await consul.deregister('w1');
  await run.file('out/app.conf', '10.0.0.2:81\na\n');
  await consul.deregister('w2');
  await run.event('kept the last value');
  await consul.delete('svc/a');
  await run.file('out/app.conf', '10.0.0.2:81\n');
});

test('through a network that fails in every way, the file is always one that Consul held', async (t) => {
  await consul.put('net/a', '0');
  const proxy = await startFaultProxy(consul.address);
  t.after(() => proxy.close());
  const run = startTemplater(
    t,
    { 'app/templates/a.hbs': hbs({ dest: DEST }, '{{key "net/a"}}') },
    { env: { CONSUL_HTTP_ADDR: proxy.address } },
  );
  await run.file('out/app.conf', '0');
  const faults: Fault[] = [
    { type: 'status', status: 500, body: 'No cluster leader' },
    { type: 'status', status: 503 },
    { type: 'status', status: 429 },
    { type: 'status', status: 403, body: 'Permission denied' },
    { type: 'cut' },
    { type: 'body', body: '[]' },
    { type: 'headers', headers: { 'x-consul-knownleader': 'false' } },
    { type: 'headers', headers: { 'x-consul-results-filtered-by-acls': 'true' } },
  ];
  let n = 0;
  for (const fault of faults) {
    const before = proxy.requests.length;
    proxy.fault(fault);
    await consul.put('net/a', String(++n));
    await until('two tries', () => proxy.requests.length >= before + 2);
    assert.equal(run.read('out/app.conf'), String(n - 1), JSON.stringify(fault));
    proxy.fault({ type: 'none' });
    await run.file('out/app.conf', String(n));
  }
  await run.report('rendered', faults.length + 1);
  assert.equal(run.count('rendered'), faults.length + 1);
});
