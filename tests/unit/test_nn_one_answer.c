/* test_nn_one_answer.c: a sequence's numbers are the same bits alone, in any batch, at any number of threads, whole, in chunks,
 * token by token, in a forked or reordered slot (DESIGN.md section 3); for every shape, at every level of this machine. A
 * process per level, each with its own team and networks. ctest-timeout: 300 ctest-valgrind: no */
#include <math.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/kernels/dispatch.h"
#include "tests/support/check.h"
#include "tests/support/small_network.h"

enum { SEQUENCES = 6, WIDE = 8, MOST_TOKENS = 640 }; /* WIDE: feed-forward layers of whole panels */
static const size_t lengths[SEQUENCES] = {70, 1, 130, 0, 64, 33}, decoder_lengths[SEQUENCES] = {66, 3, 9, 2, 1, 40};

typedef struct answer {
	float *hidden, *logits; /* of the whole batch */
	size_t width, outputs;
} answer;

typedef struct fixture {
	small_network small;
	attend_session *session;
	small_batch encoder, decoder;
	const char *name;
	size_t head;
} fixture;

static attend_stack_arch *top(fixture *f)
{
	attend_arch *arch = &f->small.network.arch;
	return arch->has_decoder ? &arch->decoder : &arch->encoder;
}

static small_batch *top_batch(fixture *f)
{
	return f->small.network.arch.has_decoder ? &f->decoder : &f->encoder;
}

static void setup(fixture *f, small_shape shape, attend_pack_type type)
{
	*f = (fixture){.name = small_shape_name(shape)};
	small_network_make_wide(&f->small, shape, 5, WIDE);
	f->small.network.pack_type = type;
	const attend_arch *arch = &f->small.network.arch;
	if (arch->has_encoder) small_batch_make(&f->encoder, &arch->encoder, lengths, SEQUENCES, 21);
	if (arch->has_decoder)
		small_batch_make(&f->decoder, &arch->decoder, arch->has_encoder ? decoder_lengths : lengths, SEQUENCES, 22);
	const attend_session_options options = {
		.max_tokens = MOST_TOKENS,
		.max_sequences = 2 * SEQUENCES,
		.max_length = 130,
		.cache_slots = arch->has_decoder ? 2 * SEQUENCES : 0,
		.cache_length = 130,
		.memory_tokens = 400,
	};
	assert_ok(attend_session_new(&f->session, &f->small.network, &options));
}

static void teardown(fixture *f)
{
	attend_session_free(f->session);
	small_network_free(&f->small);
}

/* Sequences order[0..count-1] of a batch as a batch of their own. */
static void pick(small_batch *out, const small_batch *from, const size_t *order, size_t count)
{
	*out = (small_batch){0};
	size_t n = 0;
	for (size_t i = 0; i < count; i++) {
		out->offsets[i] = n;
		for (size_t t = from->offsets[order[i]]; t < from->offsets[order[i] + 1]; t++, n++) {
			out->ids[n] = from->ids[t];
			out->types[n] = from->types[t];
		}
	}
	out->offsets[count] = n;
	out->batch = (attend_batch){.sequences = count,
	                            .offsets = out->offsets,
	                            .ids = out->ids,
	                            .types = from->batch.types ? out->types : NULL};
}

static void compare(const fixture *f, const char *what, const answer *a, const float *hidden, const float *logits,
                    size_t row, size_t rows)
{
	if (memcmp(hidden, a->hidden + row * a->width, rows * a->width * sizeof *hidden) != 0)
		fail_msg("%s: other bits in hidden states %s (rows %zu of %zu)", f->name, what, row, rows);
	if (logits && memcmp(logits, a->logits + row * a->outputs, rows * a->outputs * sizeof *logits) != 0)
		fail_msg("%s: other bits in logits %s", f->name, what);
}

static const float *run(fixture *f, const small_batch *encoder, const small_batch *decoder)
{
	const attend_arch *arch = &f->small.network.arch;
	const float *hidden = NULL;
	if (arch->has_encoder) assert_ok(attend_session_encode(f->session, &encoder->batch, &hidden));
	if (arch->has_decoder) assert_ok(attend_session_decode(f->session, &decoder->batch, NULL, &hidden));
	return hidden;
}

