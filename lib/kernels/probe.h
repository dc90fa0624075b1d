/* probe.h: how fast this CPU multiplies and adds at most: chains of independent sums in registers, no memory. */
#ifndef ATTEND_KERNELS_PROBE_H
#define ATTEND_KERNELS_PROBE_H

#include "lib/kernels/dispatch.h"

/* Run `rounds` rounds of what products of this weight type are made of at the current level, on the caller's thread; returns
 * the operations done, a multiply-add counting as two. A level without an instruction of its own for the type does what f32
 * does. The caller takes the time. */
double attend_probe(attend_pack_type type, size_t rounds);

/* Each does `rounds` rounds and returns its operations. */
typedef double (*attend_probe_loop)(size_t rounds);
double attend_probe_f32_avx2(size_t rounds);
double attend_probe_int8_avx2(size_t rounds);
double attend_probe_int8_avxvnni(size_t rounds);
double attend_probe_f32_avx512(size_t rounds);
double attend_probe_int8_avx512(size_t rounds);
double attend_probe_int8_avx512vnni(size_t rounds);
double attend_probe_bf16_avx512bf16(size_t rounds);
double attend_probe_bf16_amx(size_t rounds);
double attend_probe_int8_amx(size_t rounds);
double attend_probe_int4_amx(size_t rounds);
double attend_probe_f32_neon(size_t rounds);
double attend_probe_int8_neondot(size_t rounds);

/* CHAINS sums side by side: more than latency times ports. HOLD keeps the compiler from knowing a value. */
enum { PROBE_CHAINS = 12 };
#if defined(__x86_64__)
#define PROBE_HOLD(v) __asm__ volatile("" : "+x"(v))
#else
#define PROBE_HOLD(v) __asm__ volatile("" : "+w"(v))
#endif
#define PROBE_EACH(what, zero)                                                                                      \
	what(0, zero) what(1, zero) what(2, zero) what(3, zero) what(4, zero) what(5, zero) what(6, zero) what(7, zero) \
		what(8, zero) what(9, zero) what(10, zero) what(11, zero)
#define PROBE_CLEAR(i, zero) sum##i = zero;
#define PROBE_STEP(i, step)      \
	sum##i = step(sum##i, x, y); \
	PROBE_HOLD(sum##i);
/* The sums are single variables: an array would live in memory. */
#define PROBE_LOOP(name, sums, zero, inputs, zero_input, step, lanes)                  \
	double name(size_t rounds)                                                         \
	{                                                                                  \
		inputs x = zero_input, y = x;                                                  \
		sums sum0, sum1, sum2, sum3, sum4, sum5, sum6, sum7, sum8, sum9, sum10, sum11; \
		PROBE_HOLD(x);                                                                 \
		PROBE_HOLD(y);                                                                 \
		PROBE_EACH(PROBE_CLEAR, zero)                                                  \
		for (size_t r = 0; r < rounds; r++) {                                          \
			PROBE_EACH(PROBE_STEP, step)                                               \
		}                                                                              \
		return 2.0 * (lanes)*PROBE_CHAINS * (double)rounds;                            \
	}

#endif
