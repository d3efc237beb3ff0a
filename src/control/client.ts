import { connect } from 'node:net';
import { causeOf, EXIT, errno, UserError } from '../errors.ts';
import { socketCandidates } from '../os/runtime-dir.ts';
import { type Reply, type Request, VERSION } from './protocol.ts';

const ANSWER_MS = 10_000;

/**
 * Asks the running supervisor.
 * @param explicit `--socket`, or undefined to look in the usual places
 * @param untilClosed wait on, after the reply, until the supervisor is gone
 * @returns the reply's data
 * @throws UserError with the exit code that the verb is to have
 */
export async function ask(
  request: Omit<Request, 'v'>,
  explicit: string | undefined,
  untilClosed = false,
): Promise<unknown> {
  const tried: string[] = [];
  for (const path of explicit ? [explicit] : socketCandidates(process.env)) {
    try {
      return data(await exchange(path, JSON.stringify({ v: VERSION, ...request }), untilClosed));
    } catch (error) {
      const code = errno(error);
      if (error instanceof UserError) throw error;
      if (code !== 'ENOENT' && code !== 'ECONNREFUSED' && code !== 'EACCES')
        throw new UserError(`cannot talk to the supervisor at ${path}: ${causeOf(error)}`, {
          exitCode: EXIT.system,
          cause: error,
        });
      tried.push(`${path}: ${causeOf(error)}`);
    }
  }
  throw new UserError(`cannot reach a supervisor at ${tried.join(', nor at ')}`, {
    hint: 'is it running, as this user? --socket or SUPERVISE_RUNTIME_DIR must be those it was started with',
    exitCode: EXIT.system,
  });
}

function exchange(path: string, line: string, untilClosed: boolean): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(path, () => socket.write(`${line}\n`));
    socket.setEncoding('utf8');
    socket.setTimeout(ANSWER_MS, () =>
      socket.destroy(
        new UserError(`cannot get an answer from the supervisor at ${path}`, { exitCode: EXIT.timedOut }),
      ),
    );
    socket.on('data', (piece: string) => {
      text += piece;
      if (untilClosed) socket.setTimeout(0);
    });
    socket.once('error', reject);
    socket.once('close', () => resolve(text));
  });
}

function data(text: string): unknown {
  let reply: Reply;
  try {
    reply = JSON.parse(text) as Reply;
  } catch {
    throw new UserError('cannot understand the supervisor: it broke off its answer', {
      exitCode: EXIT.system,
    });
  }
  if (reply.ok) return reply.data;
  throw new UserError(reply.error, { exitCode: reply.exit, ...(reply.hint ? { hint: reply.hint } : {}) });
}
