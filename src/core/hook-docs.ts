/** What the hooks of a tree are given; `supervise help hooks` and a test are drawn from it. */
export const HOOKS: Readonly<
  Record<string, { when: string; args: readonly string[]; env: Readonly<Record<string, string>> }>
> = {
  crash: {
    when: 'after each crash of a service: an end nobody asked for that was not exit 0',
    args: [
      'service; supervise itself, where it survived a mistake of its own',
      'exit code, 256 if a signal ended it',
      'signal number, else 0',
      'crashes in a row',
    ],
    env: {
      SUPERVISE_REASON: 'in words: exit 3, SIGKILL, timeout-up, cannot execute …',
      SUPERVISE_RAN_MS: 'how long it ran, in ms',
      SUPERVISE_NEXT:
        'what follows: restart, failed, stop (the tree), or down (started once, or told to stop meanwhile)',
      SUPERVISE_DELAY_MS: 'when it is restarted, in ms; else 0',
      SUPERVISE_LOG_TAIL:
        'a file with the last 64 KiB of its output, gone with the hook; only with --log-prefix or --capture',
      SUPERVISE_CONFIG:
        'what is known of its config: unproven, settling, good, bad or recovering; only where it has templates',
      SUPERVISE_GENERATION: 'which config that is; only where it has templates',
    },
  },
  finish: {
    when: 'once, last, when every service is down; its non-zero exit code becomes ours',
    args: [
      'why the tree stopped: signal, essential, command or stop',
      'the exit code so far',
      'who: the service, (command), the signal, or nothing',
    ],
    env: {},
  },
  'SIGHUP, SIGUSR1 …': {
    when: 'instead of what that signal does. A SIGTERM or SIGINT hook that fails, or the same signal once more while it runs, stops the tree all the same',
    args: [],
    env: {},
  },
};
