import { chmodSync, existsSync, lstatSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { causeOf, describe, EXIT, errno, UserError } from '../errors.ts';
import type { Log } from '../log.ts';
import { LONGEST_SOCKET_PATH, makePrivateDir, removeDir, socketCandidates } from '../os/runtime-dir.ts';
import {
  agree,
  MOST_REQUEST_BYTES,
  more,
  parseRequest,
  type Reply,
  type Request,
  refuse,
} from './protocol.ts';

/** Who sends nothing whole for this long is told so and cut off. */
const REQUEST_MS = 10_000;
/**
 * Clients that have asked nothing yet, or do not take their answer. Where there are more, the oldest go: whoever is silent, or
 * was stopped in the middle, must not keep a `check` or a `stop` out until its time is up.
 */
const MOST_IDLE = 64;
/** Whoever has just come is given this long to say what it wants, with many others that came with it. */
const MANNERS_MS = 100;
/** Of all kinds, in one moment. */
const MOST_CONNECTIONS = 256;
/** Those that wait and those that follow leave room for a `status`, and for a `stop`. */
const MOST_EXCHANGES = 48;
/** What a follower has not read yet. Beyond it, it is told that it is too slow, and let go: nobody waits for a reader. */
const MOST_UNREAD_BYTES = 262_144;

export interface ControlSocket {
  path: string;
  /** Stops listening, ends what still goes on with a last line, and takes the socket away. */
  close(): void;
}

/** The other end of a request that is not answered at once. */
export interface Client {
  /** One more line, and others may follow. A reader that is far too slow is cut off, with a last line that says so. */
  send(data: unknown): void;
  /** The same for what grows old: `get` is asked when the reader has taken what went before, and once for many calls. */
  sendLatest(get: () => unknown): void;
  /** The last line. */
  end(reply: Reply): void;
}

/**
 * What goes on after the request: gets the client and answers with what is to be done when the exchange is over, however
 * that comes: by `end`, by the client's going away, or with the tree, where the last line is `ok`.
 */
export type Exchange = (client: Client) => () => void;

/** May throw a UserError, which is the refusal. */
export type Handler = (request: Request) => Reply | Exchange;

/**
 * Opens the control socket, mode 0600.
 * @param explicit `--socket`, or undefined for the first of the usual places in which one can be made
 * @returns undefined where there is no place for one: the tree runs without control, and it was said once
 * @throws UserError (exit 100) when another supervisor answers there, or when an explicit path cannot be used
 */
export async function openControl(
  explicit: string | undefined,
  handle: Handler,
  log: Log,
): Promise<ControlSocket | undefined> {
  const failures: string[] = [];
  for (const path of explicit ? [explicit] : socketCandidates(process.env)) {
    try {
      return await listen(path, handle, log, explicit === undefined);
    } catch (error) {
      if (error instanceof UserError) throw error;
      failures.push(`${path}: ${causeOf(error)}`);
    }
  }
  if (explicit) throw new UserError(`cannot listen on ${failures[0]}`, { hint: 'choose another --socket' });
  log.warn('running without control', {
    cause: failures.join('; '),
    hint: 'set SUPERVISE_RUNTIME_DIR to a directory that can be written (a tmpfs will do)',
  });
  return undefined;
}

async function listen(
  path: string,
  handle: Handler,
  log: Log,
  ownDirectory: boolean,
): Promise<ControlSocket> {
  if (Buffer.byteLength(path) > LONGEST_SOCKET_PATH)
    throw new Error(`a socket path has at most ${LONGEST_SOCKET_PATH} bytes`);
  const directory = dirname(path);
  const made = ownDirectory && makePrivateDir(directory, Boolean(process.env['SUPERVISE_RUNTIME_DIR']));
  // To bind there would be refused as if for lack of permission.
  if (!existsSync(directory)) throw new Error(`there is no directory ${directory}`);
  if (await answers(path))
    throw new UserError(`cannot start: another supervisor answers on ${path}`, {
      hint: 'supervise stop ends it; --socket PATH lets this one run beside it',
    });
  // Nobody answers, so what may lie there is of one that died. A file that is no socket is not ours to take away.
  removeStale(path);
  const open = new Set<Client>();
  const idle = new Set<Socket>();
  const server = createServer((socket) => {
    serve(socket, handle, { open, idle }, log);
    if (idle.size > MOST_IDLE) trim ??= setTimeout(dismiss, MANNERS_MS);
  });
  let trim: NodeJS.Timeout | undefined;
  const dismiss = (): void => {
    trim = undefined;
    for (const oldest of [...idle].slice(0, -MOST_IDLE)) oldest.destroy();
  };
  server.maxConnections = MOST_CONNECTIONS;
  await bind(server, path);
  server.on('error', (error) => log.warn('lost the control socket', { cause: causeOf(error) }));
  return {
    path,
    close() {
      server.close();
      clearTimeout(trim);
      for (const client of open) client.end(agree(null));
      if (made) removeDir(directory);
    },
  };
}

/** With the mode set from the first moment on: `bind` obeys the umask and is synchronous. */
function bind(server: Server, path: string): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    const umask = process.umask(0o177);
    try {
      server.listen(path, () => {
        server.off('error', reject);
        resolve();
      });
    } finally {
      process.umask(umask);
    }
  }).then(() => {
    // A default ACL of the directory overrules the umask. What a link leads to is not ours to change.
    const stat = lstatSync(path);
    if (stat.isSocket() && (stat.mode & 0o777) !== 0o600) chmodSync(path, 0o600);
  });
}

