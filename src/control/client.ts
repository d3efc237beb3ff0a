import { statSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { causeOf, EXIT, errno, UserError } from '../errors.ts';
import { socketCandidates, whyUntrusted } from '../os/runtime-dir.ts';
import { type Reply, type Request, VERSION } from './protocol.ts';

/** For the first line of an answer; those after it come when there is something to tell. */
const ANSWER_MS = 10_000;

/**
 * Asks the running supervisor.
 * @param explicit `--socket`, or undefined to look in the usual places
 * @param onMore called with the data of each line that has others after it; answers whether anybody wants more
 * @returns the last line's data; undefined when `onMore` wanted no more
 * @throws UserError with the exit code that the verb is to have
 */
export async function ask(
  request: Omit<Request, 'v'>,
  explicit: string | undefined,
  onMore: (data: unknown) => boolean = () => true,
): Promise<unknown> {
  const mayBeAnybodys = !explicit && !process.env['SUPERVISE_RUNTIME_DIR'];
  const tried: { path: string; code: string; cause: string }[] = [];
  for (const path of explicit ? [explicit] : socketCandidates(process.env)) {
    const distrust = mayBeAnybodys ? whyUntrusted(dirname(path)) : undefined;
    if (distrust !== undefined) {
      tried.push({ path, code: '', cause: distrust });
      continue;
    }
    try {
      return await exchange(path, JSON.stringify({ v: VERSION, ...request }), onMore);
    } catch (error) {
      const code = errno(error);
      if (error instanceof UserError) throw error;
      if (code !== 'ENOENT' && code !== 'ENOTDIR' && code !== 'ECONNREFUSED' && code !== 'EACCES')
        throw new UserError(`cannot talk to the supervisor at ${path}: ${causeOf(error)}`, {
          exitCode: EXIT.system,
          cause: error,
        });
      tried.push({ path, code, cause: causeOf(error) });
    }
  }
  throw unreachable(tried);
}

/** Nobody there is one thing, somebody whom we may not ask another. */
function unreachable(tried: readonly { path: string; code: string; cause: string }[]): UserError {
  const denied = tried.find(({ code }) => code === 'EACCES');
  if (denied) {
    const owner = ownerOf(denied.path);
    return new UserError(`cannot ask the supervisor at ${denied.path}: ${denied.cause}`, {
      hint: `run this as ${owner === undefined ? 'the user whom it runs as' : `its user (uid ${owner})`}, or as root`,
      exitCode: EXIT.system,
    });
  }
  const places = tried.map(({ path, cause }) => `${path}: ${cause}`).join(', nor at ');
  return new UserError(`cannot reach a supervisor at ${places}`, {
    hint: 'is it running? --socket or SUPERVISE_RUNTIME_DIR must be those it was started with',
    exitCode: EXIT.system,
  });
}

function ownerOf(path: string): number | undefined {
  for (const each of [path, dirname(path)]) {
    try {
      return statSync(each).uid;
    } catch {
      // A directory that we may not enter; its own owner tells as much.
    }
  }
  return undefined;
}

function exchange(path: string, line: string, onMore: (data: unknown) => boolean): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const decoder = new StringDecoder('utf8');
    let pieces: string[] = [];
    let isAnswered = false;
    const socket = connect(path, () => socket.write(`${line}\n`));
    const settle = (error: unknown, data?: unknown): void => {
      if (error) reject(error);
      else resolve(data);
      socket.destroy();
    };
    const take = (text: string): void => {
      const reply = parse(text);
      isAnswered = true;
      socket.setTimeout(0);
      if (!reply) settle(brokenOff());
      else if (!reply.ok) settle(new UserError(reply.error, { exitCode: reply.exit, hint: reply.hint }));
      else if (!reply.more) settle(undefined, reply.data);
      else if (!onMore(reply.data)) settle(undefined);
    };
    socket.setTimeout(ANSWER_MS, () =>
      settle(
        new UserError(`cannot get an answer from the supervisor at ${path}`, { exitCode: EXIT.timedOut }),
      ),
    );
    socket.on('data', (bytes: Buffer) => {
      const lines = decoder.write(bytes).split('\n');
      for (const [i, piece] of lines.entries()) {
        pieces.push(piece);
        if (i === lines.length - 1 || socket.destroyed) break;
        const text = pieces.join('');
        pieces = [];
        take(text);
      }
    });
    socket.once('error', settle);
    // Where a last line came, this is too late to matter.
    socket.once('close', () =>
      settle(isAnswered || pieces.some((piece) => piece !== '') ? brokenOff() : turnedAway(path)),
    );
  });
}

function parse(line: string): Reply | undefined {
  try {
    return JSON.parse(line) as Reply;
  } catch {
    return undefined;
  }
}

function brokenOff(): UserError {
  return new UserError('cannot understand the supervisor: it broke off its answer', {
    exitCode: EXIT.system,
  });
}

function turnedAway(path: string): UserError {
  return new UserError(`cannot get an answer from the supervisor at ${path}: it closed the connection`, {
    hint: 'it has too many clients, or has just ended',
    exitCode: EXIT.system,
  });
}
