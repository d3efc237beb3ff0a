/*
 * What PID 1 needs of Linux and Node does not offer: some system calls, and the start of a process, as a Node-API addon.
 * It decides nothing; what each call is for, and what it returns, stands in ../native.ts.
 *
 * Freestanding: no libc and no libgcc, only system calls and the napi_* functions that the Node which loads it exports.
 * So one file of a few kB per architecture loads under glibc and musl alike, and from a version of either that is older
 * than the one of the machine that built it. build.ts compiles it; the result is committed in prebuilt/.
 */
#include <asm/errno.h>
#include <asm/ioctls.h>
#include <asm/poll.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <asm/unistd.h>
#include <linux/close_range.h>
#include <linux/fcntl.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/time_types.h>
#include <linux/wait.h>
#include <node_api.h>

#ifndef SOURCE_SHA256
#error "the digest of this file comes from build.ts, so that a test can tell a stale prebuilt from a fresh one"
#endif
__attribute__((used)) static const char source[] = "reaper.c " SOURCE_SHA256;

/* The kernel's signal set, one bit for each of 64 signals: a libc's sigset_t is 128 bytes, and refused as that. */
typedef uint64_t signal_set;
#define SET_OF(signal) ((signal_set)1 << ((signal) - 1))

/* Straight to the kernel: what comes back is the result or -errno, and no thread's errno is touched. */
static long syscall5(long number, long a, long b, long c, long d, long e) {
#if defined(__x86_64__) && defined(__LP64__)
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                   : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__) && defined(__LP64__)
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
  return x0;
#else
#error "written for x86_64 and aarch64; another architecture needs its system call instruction here and in clone_child()"
#endif
}

/* Looks without touching (WNOWAIT). With WNOHANG the kernel never answers EINTR, here and in reap(). */
static long peek(void) {
  siginfo_t info;
  _Static_assert(sizeof info == 128, "the kernel's siginfo");
  info.si_pid = 0; /* kernels leave or make it 0 when no child has exited */
  long failed = syscall5(__NR_waitid, P_ALL, 0, (long)&info, WEXITED | WNOHANG | WNOWAIT, 0);
  return failed ? failed : info.si_pid;
}

static long reap(int32_t pid) {
  if (pid <= 0) return -EINVAL; /* to the kernel, any child of ours, or of a group */
  int status = 0;
  long reaped = syscall5(__NR_wait4, pid, (long)&status, WNOHANG, 0, 0);
  return reaped > 0 ? status : reaped == 0 ? -EAGAIN : reaped;
}

