// Reports at least two usable cores, so that parallel loops use several threads on a machine with one core too.
// Otherwise libdispatch runs all parts of a loop on the thread that calls it, and ThreadSanitizer has nothing to compare.
// deploy/test-sanitizers preloads it into the tests; it is no part of the program.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>

int pthread_getaffinity_np(pthread_t thread, size_t size, cpu_set_t *set) {
    int (*real)(pthread_t, size_t, cpu_set_t *) = dlsym(RTLD_NEXT, "pthread_getaffinity_np");
    int status = real(thread, size, set);
    for (int core = 0; status == 0 && CPU_COUNT_S(size, set) < 2; core++) CPU_SET_S(core, size, set);
    return status;
}
