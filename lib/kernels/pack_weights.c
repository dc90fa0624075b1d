/* pack_weights.c: attend_pack: columns of W from a checkpoint's element type into panels of a pack type, at once or some steps
 * at a time.
 *
 * int8: symmetric, one scale per column: w = scale q, q = round(w 127 / max |w|).
 * int4: symmetric, one bf16 scale per group of 32 inputs of a column, q in -8..7 stored as q + 8. */
#include <math.h>
#include <string.h>

#include "lib/core/threads.h"
#include "lib/kernels/dispatch.h"
#include "lib/kernels/pack.h"

/* Inputs of a column that are widened and encoded at a time: a multiple of every depth. */
enum { PART = 128 };

size_t attend_pack_bytes(attend_pack_type type, size_t n, size_t k)
{
	const struct attend_gemm_table *table = attend_gemm_kernels();
	if (k > SIZE_MAX / 64) return SIZE_MAX;
	return attend_product_bytes(n / table->nr + (n % table->nr != 0), attend_type_panel_bytes(table, type, k), 1);
}

typedef struct pack_job {
	const struct attend_gemm_table *table;
	attend_pack_type type;
	unsigned char *panels;
	size_t k, n, steps, step_bytes, panel_bytes, n0, n1; /* columns n0 .. n1-1 of n */
	const unsigned char *src;
	attend_dtype dtype;
	size_t element, stride_out, stride_in;
} pack_job;

/* part [columns][PART] = inputs i0 .. i0+count-1 of columns from `column` on, zeros behind them. */
static void load_part(const pack_job *j, float *part, size_t column, size_t columns, size_t i0, size_t count)
{
	const unsigned char *src = j->src + ((column - j->n0) * j->stride_out + i0 * j->stride_in) * j->element;
	if (j->stride_out == 1 && j->stride_in != 1) {
		float row[ATTEND_GEMM_MAX_NR];
		for (size_t i = 0; i < count; i++) {
			attend_to_f32(row, src + i * j->stride_in * j->element, j->dtype, columns);
			for (size_t c = 0; c < columns; c++) part[c * PART + i] = row[c];
		}
	}
	for (size_t c = 0; c < columns; c++) {
		const unsigned char *from = src + c * j->stride_out * j->element;
		if (j->stride_in == 1) {
			attend_to_f32(part + c * PART, from, j->dtype, count);
		} else if (j->stride_out != 1) {
			for (size_t i = 0; i < count; i++)
				attend_to_f32(part + c * PART + i, from + i * j->stride_in * j->element, j->dtype, 1);
		}
		if (count < PART) memset(part + c * PART + count, 0, (PART - count) * sizeof *part);
	}
}

/* Columns `offset` .. of `steps` rows of 32-bit words that lie nr apart; behind the last column of all come zeros. */
static void place(const pack_job *j, unsigned char *to, size_t offset, size_t columns, size_t width, const float *words,
                  size_t stride, size_t steps)
{
	if (width == j->table->nr) {
		j->table->interleave((float *)(void *)to, words, stride, columns, width, steps, 0);
		return;
	}
	float *rows = (float *)(void *)to + offset;
	for (size_t s = 0; s < steps; s++) {
		for (size_t c = 0; c < columns; c++) memcpy(&rows[s * j->table->nr + c], &words[c * stride + s], sizeof(float));
		if (columns < width) memset(&rows[s * j->table->nr + columns], 0, (width - columns) * sizeof(float));
	}
}

/* f32 that stays f32, or rows of it that the level rounds and turns in one go, need no way through `part`. */
static bool is_plain(const pack_job *j, size_t width)
{
	if (j->dtype != ATTEND_DTYPE_F32 || (uintptr_t)j->src % sizeof(float) != 0 || width != j->table->nr) return false;
	if (j->type == ATTEND_PACK_BF16) return j->table->panel_bf16 && j->stride_in == 1;
	return j->type == ATTEND_PACK_F32 && j->steps == j->k && (j->stride_in == 1 || j->stride_out == 1);
}

/* Ask for inputs i0 .. i0+count-1 of columns from `column` on. */
static void ask(const pack_job *j, size_t column, size_t columns, size_t i0, size_t count)
{
	const unsigned char *src = j->src + ((column - j->n0) * j->stride_out + i0) * j->element;
	for (size_t c = 0; c < columns; c++, src += j->stride_out * j->element)
		for (size_t i = 0; i < count * j->element; i += 64) __builtin_prefetch(src + i, 0, 2);
}

