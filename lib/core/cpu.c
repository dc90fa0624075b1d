/* cpu.c: CPUID and XGETBV by hand (Intel SDM vol. 2A "CPUID", vol. 1 section 13.3), auxiliary vector on Arm. */
#include "lib/core/cpu.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/syscall.h>
#endif

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

static const char *const level_names[] = {
	[ATTEND_ISA_PORTABLE] = "portable",
	[ATTEND_ISA_AVX2] = "avx2",
	[ATTEND_ISA_AVXVNNI] = "avxvnni",
	[ATTEND_ISA_AVX512] = "avx512",
	[ATTEND_ISA_AVX512VNNI] = "avx512vnni",
	[ATTEND_ISA_AVX512BF16] = "avx512bf16",
	[ATTEND_ISA_AMX] = "amx",
	[ATTEND_ISA_NEON] = "neon",
	[ATTEND_ISA_NEONDOT] = "neondot",
};
enum { LEVELS = sizeof level_names / sizeof *level_names };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static unsigned supported; /* a bit per level */
static bool amd;
static attend_isa_level current;

#if defined(__x86_64__)
/* The tile registers are given to a process that asks for them (Linux: Documentation/arch/x86/xstate.rst). */
static bool may_use_tiles(void)
{
#if defined(__linux__) && defined(SYS_arch_prctl)
	enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
	return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
#else
	return false;
#endif
}

static bool bit(unsigned word, unsigned index)
{
	return (word >> index & 1u) != 0;
}

static unsigned detect(void)
{
	unsigned a, b, c, d, levels = 1u << ATTEND_ISA_PORTABLE;
	if (!__get_cpuid(1, &a, &b, &c, &d)) return levels;
	const bool fma = bit(c, 12), osxsave = bit(c, 27), avx = bit(c, 28), f16c = bit(c, 29);
	if (!osxsave || !avx) return levels;
	/* What the CPU has is usable only where the system saves the registers. */
	unsigned state, state_high;
	__asm__ volatile("xgetbv" : "=a"(state), "=d"(state_high) : "c"(0));
	const bool save_ymm = (state & 0x6u) == 0x6u, save_zmm = (state & 0xe6u) == 0xe6u;
	const bool save_tiles = (state & 0x60000u) == 0x60000u;
	if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return levels;
	const unsigned subleaves = a;
	const bool avx2 = bit(b, 5);
	const bool avx512 = bit(b, 16) && bit(b, 17) && bit(b, 28) && bit(b, 30) && bit(b, 31); /* F DQ CD BW VL */
	const bool avx512vnni = bit(c, 11), amx = bit(d, 22) && bit(d, 24) && bit(d, 25);       /* BF16 TILE INT8 */
	bool avxvnni = false, avx512bf16 = false;
	if (subleaves >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d)) {
		avxvnni = bit(a, 4);
		avx512bf16 = bit(a, 5);
	}
	if (!save_ymm || !avx2 || !fma || !f16c) return levels;
	levels |= 1u << ATTEND_ISA_AVX2;
	if (avxvnni) levels |= 1u << ATTEND_ISA_AVXVNNI;
	if (!save_zmm || !avx512) return levels;
	levels |= 1u << ATTEND_ISA_AVX512;
	if (!avx512vnni) return levels;
	levels |= 1u << ATTEND_ISA_AVX512VNNI;
	if (!avx512bf16) return levels;
	levels |= 1u << ATTEND_ISA_AVX512BF16;
	if (amx && save_tiles && may_use_tiles()) levels |= 1u << ATTEND_ISA_AMX;
	return levels;
}
#elif defined(__aarch64__)
static unsigned detect(void)
{
	unsigned levels = 1u << ATTEND_ISA_PORTABLE | 1u << ATTEND_ISA_NEON;    /* Advanced SIMD is part of AArch64 */
#if defined(__linux__)
	if (getauxval(AT_HWCAP) >> 20 & 1u) levels |= 1u << ATTEND_ISA_NEONDOT; /* HWCAP_ASIMDDP */
#elif defined(__APPLE__)
	levels |= 1u << ATTEND_ISA_NEONDOT;
#endif
	return levels;
}
#else
static unsigned detect(void)
{
	return 1u << ATTEND_ISA_PORTABLE;
}
#endif

typedef enum vendor { VENDOR_OTHER, VENDOR_INTEL, VENDOR_AMD } vendor;

static vendor detect_vendor(void)
{
#if defined(__x86_64__)
	unsigned a, b, c, d;
	if (!__get_cpuid(0, &a, &b, &c, &d)) return VENDOR_OTHER;
	if (b == signature_INTEL_ebx) return VENDOR_INTEL;
	if (b == signature_AMD_ebx) return VENDOR_AMD;
#endif
	return VENDOR_OTHER;
}

static void init(void)
{
	supported = detect();
	const vendor made_by = detect_vendor();
	amd = made_by == VENDOR_AMD;
	for (unsigned i = 0; i < LEVELS; i++) {
		/* Intel's vdpbf16ps runs at a quarter of the rate of AMD's: less than widening and multiplying in f32. */
		if (i == ATTEND_ISA_AVX512BF16 && made_by == VENDOR_INTEL) continue;
		if (supported >> i & 1u) current = (attend_isa_level)i;
	}
	const char *const wanted = getenv("ATTEND_ISA");
	if (!wanted || !*wanted) return;
	for (unsigned i = 0; i < LEVELS; i++) {
		if (strcmp(level_names[i], wanted) != 0) continue;
		if (supported >> i & 1u) {
			current = (attend_isa_level)i;
		} else {
			attend_log(ATTEND_LOG_WARNING, "ATTEND_ISA=%s: this CPU lacks it; %s is used", wanted,
			           level_names[current]);
		}
		return;
	}
	attend_log(ATTEND_LOG_WARNING, "ATTEND_ISA=%.40s: no such level; %s is used", wanted, level_names[current]);
}

attend_isa_level attend_cpu_isa(void)
{
	pthread_once(&once, init);
	return current;
}

bool attend_cpu_supports(attend_isa_level level)
{
	pthread_once(&once, init);
	return (unsigned)level < LEVELS && (supported >> level & 1u) != 0;
}

bool attend_cpu_amd(void)
{
	pthread_once(&once, init);
	return amd;
}

const char *attend_isa_level_name(attend_isa_level level)
{
	return (unsigned)level < LEVELS ? level_names[level] : "unknown";
}

attend_status attend_isa_level_parse(attend_isa_level *out, const char *name)
{
	for (unsigned i = 0; i < LEVELS; i++)
		if (strcmp(level_names[i], name) == 0) {
			*out = (attend_isa_level)i;
			return ATTEND_OK;
		}
	return attend_fail(ATTEND_ERR_ARG, "unknown instruction level \"%.40s\"", name);
}

static size_t cache_size(int name, size_t fallback)
{
	const long bytes = sysconf(name);
	return bytes > 0 ? (size_t)bytes : fallback;
}

size_t attend_cpu_l1(void)
{
#ifdef _SC_LEVEL1_DCACHE_SIZE
	return cache_size(_SC_LEVEL1_DCACHE_SIZE, 32 << 10);
#else
	return cache_size(-1, 32 << 10);
#endif
}

size_t attend_cpu_l2(void)
{
#ifdef _SC_LEVEL2_CACHE_SIZE
	return cache_size(_SC_LEVEL2_CACHE_SIZE, 1 << 20);
#else
	return cache_size(-1, 1 << 20);
#endif
}
