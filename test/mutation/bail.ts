/** Loaded ahead of the tests of a mutant: the first that fails ends them all, and all of them throw the same dice. */
import { afterEach } from 'node:test';
import fc from 'fast-check';

fc.configureGlobal({ seed: 42, endOnFailure: true });
afterEach((context) => {
  if ('passed' in context && !context.passed) process.exit(1);
});