static answer reference(fixture *f)
{
	const size_t n = top_batch(f)->offsets[SEQUENCES];
	answer a = {.width = top(f)->hidden, .outputs = f->small.network.arch.heads[0].outputs};
	const float *hidden = run(f, &f->encoder, &f->decoder);
	a.hidden = malloc(n * a.width * sizeof *a.hidden);
	a.logits = malloc(n * a.outputs * sizeof *a.logits);
	assert_non_null(a.hidden);
	assert_non_null(a.logits);
	memcpy(a.hidden, hidden, n * a.width * sizeof *hidden);
	assert_ok(attend_session_head(f->session, 0, NULL, n, a.logits));
	for (size_t i = 0; i < n * a.width; i++) assert_true(isfinite(a.hidden[i]));
	return a;
}

static void check_order(fixture *f, const answer *a, const size_t *order, size_t count, const char *what)
{
	small_batch encoder, decoder;
	static float logits[MOST_TOKENS * 64];
	pick(&encoder, &f->encoder, order, count);
	pick(&decoder, &f->decoder, order, count);
	const small_batch *here = f->small.network.arch.has_decoder ? &decoder : &encoder;
	const float *hidden = run(f, &encoder, &decoder);
	assert_true(here->offsets[count] * a->outputs <= sizeof logits / sizeof *logits);
	assert_ok(attend_session_head(f->session, 0, NULL, here->offsets[count], logits));
	for (size_t i = 0; i < count; i++) {
		const size_t at = here->offsets[i], from = top_batch(f)->offsets[order[i]];
		compare(f, what, a, hidden + at * a->width, logits + at * a->outputs, from, here->offsets[i + 1] - at);
	}
}

/* Feed tokens first .. first+count-1 of decoder sequences order[0..sequences-1] to their slots and compare. */
static void feed(fixture *f, const answer *a, const size_t *order, size_t sequences, const int *slots,
                 const size_t *first, const size_t *count, const char *what)
{
	small_batch part = {0};
	size_t n = 0;
	for (size_t i = 0; i < sequences; i++) {
		part.offsets[i] = n;
		for (size_t t = 0; t < count[i]; t++, n++) {
			part.ids[n] = f->decoder.ids[f->decoder.offsets[order[i]] + first[i] + t];
			part.types[n] = f->decoder.types[f->decoder.offsets[order[i]] + first[i] + t];
		}
	}
	part.offsets[sequences] = n;
	part.batch = (attend_batch){.sequences = sequences,
	                            .offsets = part.offsets,
	                            .ids = part.ids,
	                            .types = f->decoder.batch.types ? part.types : NULL};
	const float *hidden;
	assert_ok(attend_session_decode(f->session, &part.batch, slots, &hidden));
	for (size_t i = 0; i < sequences; i++)
		compare(f, what, a, hidden + part.offsets[i] * a->width, NULL, f->decoder.offsets[order[i]] + first[i],
		        count[i]);
}

static void check_cache(fixture *f, const answer *a)
{
	const attend_arch *arch = &f->small.network.arch;
	static const size_t all[SEQUENCES] = {0, 1, 2, 3, 4, 5};
	int slots[SEQUENCES];
	size_t first[SEQUENCES] = {0}, count[SEQUENCES];
	if (arch->has_encoder) assert_ok(attend_session_encode(f->session, &f->encoder.batch, NULL));
	assert_ok(attend_session_slots_open(f->session, SEQUENCES, NULL, slots));
	/* the whole batch in chunks of unequal length, then every sequence token by token */
	for (size_t round = 0; round < 40; round++) {
		bool more = false;
		for (size_t i = 0; i < SEQUENCES; i++) {
			const size_t left = f->decoder.offsets[i + 1] - f->decoder.offsets[i] - first[i];
			const size_t chunk = round < 2 ? 5 + 14 * (i % 3) + 3 * round : 1;
			count[i] = left < chunk ? left : chunk;
			more |= left > 0;
		}
		if (!more) break;
		feed(f, a, all, SEQUENCES, slots, first, count, round < 2 ? "in chunks" : "token by token");
		for (size_t i = 0; i < SEQUENCES; i++) first[i] += count[i];
	}
	/* cut, forked, reordered: sequence 0 to 50 tokens, two copies, one of them goes on alone, then both at once */
	attend_session_slot_truncate(f->session, slots[0], 50);
	assert_int_equal(attend_session_slot_length(f->session, slots[0]), 50);
	int copies[2];
	assert_ok(attend_session_slot_fork(f->session, slots[0], &copies[0]));
	assert_ok(attend_session_slot_fork(f->session, slots[0], &copies[1]));
	static const size_t zero[3] = {0, 0, 0};
	const size_t at[2] = {50, 50}, one[2] = {1, 1}, some[2] = {7, 12};
	feed(f, a, zero, 1, copies, at, one, "in a fork");
	attend_session_slot_truncate(f->session, copies[0], 50);
	feed(f, a, zero, 2, copies, at, some, "in two forks");
	feed(f, a, zero, 1, &slots[0], at, some, "behind a fork");
	const int beams[3] = {slots[0], copies[0], copies[1]};
	static const size_t sources[3] = {2, 0, 0};
	assert_ok(attend_session_slots_reorder(f->session, 3, beams, sources)); /* now of lengths 62, 57, 57 */
	const size_t lengths_now[3] = {62, 57, 57}, three[3] = {4, 2, 5};
	for (size_t i = 0; i < 3; i++) assert_int_equal(attend_session_slot_length(f->session, beams[i]), lengths_now[i]);
	feed(f, a, zero, 3, beams, lengths_now, three, "after reordering");
	for (size_t i = 0; i < SEQUENCES; i++) attend_session_slot_free(f->session, slots[i]);
	for (size_t i = 0; i < 2; i++) attend_session_slot_free(f->session, copies[i]);
}

