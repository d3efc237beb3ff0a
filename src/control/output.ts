import { isUtf8 } from 'node:buffer';
import { EXIT, UserError } from '../errors.ts';
import type { Tail } from '../output/tail.ts';
import type { Tree } from '../tree.ts';
import { agree, type OutputRecord } from './protocol.ts';
import type { Handler } from './server.ts';

/**
 * What services wrote last, and with `follow` what they write from now on.
 * @throws UserError where the output of one is not captured
 */
export function tellOutput(tree: Tree, services: readonly string[], follow: boolean): ReturnType<Handler> {
  if (services.length === 0) throw new UserError('cannot show logs: expected the name of a service');
  const tails = [...new Set(services)].map((name) => ({ name, tail: tailOf(tree, name) }));
  const past = tails.map(({ name, tail }) => record(name, tail.lines()));
  if (!follow) return agree(past);
  return (client) => {
    client.send(past);
    const stops = tails.map(({ name, tail }) => tail.follow((bytes) => client.send([record(name, bytes)])));
    return () => {
      for (const stop of stops) stop();
    };
  };
}

function tailOf(tree: Tree, name: string): Tail {
  const { output } = tree.find(name);
  if (output) return output.tail;
  throw new UserError(`cannot show the logs of "${name}": its output is not captured`, {
    hint: 'start supervise with --capture or --log-prefix (SUPERVISE_CAPTURE=1, SUPERVISE_LOG_PREFIX=1)',
    exitCode: EXIT.no,
  });
}

function record(service: string, bytes: Buffer): OutputRecord {
  const text = bytes.toString('utf8');
  return isUtf8(bytes) ? { service, text } : { service, text, base64: bytes.toString('base64') };
}
