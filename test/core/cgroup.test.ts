import assert from 'node:assert/strict';
import { test } from 'node:test';
import { oomCounters, parseOomKills } from '../../src/core/cgroup.ts';

const V2 = '30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate';
const V1 = (root: string): string =>
  `36 29 0:31 ${root} /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n37 29 0:32 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu`;

const rows: [string, string, string, string[]][] = [
  ['v2', '0::/system.slice/x.service\n', V2, ['/sys/fs/cgroup/system.slice/x.service/memory.events']],
  ['v2, a namespace of its own', '0::/\n', V2, ['/sys/fs/cgroup/memory.events']],
  [
    'v2, of which a part is mounted',
    '0::/docker/abc/own\n',
    V2.replace(' / ', ' /docker/abc '),
    ['/sys/fs/cgroup/own/memory.events'],
  ],
  [
    'v2, mounted below where we are named',
    '0::/\n',
    V2.replace(' / ', ' /docker/abc '),
    ['/sys/fs/cgroup/memory.events'],
  ],
  [
    'v1, as Docker mounts it',
    '5:memory:/docker/abc\n4:cpu:/docker/abc\n',
    V1('/docker/abc'),
    ['/sys/fs/cgroup/memory/memory.oom_control'],
  ],
  [
    'both, and the old one counts memory',
    '4:cpu,memory:/a\n0::/\n',
    `${V1('/')}\n31 23 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw`,
    ['/sys/fs/cgroup/memory/a/memory.oom_control', '/sys/fs/cgroup/unified/memory.events'],
  ],
  [
    'a name that only begins alike is another',
    '0::/docker/abcdef\n',
    V2.replace(' / ', ' /docker/abc '),
    ['/sys/fs/cgroup/memory.events'],
  ],
  [
    'a mount with a blank',
    '0::/\n',
    V2.replace('/sys/fs/cgroup', '/my\\040groups'),
    ['/my groups/memory.events'],
  ],
  ['a line that is none', 'x5:memory:/a\n0::/b\n', `${V1('/')}\n${V2}`, ['/sys/fs/cgroup/b/memory.events']],
  ['a mount that is cut', '0::/\n', '30 23 0:26 /\n30 23 - cgroup2 x rw\n30 23 0:26 / - cgroup2 x rw', []],
  ['none mounted', '0::/\n', '22 1 0:20 / /proc rw - proc proc rw', []],
  ['nothing to read', '', '', []],
];
for (const [name, cgroup, mounts, files] of rows)
  test(name, () => assert.deepEqual(oomCounters(cgroup, mounts), files));

test('the counter of both versions', () => {
  assert.equal(parseOomKills('low 0\nhigh 0\nmax 4\noom 4\noom_kill 3\noom_group_kill 0\n'), 3);
  assert.equal(parseOomKills('oom_kill_disable 0\nunder_oom 0\noom_kill 12\n'), 12);
  assert.equal(parseOomKills('oom_kill_disable 0\nunder_oom 0\n'), undefined, 'a kernel before 4.13');
  for (const text of ['', 'not_oom_kill 3\n', 'oom_kill 3 more\n', 'oom_kill x\n'])
    assert.equal(parseOomKills(text), undefined, text);
});