/* Steps s0 .. s0+steps-1 of columns from `column` on, F32 and BF16: to [steps][nr] words, from word `offset` of each. Where
 * columns are rows in memory, those that lie `ahead` steps behind are asked for. */
static void lay(const pack_job *j, unsigned char *to, size_t offset, size_t column, size_t columns, size_t width,
                size_t s0, size_t steps, size_t ahead)
{
	const size_t depth = attend_type_depth(j->type), words_each = PART / depth;
	float part[ATTEND_GEMM_MAX_NR * PART], words[ATTEND_GEMM_MAX_NR * PART / 2];
	if (is_plain(j, width)) {
		const float *src =
			(const float *)(const void *)j->src + (column - j->n0) * j->stride_out + s0 * depth * j->stride_in;
		if (j->type == ATTEND_PACK_BF16) {
			const size_t left = j->k > s0 * 2 ? j->k - s0 * 2 : 0, count = left < steps * 2 ? left : steps * 2;
			const size_t own = (count + 1) / 2, nr = j->table->nr;
			j->table->panel_bf16((float *)(void *)to, src, j->stride_out, columns, count, ahead * 2);
			memset(to + own * nr * sizeof(float), 0, (steps - own) * nr * sizeof(float));
			return;
		}
		if (j->stride_in == 1)
			j->table->interleave((float *)(void *)to, src, j->stride_out, columns, width, steps, ahead);
		else j->table->gather((float *)(void *)to, src, j->stride_in, columns, width, steps);
		return;
	}
	for (size_t end = s0 + steps; s0 < end; s0 += words_each, to += words_each * j->step_bytes) {
		const size_t some = end - s0 < words_each ? end - s0 : words_each, i0 = s0 * depth;
		const size_t left = j->k > i0 ? j->k - i0 : 0;
		load_part(j, part, column, columns, i0, left < PART ? left : PART);
		if (ahead && j->stride_in == 1) ask(j, column, columns, i0 + ahead * depth, PART);
		for (size_t c = 0; c < columns && j->type == ATTEND_PACK_BF16; c++) {
			uint16_t halves[PART];
			j->table->round_bf16(halves, part + c * PART, PART);
			memcpy(words + c * words_each, halves, sizeof halves);
		}
		place(j, to, offset, columns, width, j->type == ATTEND_PACK_BF16 ? words : part, words_each, some);
	}
}

