/*
 * What PID 1 needs of Linux and Node does not offer: nine system calls as a Node-API addon. It decides nothing; what
 * each call is for, and what it returns, stands in ../native.ts.
 *
 * Freestanding: no libc and no libgcc, only system calls and the napi_* functions that the Node which loads it exports.
 * So one file of a few kB per architecture loads under glibc and musl alike, and from a version of either that is older
 * than the one of the machine that built it. build.ts compiles it; the result is committed in prebuilt/.
 */
#include <asm/errno.h>
#include <asm/fcntl.h>
#include <asm/ioctls.h>
#include <asm/poll.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <asm/unistd.h>
#include <linux/prctl.h>
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
#error "written for x86_64 and aarch64; another architecture needs its system call instruction here"
#endif
}

/*
 * Looks without touching (WNOWAIT), where waitpid(-1) would take: the exit code of a child that Node spawned belongs to
 * libuv, which waits for each of its pids by itself and never hears of one that somebody else has waited for.
 * With WNOHANG the kernel never answers EINTR, here and in reap().
 */
static long peek(void) {
  siginfo_t info;
  _Static_assert(sizeof info == 128, "the kernel's siginfo");
  info.si_pid = 0; /* kernels leave or make it 0 when no child has exited */
  long failed = syscall5(__NR_waitid, P_ALL, 0, (long)&info, WEXITED | WNOHANG | WNOWAIT, 0);
  return failed ? failed : info.si_pid;
}

static long reap(int32_t pid) {
  if (pid <= 0) return -EINVAL; /* to the kernel, any child of ours, or of a group: see peek() */
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

/* Node makes every descriptor that it was given close on exec. */
static long inheritable(int32_t fd) {
  return syscall5(__NR_fcntl, fd, F_SETFD, 0, 0, 0);
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

/* Both ends blocking, as what is executed expects of its stdout, and closed on exec: libuv hands on what is asked for. */
static long make_pipe(int32_t ends[2]) {
  return syscall5(__NR_pipe2, (long)ends, O_CLOEXEC, 0, 0, 0);
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
    {.name = "inheritable", .one = inheritable},
    {.name = "writable", .one = writable},
    {.name = "pipe", .pair = make_pipe},
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
  return exports;
}
