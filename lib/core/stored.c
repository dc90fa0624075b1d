/* stored.c: a number is NaN or infinite when its exponent bits are all ones (IEEE 754). The inner loops have a fixed length and no
 * branch, so that compilers make vectors of them: the scan runs at the speed of memory. */
#include "lib/core/stored.h"

#include <string.h>

enum { PIECE = 64 };

#define DEFINE_SCAN(NAME, TYPE, MASK)                                                    \
	static bool NAME(const unsigned char *src, size_t count, size_t *index)              \
	{                                                                                    \
		const TYPE mask = (TYPE)(MASK);                                                  \
		TYPE piece[PIECE];                                                               \
		size_t i = 0;                                                                    \
		for (; i + PIECE <= count; i += PIECE) {                                         \
			TYPE bad = 0;                                                                \
			memcpy(piece, src + i * sizeof(TYPE), sizeof piece);                         \
			for (size_t k = 0; k < PIECE; k++) bad |= (TYPE)((piece[k] & mask) == mask); \
			if (bad) break;                                                              \
		}                                                                                \
		for (; i < count; i++) {                                                         \
			TYPE bits;                                                                   \
			memcpy(&bits, src + i * sizeof bits, sizeof bits);                           \
			if ((bits & mask) != mask) continue;                                         \
			*index = i;                                                                  \
			return false;                                                                \
		}                                                                                \
		return true;                                                                     \
	}

DEFINE_SCAN(scan_f32, uint32_t, 0x7f800000u)
DEFINE_SCAN(scan_f16, uint16_t, 0x7c00u)
DEFINE_SCAN(scan_bf16, uint16_t, 0x7f80u)
DEFINE_SCAN(scan_f64, uint64_t, 0x7ff0000000000000u)

bool attend_stored_finite(const void *src, attend_dtype dtype, size_t count, size_t *index)
{
	switch (dtype) {
	case ATTEND_DTYPE_F16: return scan_f16(src, count, index);
	case ATTEND_DTYPE_BF16: return scan_bf16(src, count, index);
	case ATTEND_DTYPE_F64: return scan_f64(src, count, index);
	default: return scan_f32(src, count, index);
	}
}
