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
#else
void ck_lower_thread_priority(int nice) { (void)nice; }

void ck_restart_with(const char *name, const char *value) {
    (void)name;
    (void)value;
}
#endif
