/* rotary.c: rotary position embedding (Su et al. 2021, RoFormer) on the halves of each head, as HuggingFace's ModernBERT and
 * Llama lay them out: for t < K/2, angle_t = position * theta^(-2t/K),
 *   x1' = x1 cos - x2 sin, x2' = x2 cos + x1 sin    (backward: the same with -sin).
 * The frequencies and angles are rounded to f32 where the reference rounds them. */
#include <math.h>

#include "lib/kernels/math_portable.h"
#include "lib/kernels/row_table.h"

/* Angles of one row are made in blocks of this many, on the stack. */
enum { ANGLES = 128 };

static void angles(float *cosine, float *sine, float position, const float *frequency, float sign, size_t count)
{
	for (size_t t = 0; t < count; t++) {
		const float angle = position * frequency[t];
		cosine[t] = cosf(angle);
		sine[t] = sign * sinf(angle);
	}
}

static void rotate(float *x1, float *x2, const float *cosine, const float *sine, size_t count)
{
	for (size_t t = 0; t < count; t++) {
		const float a = x1[t], b = x2[t];
		x1[t] = a * cosine[t] - b * sine[t];
		x2[t] = b * cosine[t] + a * sine[t];
	}
}

void attend_rotary_portable(struct attend_row_table *table)
{
	table->angles = angles;
	table->rotate = rotate;
}

typedef struct rotary_job {
	const struct attend_row_table *table;
	float *x;
	size_t ldx, heads, head_dim;
	const int32_t *positions;
	float theta, sign;
	size_t first; /* of the block of angles */
	size_t count;
	float frequency[ANGLES], largest;
} rotary_job;

static void rotary_rows(void *arg, size_t begin, size_t end)
{
	const rotary_job *j = arg;
	const size_t half = j->head_dim / 2;
	float cosine[ANGLES], sine[ANGLES];
	for (size_t r = begin; r < end; r++) {
		const float position = (float)j->positions[r];
		if (fabsf(position) * j->largest <= MATH_ANGLE_END)
			j->table->angles(cosine, sine, position, j->frequency, j->sign, j->count);
		else angles(cosine, sine, position, j->frequency, j->sign, j->count);
		float *x = j->x + r * j->ldx + j->first;
		for (size_t h = 0; h < j->heads; h++, x += j->head_dim) j->table->rotate(x, x + half, cosine, sine, j->count);
	}
}

static void rotary(float *x, size_t ldx, size_t n, size_t heads, size_t head_dim, const int32_t *positions, float theta,
                   float sign)
{
	rotary_job job = {attend_row_kernels(), x, ldx, heads, head_dim, positions, theta, sign, 0, 0, {0}, 0.0f};
	const size_t half = head_dim / 2;
	for (job.first = 0; job.first < half; job.first += ANGLES) {
		job.count = half - job.first < ANGLES ? half - job.first : ANGLES;
		job.largest = 0.0f;
		for (size_t t = 0; t < job.count; t++) {
			const float exponent = (float)(2 * (job.first + t)) / (float)head_dim;
			const float frequency = 1.0f / (float)pow((double)theta, (double)exponent);
			job.frequency[t] = frequency;
			if (!(frequency <= job.largest)) job.largest = isnan(frequency) ? INFINITY : frequency;
		}
		attend_split(n, job.count * (16 + 4 * heads), rotary_rows, &job);
	}
}

void attend_rotary_forward(float *x, size_t ldx, size_t n, size_t heads, size_t head_dim, const int32_t *positions,
                           float theta)
{
	rotary(x, ldx, n, heads, head_dim, positions, theta, 1.0f);
}

void attend_rotary_backward(float *dx, size_t lddx, size_t n, size_t heads, size_t head_dim, const int32_t *positions,
                            float theta)
{
	rotary(dx, lddx, n, heads, head_dim, positions, theta, -1.0f);
}
