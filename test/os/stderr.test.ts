/** Our log's way out. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lineSink } from '../../src/os/stderr.ts';

test('a way out that has something to say in the middle of a write: it goes behind, and each line goes out once', () => {
  const written: string[] = [];
  let isNews = true;
  const sink = lineSink({
    takes: () => true,
    write(bytes) {
      if (isNews) {
        isNews = false;
        sink.write('lost the way out\n');
      }
      written.push(bytes.toString());
      return bytes.length;
    },
  });
  sink.write('one\n');
  sink.write('two\n');
  assert.deepEqual(written, ['one\n', 'lost the way out\n', 'two\n']);
});
