/** The link between the tree and its templater, which may be a script of the user's. */
import fc from 'fast-check';
import { decodeOrder, decodeReport } from '../../../src/core/link.ts';
import { mutated } from '../bytes.ts';
import type { Target } from '../target.ts';

const SEEDS = [
  '{"type":"rendered","service":"app","files":[{"dest":"/a","digest":"x","onChange":"signal HUP"}],"generation":"g","canGoBack":true,"mended":false}',
  '{"type":"waiting","service":"app","missing":["key \\"a\\""],"stale":{"generation":"g","files":[]}}',
  '{"type":"source","name":"consul","awaySince":5,"cause":"gone"}',
  '{"type":"rescan"}',
  '{"type":"judgements","services":[{"service":"app","seen":null,"hold":false,"good":"g","bad":[],"actedMsAgo":1}]}',
].map((line) => Buffer.from(line));

export const link: Target<string> = {
  about: 'the lines between tree and templater',
  cases: fc.oneof(
    mutated(SEEDS).map(String),
    fc.json(),
    fc
      .record({
        type: fc.constantFrom('rendered', 'waiting', 'source', 'judgements'),
        service: fc.jsonValue(),
        files: fc.jsonValue(),
        missing: fc.jsonValue(),
        services: fc.jsonValue(),
        stale: fc.jsonValue(),
      })
      .map((value) => JSON.stringify(value)),
  ),
  async open() {
    return {
      act: async (line) => JSON.stringify([decodeReport(line), decodeOrder(line)]),
      close: async () => {},
    };
  },
};
