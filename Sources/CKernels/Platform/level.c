#include "CKernels.h"

// The compiler's own test, as for the clones: a list of features from elsewhere could disagree with it.
int ck_cpu_level(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("x86-64-v4")) return 2;
    if (__builtin_cpu_supports("x86-64-v3")) return 1;
#endif
    return 0;
}

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

// Whether the CPU has the matrix unit with bfloat16 products and the system lets this process use it. Linux wants to be
// asked once a process (Documentation/arch/x86/xstate.rst), and refuses where the unit is switched off.
static int has_matrix_unit(void) {
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18, BF16 = 1 << 22, TILES = 1 << 24 };
    unsigned a, b, c, d;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d & (BF16 | TILES)) != (BF16 | TILES)) return 0;
    return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}

int ck_bfloat_level(void) {
    static int known = -1; // threads that ask at the same time find the same
    int level = __atomic_load_n(&known, __ATOMIC_RELAXED);
    if (level >= 0) return level;
    level = CK_BFLOAT_NONE;
    // Intel's vector products of bfloat16 have half the speed of its float32 ones (Emerald Rapids: 85 and 173 GFLOP/s).
    if (ck_cpu_level() == 2 && __builtin_cpu_supports("avx512bf16"))
        level = has_matrix_unit() ? CK_BFLOAT_TILES : __builtin_cpu_is("intel") ? CK_BFLOAT_NONE : CK_BFLOAT_VECTORS;
    __atomic_store_n(&known, level, __ATOMIC_RELAXED);
    return level;
}
#else
int ck_bfloat_level(void) { return CK_BFLOAT_NONE; }
#endif
