/** Stands in for `node:test` where a mutant is held against the tests of core: all run at once, and the first failure ends them. */
export function test(_name: string, body: () => void): void {
  const promised: unknown = body();
  if (promised instanceof Promise) throw new TypeError('tests of core wait for nothing');
}

export const describe = test;
