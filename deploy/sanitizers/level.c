// Lets a test binary choose the kernels of an older CPU: CPU_LEVEL=0 hides AVX and all later instructions from the
// choice, CPU_LEVEL=1 hides AVX-512. deploy/test-sanitizers links it into a copy of the tests, with the linker's
// --wrap; it is no part of the program.
//
// The loader chooses before the C library is ready, so this reads the environment by system calls alone.

// The compiler's features of this CPU. They select the clones and answer __builtin_cpu_supports.
extern struct {
    unsigned vendor, type, subtype, features;
} __cpu_model;
extern unsigned __cpu_features2[];
int __real___cpu_indicator_init(void);

// Their order: AVX is feature 9, AVX-512 begins at 15. The levels x86-64-v3 and x86-64-v4 are features 97 and 98.
enum { AVX = 9, AVX512 = 15, V3 = 97 - 96, V4 = 98 - 96 };

static long call(long number, long a, long b, long c) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}

// The digit of CPU_LEVEL; 2 without it.
static int wanted_level(void) {
    static const char name[] = "CPU_LEVEL=";
    enum { LENGTH = sizeof name - 1, OTHER_VARIABLE = -1 };
    char buffer[4096];
    int matched = 0, level = 2;
    long file = call(2, (long)"/proc/self/environ", 0, 0), count;
    while (file >= 0 && (count = call(0, file, (long)buffer, sizeof buffer)) > 0)
        for (long i = 0; i < count; i++) {
            if (matched == LENGTH) level = buffer[i] - '0';
            if (buffer[i] == 0)
                matched = 0;
            else if (matched >= 0)
                matched = matched < LENGTH && buffer[i] == name[matched] ? matched + 1 : OTHER_VARIABLE;
        }
    if (file >= 0) call(3, file, 0, 0);
    return level;
}

int __wrap___cpu_indicator_init(void) {
    static int is_done;
    __real___cpu_indicator_init();
    if (is_done) return 0;
    is_done = 1;
    int level = wanted_level();
    if (level < 2) {
        __cpu_model.features &= (1u << AVX512) - 1;
        __cpu_features2[0] = 0;
        __cpu_features2[2] &= ~(1u << V4);
    }
    if (level < 1) {
        __cpu_model.features &= (1u << AVX) - 1;
        __cpu_features2[2] &= ~(1u << V3);
    }
    return 0;
}