static long subreaper(void) {
  return syscall5(__NR_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

static long own_group(void) {
  return syscall5(__NR_setpgid, 0, 0, 0, 0, 0);
}

/*
 * Taking the terminal back is done from a background group, which the kernel answers with a SIGTTOU that stops the
 * group; while the calling thread has that blocked, it lets the call through instead.
 */
static long foreground(int32_t fd, int32_t group) {
  signal_set blocked = SET_OF(SIGTTOU);
  signal_set before;
  long failed = syscall5(__NR_rt_sigprocmask, SIG_BLOCK, (long)&blocked, (long)&before, sizeof before, 0);
  if (failed) return failed;
  failed = syscall5(__NR_ioctl, fd, TIOCSPGRP, (long)&group, 0, 0);
  syscall5(__NR_rt_sigprocmask, SIG_SETMASK, (long)&before, 0, sizeof before, 0);
  return failed;
}

static long foreground_of(int32_t fd) {
  int32_t group = 0;
  long failed = syscall5(__NR_ioctl, fd, TIOCGPGRP, (long)&group, 0, 0);
  return failed ? failed : group;
}

/* The kernel's struct sigaction, not a libc's. Its restorer is for handlers to return through; here is none. */
static long ignore(int32_t signal) {
  struct sigaction action = {.sa_handler = SIG_IGN};
  return syscall5(__NR_rt_sigaction, signal, (long)&action, 0, sizeof(signal_set), 0);
}

/* ppoll, as aarch64 has no poll. Even with no time to wait it answers EINTR when a signal came in: ask again. */
static long writable(int32_t fd) {
  if (fd < 0) return -EBADF; /* poll passes over negative descriptors, and would answer "not now" */
  struct pollfd poll = {.fd = fd, .events = POLLOUT};
  struct __kernel_timespec at_once = {0, 0};
  long ready;
  do ready = syscall5(__NR_ppoll, (long)&poll, 1, (long)&at_once, 0, sizeof(signal_set));
  while (ready == -EINTR);
  return ready > 0 && (poll.revents & POLLNVAL) ? -EBADF : ready;
}

/* Both ends blocking, as what is executed expects of its stdout, and closed on exec but for who is given one. */
static long make_pipe(int32_t ends[2]) {
  return syscall5(__NR_pipe2, (long)ends, O_CLOEXEC, 0, 0, 0);
}

/* What a newline can be written to, and no path to it opened; otherwise as make_pipe(). */
static long make_sockets(int32_t ends[2]) {
  const long AF_UNIX = 1, SOCK_STREAM = 1;
  return syscall5(__NR_socketpair, AF_UNIX, SOCK_STREAM | O_CLOEXEC, 0, (long)ends, 0);
}

/* What a process is started with. Strings end in NUL, lists of strings in NULL. */
struct start {
  int32_t place;              /* enum place */
  int32_t uid, gid;           /* -1 for ours */
  int32_t groups_count;       /* supplementary groups, where there is a uid or gid */
  const int32_t *groups;
  int32_t fds_count;
  int32_t *fds;               /* what of ours becomes each descriptor; -1: /dev/null for 0 to 2, else nothing */
  const char *directory;      /* "" for ours */
  const char *const *files;   /* tried in turn, as execvp does */
  const char *const *arguments;
  const char *const *environment;
  int32_t report;             /* where the child says why it could not execute; closed when it has */
};
enum place { SHARED = 0, SESSION = 1, FOREGROUND = 2 };

/*
 * Another user may stop what runs as him, and a file system may hang, between the child's first step and its last: the
 * longest that we stand still for it, and how often we look whether it was stopped.
 */
enum { LONGEST_START_MS = 5000, LONGEST_END_MS = 1000, LOOK_MS = 20 };

static long place_descriptors(int32_t *fds, int32_t count) {
  /* Node sees to those that it was given up to the first gap after 15; kernels before 5.11 leave it at that. */
  syscall5(__NR_close_range, count, ~0U, CLOSE_RANGE_CLOEXEC, 0, 0);
  /* First out of the way: what stands where another one goes. */
  for (int32_t i = 0; i < count; i++) {
    if (fds[i] < 0 || fds[i] >= count || fds[i] == i) continue;
    long copy = syscall5(__NR_fcntl, fds[i], F_DUPFD_CLOEXEC, count, 0, 0);
    if (copy < 0) return copy;
    fds[i] = (int32_t)copy;
  }
  for (int32_t i = 0; i < count; i++) {
    long from = fds[i];
    if (from < 0 && i > 2) continue;
    if (from < 0) {
      from = syscall5(__NR_openat, AT_FDCWD, (long)"/dev/null", O_RDWR | O_CLOEXEC, 0, 0);
      if (from < 0) return from;
    }
    /* Each of our descriptors is closed on exec; a copy is not. */
    long failed = from == i ? syscall5(__NR_fcntl, i, F_SETFD, 0, 0, 0) : syscall5(__NR_dup3, from, i, 0, 0, 0);
    if (failed < 0) return failed;
    /* Node may have made a terminal or a pipe of ours non-blocking, which programs do not expect of their stdout. */
    long flags = i > 2 ? 0 : syscall5(__NR_fcntl, i, F_GETFL, 0, 0, 0);
    if (flags > 0 && (flags & O_NONBLOCK)) syscall5(__NR_fcntl, i, F_SETFL, flags & ~O_NONBLOCK, 0, 0);
  }
  return 0;
}

static long become_user(const struct start *start) {
  if (start->uid < 0 && start->gid < 0) return 0;
  long failed = syscall5(__NR_setgroups, start->groups_count, (long)start->groups, 0, 0, 0);
  if (failed && start->groups_count > 0) return failed;
  if (start->gid >= 0) failed = syscall5(__NR_setgid, start->gid, 0, 0, 0, 0);
  if (!failed && start->uid >= 0) failed = syscall5(__NR_setuid, start->uid, 0, 0, 0, 0);
  return failed;
}

static long prepare(const struct start *start) {
  /* What is caught must not run in the child, which may share our memory; what is ignored would stay so in the program. */
  struct sigaction by_default = {.sa_handler = SIG_DFL};
  for (int32_t signal = 1; signal <= 64; signal++)
    syscall5(__NR_rt_sigaction, signal, (long)&by_default, 0, sizeof(signal_set), 0);

  if (start->place == SESSION) syscall5(__NR_setsid, 0, 0, 0, 0, 0);
  if (start->place == FOREGROUND) {
    own_group();
    foreground(0, (int32_t)syscall5(__NR_getpid, 0, 0, 0, 0, 0));
  }
  long failed = place_descriptors(start->fds, start->fds_count);
  if (!failed && start->directory[0]) failed = syscall5(__NR_chdir, (long)start->directory, 0, 0, 0, 0);
  if (!failed) failed = become_user(start);
  signal_set none = 0;
  if (!failed) syscall5(__NR_rt_sigprocmask, SIG_SETMASK, (long)&none, 0, sizeof none, 0);
  return failed;
}

/* execvp's rules: on to the next where there is none, EACCES kept in mind, anything else is the answer. */
static long execute(const struct start *start) {
  long last = -ENOENT, denied = 0;
  for (const char *const *file = start->files; *file; file++) {
    last = syscall5(__NR_execve, (long)*file, (long)start->arguments, (long)start->environment, 0, 0);
    if (last == -EACCES) denied = last;
    else if (last != -ENOENT && last != -ENOTDIR) return last;
  }
  return denied ? denied : last;
}

__attribute__((noreturn, used)) static void child(struct start *start) {
  /* Out of the way of the descriptors that are placed. */
  long report = syscall5(__NR_fcntl, start->report, F_DUPFD_CLOEXEC, start->fds_count, 0, 0);
  long failed = report < 0 ? report : prepare(start);
  if (!failed) failed = execute(start);
  int32_t error = (int32_t)-failed;
  syscall5(__NR_write, report < 0 ? start->report : report, (long)&error, sizeof error, 0, 0);
  for (;;) syscall5(__NR_exit_group, 127, 0, 0, 0, 0);
}

/* A clone that goes on in child(), on a stack of its own: on ours it would write over what we still need. */
static long clone_child(long flags, struct start *start) {
  static char stack[16384] __attribute__((aligned(16)));
  char *top = stack + sizeof stack;
  void (*enter)(struct start *) = child;
#if defined(__x86_64__)
  register void *r9 __asm__("r9") = (void *)enter;
  register void *r12 __asm__("r12") = start;
  register long r10 __asm__("r10") = 0;
  register long r8 __asm__("r8") = 0;
  long result;
  __asm__ volatile("syscall\n\t"
                   "test %%rax, %%rax\n\t"
                   "jnz 1f\n\t"
                   "xor %%ebp, %%ebp\n\t"
                   "mov %%r12, %%rdi\n\t"
                   "call *%%r9\n"
                   "1:"
                   : "=a"(result)
                   : "a"((long)__NR_clone), "D"(flags), "S"(top), "d"(0L), "r"(r10), "r"(r8), "r"(r9), "r"(r12)
                   : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long x8 __asm__("x8") = __NR_clone;
  register long x0 __asm__("x0") = flags;
  register void *x1 __asm__("x1") = top;
  register long x2 __asm__("x2") = 0;
  register long x3 __asm__("x3") = 0;
  register long x4 __asm__("x4") = 0;
  register void *x5 __asm__("x5") = (void *)enter;
  register void *x6 __asm__("x6") = start;
  __asm__ volatile("svc #0\n\t"
                   "cbnz x0, 1f\n\t"
                   "mov x29, xzr\n\t"
                   "mov x0, x6\n\t"
                   "blr x5\n"
                   "1:"
                   : "+r"(x0)
                   : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5), "r"(x6)
                   : "memory", "x30");
  return x0;
#endif
}

static bool is_stopped(long pid) {
  siginfo_t info;
  info.si_pid = 0;
  return syscall5(__NR_waitid, P_PID, pid, (long)&info, WSTOPPED | WNOHANG | WNOWAIT, 0) == 0 && info.si_pid != 0;
}

/* Waits for what can be read, or for LOOK_MS: 1, 0 or -EINTR. */
static long look(int32_t fd) {
  struct pollfd poll = {.fd = fd, .events = POLLIN};
  struct __kernel_timespec at_most = {0, LOOK_MS * 1000000};
  return syscall5(__NR_ppoll, (long)&poll, 1, (long)&at_most, 0, sizeof(signal_set));
}

/* Waits until the child has executed, or says why not. One that does neither is killed. */
static long await_execution(long pid, int32_t report) {
  for (int32_t waited = 0; waited < LONGEST_START_MS; waited += LOOK_MS) {
    long ready;
    do ready = look(report);
    while (ready == -EINTR);
    if (ready != 0) {
      int32_t error = 0;
      long got;
      do got = syscall5(__NR_read, report, (long)&error, sizeof error, 0, 0);
      while (got == -EINTR);
      if (got != sizeof error) return pid;
      while (syscall5(__NR_wait4, pid, 0, 0, 0, 0) == -EINTR) continue;
      return -error;
    }
    if (is_stopped(pid)) break;
  }
  syscall5(__NR_kill, pid, SIGKILL, 0, 0, 0);
  /* The next child gets its stack. One that is stuck in the kernel even so has no more use for it, and is reaped one day. */
  for (int32_t waited = 0; waited < LONGEST_END_MS; waited += LOOK_MS) {
    if (syscall5(__NR_wait4, pid, 0, WNOHANG, 0, 0) != 0) break;
    look(-1);
  }
  return -ETIMEDOUT;
}

/*
 * Starts a process: its pid, or why there is none. Without a copy of our memory's tables (CLONE_VM), which costs a process
 * of Node's size more than all the rest; we stand still until it has executed. Not by CLONE_VFORK, in which nothing
 * but the child's own end or SIGKILL would wake us: whoever may stop the child would stop us. One that takes another
 * user's rights gets a copy: for that moment, that user may do to it what must not be done to our memory.
 */
static long start_process(struct start *start) {
  int32_t ends[2];
  long failed = make_pipe(ends);
  if (failed) return failed;
  start->report = ends[1];
  bool other = start->uid >= 0 || start->gid >= 0;
  signal_set all = ~(signal_set)0;
  signal_set before;
  syscall5(__NR_rt_sigprocmask, SIG_SETMASK, (long)&all, (long)&before, sizeof before, 0);
  long pid = other ? -EINVAL : clone_child(CLONE_VM | SIGCHLD, start);
  /* Emulators refuse a memory that is shared by what is no thread. */
  if (pid == -EINVAL) pid = clone_child(SIGCHLD, start);
  syscall5(__NR_rt_sigprocmask, SIG_SETMASK, (long)&before, 0, sizeof before, 0);
  syscall5(__NR_close, ends[1], 0, 0, 0, 0);
  if (pid > 0) pid = await_execution(pid, ends[0]);
  syscall5(__NR_close, ends[0], 0, 0, 0, 0);
  return pid;
}

/* An export: its name, and the function under its number of arguments, or under what it returns when it succeeds. */
struct operation {
  const char *name;
  long (*none)(void);
  long (*one)(int32_t);
  long (*two)(int32_t, int32_t);
  long (*pair)(int32_t[2]);
};

static const struct operation operations[] = {
    {.name = "peek", .none = peek},
    {.name = "reap", .one = reap},
    {.name = "subreaper", .none = subreaper},
    {.name = "ownGroup", .none = own_group},
    {.name = "foreground", .two = foreground},
    {.name = "foregroundOf", .one = foreground_of},
    {.name = "ignore", .one = ignore},
    {.name = "writable", .one = writable},
    {.name = "pipe", .pair = make_pipe},
    {.name = "sockets", .pair = make_sockets},
};

static bool is_number(napi_env env, napi_value value, int32_t *number) {
  return napi_get_value_int32(env, value, number) == napi_ok;
}

static napi_value array_of(napi_env env, const int32_t pair[2]) {
  napi_value array = NULL;
  if (napi_create_array_with_length(env, 2, &array) != napi_ok) return NULL;
  for (uint32_t i = 0; i < 2; i++) {
    napi_value number;
    if (napi_create_int32(env, pair[i], &number) != napi_ok) return NULL;
    if (napi_set_element(env, array, i, number) != napi_ok) return NULL;
  }
  return array;
}

/* Every export comes in here. An argument that is missing or no number is EINVAL, like any other the kernel refuses. */
static napi_value call(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  size_t count = 2; /* Node fills what was not given with undefined */
  void *data;
  if (napi_get_cb_info(env, info, &count, arguments, NULL, &data) != napi_ok) return NULL;

  const struct operation *operation = data;
  int32_t a, b;
  int32_t pair[2];
  long result = -EINVAL;
  if (operation->pair) {
    result = operation->pair(pair);
    if (result == 0) return array_of(env, pair);
  } else if (operation->none)
    result = operation->none();
  else if (operation->one && is_number(env, arguments[0], &a))
    result = operation->one(a);
  else if (operation->two && is_number(env, arguments[0], &a) && is_number(env, arguments[1], &b))
    result = operation->two(a, b);

  napi_value number = NULL;
  napi_create_int32(env, (int32_t)result, &number);
  return number;
}

/* The typed array's elements, and how many there are. */
static void *elements(napi_env env, napi_value array, napi_typedarray_type wanted, size_t *count) {
  napi_typedarray_type type;
  void *data;
  bool fits = napi_get_typedarray_info(env, array, &type, count, &data, NULL, NULL) == napi_ok && type == wanted;
  return fits ? data : NULL;
}

/* Takes count strings off the block, puts their addresses and a NULL into the list. NULL when one of them runs out. */
static const char *const *strings(const char **from, const char *end, const char ***list, const char **last, int32_t count) {
  const char **first = *list;
  if (count < 0 || count >= last - first) return NULL;
  for (int32_t i = 0; i < count; i++) {
    *(*list)++ = *from;
    while (*from < end && **from) ++*from;
    if (*from == end) return NULL;
    ++*from;
  }
  *(*list)++ = NULL;
  return first;
}

/*
 * spawn(numbers, strings, room): numbers are place, uid, gid, the counts of files, arguments, variables, groups and
 * descriptors, then the groups and the descriptors; strings the directory, files, arguments and variables, each with its
 * NUL; room holds the addresses of all of these and of four NULLs.
 */
static long spawn(napi_env env, napi_value given[3]) {
  enum { PLACE, UID, GID, FILES, ARGUMENTS, VARIABLES, GROUPS, DESCRIPTORS, FIRST };
  size_t numbers_count, bytes, room;
  int32_t *numbers = elements(env, given[0], napi_int32_array, &numbers_count);
  const char *text = elements(env, given[1], napi_uint8_array, &bytes);
  const char **list = elements(env, given[2], napi_biguint64_array, &room);
  if (!numbers || !text || !list || numbers_count < FIRST) return -EINVAL;
  int32_t groups = numbers[GROUPS], fds = numbers[DESCRIPTORS];
  if (groups < 0 || fds < 0 || (size_t)FIRST + groups + fds != numbers_count) return -EINVAL;

  const char *end = text + bytes;
  const char **last = list + room;
  const char *const *directory = strings(&text, end, &list, last, 1);
  const char *const *files = directory ? strings(&text, end, &list, last, numbers[FILES]) : NULL;
  const char *const *arguments = files ? strings(&text, end, &list, last, numbers[ARGUMENTS]) : NULL;
  const char *const *environment = arguments ? strings(&text, end, &list, last, numbers[VARIABLES]) : NULL;
  if (!environment || text != end) return -EINVAL; /* a NUL within one of them, too */
  struct start start = {
      .place = numbers[PLACE],
      .uid = numbers[UID],
      .gid = numbers[GID],
      .groups_count = groups,
      .groups = numbers + FIRST,
      .fds_count = fds,
      .fds = numbers + FIRST + groups,
      .directory = *directory,
      .files = files,
      .arguments = arguments,
      .environment = environment,
  };
  return start_process(&start);
}

static napi_value call_spawn(napi_env env, napi_callback_info info) {
  napi_value given[3];
  size_t count = 3;
  if (napi_get_cb_info(env, info, &count, given, NULL, NULL) != napi_ok) return NULL;
  napi_value number = NULL;
  napi_create_int32(env, (int32_t)spawn(env, given), &number);
  return number;
}

NAPI_MODULE_INIT() {
  for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
    napi_property_descriptor property = {
        .utf8name = operations[i].name,
        .method = call,
        .attributes = napi_enumerable,
        .data = (void *)&operations[i],
    };
    if (napi_define_properties(env, exports, 1, &property) != napi_ok) return NULL;
  }
  napi_property_descriptor property = {.utf8name = "spawn", .method = call_spawn, .attributes = napi_enumerable};
  if (napi_define_properties(env, exports, 1, &property) != napi_ok) return NULL;
  return exports;
}
