/* pack_codes.c: int8 and int4 matrices in the order of files, row by row, out of panels and back into them. Quantising is
 * pack_weights.c's alone: what a file holds are its panels, sorted, so that loading gives the very same panels on any level.
 *
 * int8: k codes s8 a row; one f32 scale. int4: groups of 32 inputs, 16 bytes and one bf16 scale each; byte 4p+i of a group has
 * input 8p+i in its low nibble and input 8p+4+i in its high one, as q + 8. Behind the last input stands zero. */
#include <string.h>

#include "lib/kernels/dispatch.h"
#include "lib/kernels/pack.h"

enum { GROUP_BYTES = ATTEND_INT4_GROUP / 2, WORD = 4 };

size_t attend_code_row_bytes(attend_pack_type type, size_t k)
{
	return type == ATTEND_PACK_INT4 ? (k / ATTEND_INT4_GROUP + (k % ATTEND_INT4_GROUP != 0)) * GROUP_BYTES : k;
}

size_t attend_code_row_scales(attend_pack_type type, size_t k)
{
	return type == ATTEND_PACK_INT4 ? k / ATTEND_INT4_GROUP + (k % ATTEND_INT4_GROUP != 0) : 1;
}

/* Where column j of a packed matrix stands. */
typedef struct column_place {
	size_t nr, steps, step_bytes, offset; /* offset: of the column in its panel */
	unsigned char *panel, *tail;
} column_place;

static column_place place_of(const attend_packed *packed, size_t j)
{
	const struct attend_gemm_table *table = attend_gemm_kernels();
	column_place p = {.nr = table->nr,
	                  .steps = attend_type_steps(table, packed->type, packed->k),
	                  .step_bytes = attend_type_step_bytes(table, packed->type),
	                  .offset = j % table->nr};
	p.panel = (unsigned char *)packed->data + j / table->nr * attend_type_panel_bytes(table, packed->type, packed->k);
	p.tail = p.panel + p.steps * p.step_bytes;
	return p;
}

static void unpack_int8(const column_place *p, unsigned char *codes, unsigned char *scale, size_t k)
{
	for (size_t s = 0; s * WORD < k; s++) {
		const size_t left = k - s * WORD;
		memcpy(codes + s * WORD, p->panel + s * p->step_bytes + p->offset * WORD, left < WORD ? left : WORD);
	}
	memcpy(scale, p->tail + p->offset * sizeof(float), sizeof(float));
}

static void unpack_int4(const column_place *p, unsigned char *codes, unsigned char *scales, size_t groups)
{
	for (size_t s = 0; s < groups; s++) {
		const unsigned char *step = p->panel + s * p->step_bytes;
		for (size_t pair = 0; pair < GROUP_BYTES / WORD; pair++)
			memcpy(codes + s * GROUP_BYTES + pair * WORD, step + (pair * p->nr + p->offset) * WORD, WORD);
		memcpy(scales + s * sizeof(uint16_t), step + p->nr * GROUP_BYTES + p->offset * sizeof(uint16_t),
		       sizeof(uint16_t));
	}
}

void attend_unpack_codes(void *codes, void *scales, const attend_packed *packed, size_t n0, size_t n)
{
	const size_t row = attend_code_row_bytes(packed->type, packed->k);
	const size_t count = attend_code_row_scales(packed->type, packed->k);
	for (size_t j = 0; j < n; j++) {
		const column_place p = place_of(packed, n0 + j);
		unsigned char *to = (unsigned char *)codes + j * row;
		if (packed->type == ATTEND_PACK_INT8)
			unpack_int8(&p, to, (unsigned char *)scales + j * sizeof(float), packed->k);
		else unpack_int4(&p, to, (unsigned char *)scales + j * count * sizeof(uint16_t), count);
	}
}

/* codes NULL: a column behind the last one. */
static void pack_int8(const column_place *p, const unsigned char *codes, const unsigned char *scale, size_t k)
{
	int32_t sum = 0;
	unsigned char *to = p->panel + p->offset * WORD;
	for (size_t s = 0; s < p->steps; s++, to += p->step_bytes) {
		const size_t left = codes != NULL && k > s * WORD ? k - s * WORD : 0, count = left < WORD ? left : WORD;
		int8_t word[WORD] = {0};
		if (count == WORD) memcpy(word, codes + s * WORD, WORD); /* of a size that the compiler knows */
		else if (count > 0) memcpy(word, codes + s * WORD, count);
		for (size_t i = 0; i < WORD; i++) sum += word[i];
		memcpy(to, word, WORD);
	}
	if (scale != NULL) memcpy(p->tail + p->offset * sizeof(float), scale, sizeof(float));
	else memset(p->tail + p->offset * sizeof(float), 0, sizeof(float));
	memcpy(p->tail + p->nr * sizeof(float) + p->offset * sizeof sum, &sum, sizeof sum);
}

static void pack_int4(const column_place *p, const unsigned char *codes, const unsigned char *scales, size_t groups)
{
	static const unsigned char zeros[GROUP_BYTES] = {0x88, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88,
	                                                 0x88, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88};
	static const unsigned char nothing[sizeof(uint16_t)];
	for (size_t s = 0; s < p->steps; s++) {
		const bool there = codes != NULL && s < groups;
		const unsigned char *from = there ? codes + s * GROUP_BYTES : zeros;
		unsigned char *step = p->panel + s * p->step_bytes;
		for (size_t pair = 0; pair < GROUP_BYTES / WORD; pair++)
			memcpy(step + (pair * p->nr + p->offset) * WORD, from + pair * WORD, WORD);
		memcpy(step + p->nr * GROUP_BYTES + p->offset * sizeof(uint16_t),
		       there ? scales + s * sizeof(uint16_t) : nothing, sizeof(uint16_t));
	}
}

void attend_pack_codes(const attend_packed *packed, size_t n0, size_t n, const void *codes, const void *scales)
{
	const size_t row = attend_code_row_bytes(packed->type, packed->k);
	const size_t count = attend_code_row_scales(packed->type, packed->k), nr = attend_gemm_kernels()->nr;
	/* the last column brings the zeros behind it */
	const size_t end = n0 + n == packed->n ? (packed->n + nr - 1) / nr * nr : n0 + n;
	for (size_t j = n0; n > 0 && j < end; j++) {
		const column_place p = place_of(packed, j);
		const unsigned char *from = j < n0 + n ? (const unsigned char *)codes + (j - n0) * row : NULL;
		const size_t width = packed->type == ATTEND_PACK_INT8 ? sizeof(float) : count * sizeof(uint16_t);
		const unsigned char *scale = from != NULL ? (const unsigned char *)scales + (j - n0) * width : NULL;
		if (packed->type == ATTEND_PACK_INT8) pack_int8(&p, from, scale, packed->k);
		else pack_int4(&p, from, scale, count);
	}
}
