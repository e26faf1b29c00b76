#if defined(__linux__)
#define _GNU_SOURCE
#endif
#include "CKernels.h"

#if defined(__linux__)
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

void ck_lower_thread_priority(int nice) {
    struct sched_param none = {0};
    sched_setscheduler(0, SCHED_OTHER, &none);
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), nice);
}

void ck_restart_with(const char *name, const char *value) {
    static char arguments[1 << 20];
    static char *argv[1 << 14];
    int file = open("/proc/self/cmdline", O_RDONLY);
    if (file < 0) return;
    size_t size = 0;
    ssize_t count;
    while (size < sizeof arguments && (count = read(file, arguments + size, sizeof arguments - size)) > 0)
        size += (size_t)count;
    close(file);
    if (size == 0 || size == sizeof arguments) return;
    size_t argc = 0;
    for (size_t i = 0; i < size && argc + 1 < sizeof argv / sizeof *argv; argc++) {
        argv[argc] = arguments + i;
        while (i < size && arguments[i]) i++;
        i++;
    }
    argv[argc] = NULL;
    if (setenv(name, value, 1) == 0) execv("/proc/self/exe", argv);
}

size_t ck_cores(void) {
    cpu_set_t allowed;
    return sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? (size_t)CPU_COUNT(&allowed) : 0;
}

int ck_take_share_of_cores(size_t share, size_t shares) {
    cpu_set_t allowed, own;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 0;
    size_t count = (size_t)CPU_COUNT(&allowed), first = share * count / shares, end = (share + 1) * count / shares;
    if ((long)count < sysconf(_SC_NPROCESSORS_ONLN)) return 0;
    if (end == first) end++;
    CPU_ZERO(&own);
    for (size_t cpu = 0, place = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &allowed)) continue;
        if (place >= first && place < end) CPU_SET(cpu, &own);
        place++;
    }
    return sched_setaffinity(0, sizeof own, &own) == 0;
}
#else
void ck_lower_thread_priority(int nice) { (void)nice; }

size_t ck_cores(void) { return 0; }

int ck_take_share_of_cores(size_t share, size_t shares) {
    (void)share;
    (void)shares;
    return 0;
}

void ck_restart_with(const char *name, const char *value) {
    (void)name;
    (void)value;
}
#endif
