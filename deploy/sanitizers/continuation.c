// Tells ThreadSanitizer about a continuation that another thread resumes before its task awaits it. The task then goes on
// at once, after an atomic load in Swift's runtime, which is not instrumented. (Where the task awaits first, the runtime
// itself tells ThreadSanitizer.) deploy/test-sanitizers preloads it into the tests; it is no part of the program.
#define _GNU_SOURCE
#include <dlfcn.h>

#define ASYNC __attribute__((swiftasynccall))
void __tsan_acquire(void *address) __attribute__((weak));
__attribute__((swiftcall)) void *swift_task_getCurrent(void);
ASYNC void swift_continuation_await(void *context);

ASYNC void swift_continuation_await(void *context) {
    static ASYNC void (*real)(void *);
    if (!real) real = (ASYNC void (*)(void *))dlsym(RTLD_NEXT, "swift_continuation_await");
    // Who resumes a continuation releases its task.
    if (__tsan_acquire) __tsan_acquire(swift_task_getCurrent());
    return real(context);
}
