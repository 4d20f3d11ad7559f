/*
 * The gate: what an image container of netcompose starts with, in front of its own program.
 *
 * It asks at a socket whether the container's network is in place, waits until the answer is yes, and becomes the
 * program. Nothing of the user's runs before that, at the first start as at every later one, whoever causes it. While
 * nobody answers it asks again: a gatekeeper that is not there (yet) means waiting, never an unwired program.
 *
 * Static, without a C library: images have any or none. Built by build.py into agent/runtimes/gatebinary.py.
 */

#include <stddef.h>

#define AF_UNIX 1
#define SOCK_STREAM 1
#define SOCK_CLOEXEC 02000000
#define ENOENT 2
#define ENOTDIR 20
#define EACCES 13
#define EINTR 4
#define PATH_MAX 4096

static const char gatekeeper[] = "/.netcompose/socket";
static const char usual_path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

#if defined(__x86_64__)
enum { READ = 0, WRITE = 1, CLOSE = 3, SIGACTION = 13, NANOSLEEP = 35, SOCKET = 41, CONNECT = 42, EXECVE = 59,
       EXIT_GROUP = 231 };
static long call(long number, long a, long b, long c, long d)
{
    register long r10 __asm__("r10") = d;
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
                     : "rcx", "r11", "memory");
    return result;
}
__asm__(".globl _start\n_start:\n xor %ebp,%ebp\n mov %rsp,%rdi\n and $-16,%rsp\n call begin\n");
#elif defined(__aarch64__)
enum { READ = 63, WRITE = 64, CLOSE = 57, SIGACTION = 134, NANOSLEEP = 101, SOCKET = 198, CONNECT = 203,
       EXECVE = 221, EXIT_GROUP = 94 };
static long call(long number, long a, long b, long c, long d)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
    return x0;
}
__asm__(".globl _start\n_start:\n mov x29,#0\n mov x30,#0\n mov x0,sp\n bl begin\n");
#else
#error "no system calls for this architecture"
#endif

#define CALL(number, a, b, c) call(number, (long)(a), (long)(b), (long)(c), 0)

static void leave(int status)
{
    for (;;)
        CALL(EXIT_GROUP, status, 0, 0);
}

/* As process 1 the kernel would spare it from signals that it does not handle (pid_namespaces(7)). */
static void stopped(int number)
{
    leave(128 + number);
}

struct action {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)(int);
    unsigned long mask;
};

static void end_on_signals(void)
{
    static const int numbers[] = {1, 2, 3, 10, 12, 15};
    /* SA_RESTORER, which x86 insists on; nothing ever returns from the handler. */
    struct action action = {stopped, 0x04000000, stopped, 0};
#if defined(__aarch64__)
    action.flags = 0;
#endif
    for (unsigned i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
        call(SIGACTION, numbers[i], (long)&action, 0, 8);
}

static int let_through(void)
{
    struct { unsigned short family; char path[108]; } address;
    char answer = 0;
    long socket = CALL(SOCKET, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket < 0)
        return 0;
    address.family = AF_UNIX;
    for (unsigned i = 0; i < sizeof(gatekeeper); i++)
        address.path[i] = gatekeeper[i];
    int yes = CALL(CONNECT, socket, &address, sizeof(short) + sizeof(gatekeeper)) == 0
        && CALL(READ, socket, &answer, 1) == 1 && answer == 'g';
    CALL(CLOSE, socket, 0, 0);
    return yes;
}

static size_t length(const char *text)
{
    size_t count = 0;
    while (text[count])
        count++;
    return count;
}

static void say(const char *text)
{
    CALL(WRITE, 2, text, length(text));
}

static int has_slash(const char *text)
{
    for (; *text; text++)
        if (*text == '/')
            return 1;
    return 0;
}

static const char *path_of(char **environment)
{
    for (; *environment; environment++) {
        const char *entry = *environment;
        if (entry[0] == 'P' && entry[1] == 'A' && entry[2] == 'T' && entry[3] == 'H' && entry[4] == '=')
            return entry + 5;
    }
    return usual_path;
}

/* execvp(3): the first that can be run; a refusal is remembered while others are tried. */
static long become(char **argv, char **environment)
{
    static char file[PATH_MAX];
    const char *name = argv[0], *path = path_of(environment);
    long refused = -ENOENT;
    if (has_slash(name) || !*name)
        return CALL(EXECVE, name, argv, environment);
    while (*path) {
        size_t count = 0, rest = length(name);
        while (*path && *path != ':') {
            if (count + rest + 2 < sizeof(file))
                file[count++] = *path;
            path++;
        }
        if (*path)
            path++;
        if (!count)
            file[count++] = '.';
        if (count + rest + 2 > sizeof(file))
            continue;
        file[count++] = '/';
        for (size_t i = 0; i <= rest; i++)
            file[count + i] = name[i];
        long error = CALL(EXECVE, file, argv, environment);
        if (error != -ENOENT && error != -ENOTDIR && error != -EACCES)
            return error;
        if (error == -EACCES)
            refused = error;
    }
    return refused;
}

__attribute__((used)) void begin(long *stack)
{
    long argc = stack[0];
    char **argv = (char **)(stack + 1);
    char **environment = argv + argc + 1;
    static const struct { long seconds, nanoseconds; } pause = {0, 20000000};

    if (argc < 2)
        leave(126);
    end_on_signals();
    while (!let_through())
        CALL(NANOSLEEP, &pause, 0, 0);
    long error = become(argv + 1, environment);
    say("netcompose: ");
    say(argv[1]);
    say(error == -ENOENT || error == -ENOTDIR ? ": not found in the image\n" : ": cannot be run\n");
    leave(error == -ENOENT || error == -ENOTDIR ? 127 : 126);
}