function removeStale(path: string): void {
  try {
    // To connect to a file that is no socket is refused just as to one whose owner died.
    if (!lstatSync(path).isSocket()) throw new Error('there is a file that is no socket');
    unlinkSync(path);
  } catch (error) {
    if (errno(error) !== 'ENOENT') throw error;
  }
}

function answers(path: string): Promise<boolean> {
  if (!existsSync(path)) return Promise.resolve(false);
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error) => {
      const code = errno(error);
      if (code === 'ENOENT' || code === 'ECONNREFUSED') resolve(false);
      // A full backlog: somebody is there, if too busy to answer.
      else if (code === 'EAGAIN') resolve(true);
      else reject(error);
    });
  });
}

/** Those who wait or follow, and all others, those who came first first. */
interface Clients {
  open: Set<Client>;
  idle: Set<Socket>;
}

function serve(socket: Socket, handle: Handler, { open, idle }: Clients, log: Log): void {
  let text = '';
  idle.add(socket);
  const write = (answer: Reply): boolean => socket.write(`${JSON.stringify(answer)}\n`);
  const reply = (answer: Reply): void => {
    stopReading();
    write(answer);
    socket.end();
    // A client that takes no answer must not stay either.
    const cut = setTimeout(() => socket.destroy(), REQUEST_MS);
    socket.on('close', () => clearTimeout(cut));
  };
  const stopReading = (): void => {
    clearTimeout(timer);
    socket.removeAllListeners('data');
    // What else it says is nothing to us, but its end is.
    socket.resume();
  };
  const timer = setTimeout(() => reply(refuse('cannot read the request: it never ended')), REQUEST_MS);
  socket.setEncoding('utf8');
  socket.on('error', () => socket.destroy());
  socket.on('close', () => {
    clearTimeout(timer);
    idle.delete(socket);
  });
  socket.on('end', () => socket.end());
  socket.on('data', (piece: string) => {
    text += piece;
    const end = text.indexOf('\n');
    if (end < 0) {
      if (text.length > MOST_REQUEST_BYTES)
        reply(refuse(`cannot read the request: more than ${MOST_REQUEST_BYTES} bytes`));
      return;
    }
    const request = parseRequest(text.slice(0, end));
    if (typeof request === 'string') return reply(refuse(`cannot read the request: ${request}`));
    // Ahead of the order that would be waited for: what is refused is not done. To stop the tree is never refused for this.
    if (open.size >= MOST_EXCHANGES && (request.follow || request.until !== undefined))
      return reply(
        refuse(`cannot ${request.do}: ${MOST_EXCHANGES} others wait or follow already`, EXIT.system),
      );
    const answer = guard(request, log, () => handle(request));
    if (typeof answer !== 'function') return reply(answer);
    stopReading();
    begin(request, answer);
  });

  const begin = (request: Request, exchange: Exchange): void => {
    let isOver = false;
    let over = (): void => {};
    let latest: (() => unknown) | undefined;
    /** The first line is all that was, however long. */
    let allowance: number | undefined;
    const finish = (): void => {
      if (isOver) return;
      isOver = true;
      open.delete(client);
      if (!socket.destroyed) idle.add(socket);
      over();
    };
    const client: Client = {
      send(data) {
        if (isOver) return;
        write(more(data));
        allowance ??= MOST_UNREAD_BYTES + socket.writableLength;
        if (socket.writableLength > allowance)
          client.end(refuse(`cannot ${request.do}: you read too slowly, and were cut off here`, EXIT.system));
      },
      sendLatest(get) {
        if (isOver) return;
        if (socket.writableNeedDrain) latest = get;
        else write(more(get()));
      },
      end(last) {
        if (isOver) return;
        finish();
        reply(last);
      },
    };
    open.add(client);
    idle.delete(socket);
    socket.on('drain', () => {
      const get = latest;
      latest = undefined;
      if (get) client.sendLatest(get);
    });
    socket.on('end', finish);
    socket.on('close', finish);
    const begun = guard(request, log, () => exchange(client));
    if (typeof begun !== 'function') client.end(begun);
    else if (isOver) begun();
    else over = begun;
  };
}

/** A mistake of ours in a request is told to whoever asked, and to the log. */
function guard<T>(request: Request, log: Log, work: () => T): T | Reply {
  try {
    return work();
  } catch (error) {
    if (error instanceof UserError) return refuse(error.message, error.exitCode, error.hint);
    log.error('mishandled a request', { do: request.do, error: describe(error) });
    return refuse(`cannot ${request.do}: an error of supervise itself, see its log`, EXIT.system);
  }
}