/* One panel, or the part of it that this call fills. */
static void pack_task(void *arg, size_t index, unsigned worker)
{
	const pack_job *j = arg;
	const size_t nr = j->table->nr, panel = j->n0 / nr + index;
	const size_t begin = panel * nr > j->n0 ? panel * nr : j->n0;
	const size_t limit = (panel + 1) * nr < j->n1 ? (panel + 1) * nr : j->n1;
	const size_t columns = limit - begin, offset = begin - panel * nr;
	const size_t width = limit == j->n ? nr - offset : columns; /* the last column brings the zeros behind it */
	const size_t depth = attend_type_depth(j->type), words_each = PART / depth;
	unsigned char *to = j->panels + panel * j->panel_bytes, *tail = to + j->steps * j->step_bytes;
	float part[ATTEND_GEMM_MAX_NR * PART], inverse[ATTEND_GEMM_MAX_NR];
	int32_t sum[ATTEND_GEMM_MAX_NR] = {0};
	float words[ATTEND_GEMM_MAX_NR * PART / 2];
	static const float zeros[ATTEND_INT4_GROUP];
	(void)worker;
	if (j->type <= ATTEND_PACK_BF16) {
		lay(j, to, offset, begin, columns, width, 0, j->steps, 0);
		return;
	}
	if (j->type == ATTEND_PACK_INT8) {
		float scale[ATTEND_GEMM_MAX_NR] = {0};
		for (size_t i0 = 0; i0 < j->k; i0 += PART) {
			load_part(j, part, begin, columns, i0, j->k - i0 < PART ? j->k - i0 : PART);
			for (size_t c = 0; c < columns; c++) {
				float least, greatest;
				if (!j->table->range(part + c * PART, PART, &least, &greatest)) {
					scale[c] = NAN; /* and stays: no comparison below holds */
					continue;
				}
				if (-least > scale[c]) scale[c] = -least;
				if (greatest > scale[c]) scale[c] = greatest;
			}
		}
		for (size_t c = 0; c < width; c++) {
			scale[c] /= 127.0f;
			inverse[c] = scale[c] >= 0x1p-120f ? 1.0f / scale[c] : 0.0f;
		}
		memcpy(tail + offset * sizeof(float), scale, width * sizeof(float));
	}
	for (size_t s0 = 0; s0 < j->steps; s0 += words_each) {
		const size_t steps = j->steps - s0 < words_each ? j->steps - s0 : words_each, i0 = s0 * depth;
		const size_t left = j->k > i0 ? j->k - i0 : 0, count = left < PART ? left : PART;
		unsigned char *step = to + s0 * j->step_bytes;
		load_part(j, part, begin, columns, i0, count);
		switch (j->type) {
		case ATTEND_PACK_F32:
		case ATTEND_PACK_BF16:
		case ATTEND_PACK_TYPES: break;
		case ATTEND_PACK_INT8:
			for (size_t c = 0; c < columns; c++) {
				int8_t q[PART];
				j->table->quantize((uint8_t *)q, part + c * PART, PART, inverse[c], 0, -127, 127);
				for (size_t i = 0; i < PART; i++) sum[c] += q[i];
				memcpy(words + c * words_each, q, sizeof q);
			}
			place(j, step, offset, columns, width, words, words_each, steps);
			break;
		case ATTEND_PACK_INT4:
			for (size_t s = 0; s < steps; s++)
				for (size_t c = 0; c < width; c++)
					j->table->pack_int4(step + s * j->step_bytes, nr, offset + c,
					                    c < columns ? part + c * PART + s * depth : zeros);
			break;
		}
	}
	if (j->type == ATTEND_PACK_INT8)
		memcpy(tail + nr * sizeof(float) + offset * sizeof(int32_t), sum, width * sizeof(int32_t));
}

static pack_job make_job(attend_pack_type type, size_t k, size_t n0, size_t n, const void *src, attend_dtype dtype,
                         size_t stride_out, size_t stride_in)
{
	const struct attend_gemm_table *table = attend_gemm_kernels();
	return (pack_job){
		.table = table,
		.type = type,
		.k = k,
		.steps = attend_type_steps(table, type, k),
		.step_bytes = attend_type_step_bytes(table, type),
		.panel_bytes = attend_type_panel_bytes(table, type, k),
		.n0 = n0,
		.n1 = n0 + n,
		.src = src,
		.dtype = dtype,
		.element = attend_dtype_bits(dtype) / 8,
		.stride_out = stride_out,
		.stride_in = stride_in,
	};
}

void attend_pack(const attend_packed *packed, size_t n0, size_t n, const void *src, attend_dtype dtype,
                 size_t stride_out, size_t stride_in)
{
	if (n == 0) return;
	pack_job job = make_job(packed->type, packed->k, n0, n, src, dtype, stride_out, stride_in);
	const size_t nr = job.table->nr;
	job.panels = packed->data;
	job.n = packed->n;
	attend_run_tasks((n0 + n - 1) / nr - n0 / nr + 1, pack_task, &job, n * packed->k);
}

bool attend_unpacked_fits(const attend_unpacked *w)
{
	const size_t nr = attend_gemm_kernels()->nr;
	for (size_t i = 0; i + 1 < w->part_count; i++)
		if (w->parts[i].n % nr != 0) return false;
	return w->type <= ATTEND_PACK_BF16;
}

void attend_unpacked_lay(unsigned char *to, const attend_unpacked *w, size_t panel, size_t s0, size_t steps)
{
	const size_t nr = attend_gemm_kernels()->nr, column = panel * nr;
	size_t first = 0, i = 0;
	while (i + 1 < w->part_count && first + w->parts[i].n <= column) first += w->parts[i++].n;
	const struct attend_unpacked_part *part = &w->parts[i];
	const pack_job job =
		make_job(w->type, w->k, first, part->n, part->src, part->dtype, part->stride_out, part->stride_in);
	const size_t rest = first + part->n - column;
	/* What comes next: the same rows further on, or those of the next panel. */
	const size_t ahead = s0 + steps < job.steps ? steps : nr * job.steps - s0;
	lay(&job, to, 0, column, rest < nr ? rest : nr, nr, s0, steps, ahead);
}