static void check_shape(small_shape shape, attend_pack_type type, int most_threads)
{
	static const size_t all[SEQUENCES] = {0, 1, 2, 3, 4, 5}, reversed[] = {5, 4, 2, 1, 0}, few[] = {2, 5},
						twice[2 * SEQUENCES] = {0, 1, 2, 3, 4, 5, 5, 4, 3, 2, 1, 0};
	fixture f;
	setup(&f, shape, type);
	assert_ok(attend_set_threads(1));
	answer a = reference(&f);
	for (int threads = 1; threads <= most_threads; threads++) {
		assert_ok(attend_set_threads(threads));
		check_order(&f, &a, all, SEQUENCES, "with other threads");
		check_order(&f, &a, reversed, 5, "in another batch");
		check_order(&f, &a, few, 2, "in a smaller batch");
		check_order(&f, &a, twice, 2 * SEQUENCES, "in a batch of many rows");
		for (size_t i = 0; i < SEQUENCES; i++) check_order(&f, &a, &all[i], 1, "alone");
		if (f.small.network.arch.has_decoder) check_cache(&f, &a);
	}
	free(a.hidden);
	free(a.logits);
	teardown(&f);
}

static void test_shapes(void **state)
{
	(void)state;
	for (int shape = 0; shape < SMALL_SHAPES; shape++) check_shape((small_shape)shape, ATTEND_PACK_F32, 3);
	assert_ok(attend_set_threads(0));
}

static void test_weight_types(void **state)
{
	(void)state;
	static const small_shape shapes[] = {SMALL_BERT, SMALL_MODERN, SMALL_GPT2, SMALL_T5};
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
		for (int type = ATTEND_PACK_BF16; type < ATTEND_PACK_TYPES; type++)
			check_shape(shapes[i], (attend_pack_type)type, 2);
	assert_ok(attend_set_threads(0));
}

/* A few rows of a head give the bits that all rows give. */
static void test_rows(void **state)
{
	(void)state;
	fixture f;
	setup(&f, SMALL_BERT, ATTEND_PACK_F32);
	answer a = reference(&f);
	static const size_t rows[] = {3, 200, 71, 70, 0};
	float logits[5 * 40];
	assert_ok(attend_session_head(f.session, 0, rows, 5, logits));
	for (size_t i = 0; i < 5; i++)
		assert_memory_equal(logits + i * a.outputs, a.logits + rows[i] * a.outputs, a.outputs * sizeof *logits);
	free(a.hidden);
	free(a.logits);
	teardown(&f);
}

/* In a child. */
static int at_level(attend_isa_level level)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_shapes), cmocka_unit_test(test_weight_types),
	                                   cmocka_unit_test(test_rows)};
	fflush(NULL);
	const pid_t child = fork();
	if (child == 0) {
		attend_kernels_force(level);
		if (attend_kernels_level() != level) exit(1);
		exit(cmocka_run_group_tests_name(attend_isa_level_name(level), tests, NULL, NULL));
	}
	int status = 1;
	if (child < 0 || waitpid(child, &status, 0) != child) return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(void)
{
	int failed = 0;
	for (int level = ATTEND_ISA_PORTABLE; level <= ATTEND_ISA_NEONDOT; level++)
		if (attend_cpu_supports((attend_isa_level)level)) failed |= at_level((attend_isa_level)level);
	return failed;
}
