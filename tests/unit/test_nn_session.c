/* test_nn_session.c: sessions: what they refuse and how, what they reserve, cache bookkeeping, masks, observers, evaluation
 * inside training, losses on small numbers that can be checked by hand. */
#include <math.h>

#include "tests/support/check.h"
#include "tests/support/small_network.h"

static void open_session(attend_session **out, small_network *small, const attend_session_options *options)
{
	assert_ok(attend_session_new(out, &small->network, options));
}

static void test_refusals(void **state)
{
	(void)state;
	small_network small;
	attend_session *session;
	small_network_make(&small, SMALL_BERT, 1);
	const attend_session_options none = {0}, training = {.max_tokens = 4, .max_sequences = 1, .training = true};
	const attend_session_options cache = {.max_tokens = 4, .max_sequences = 1, .cache_slots = 1, .cache_length = 8};
	const attend_session_options huge = {.max_tokens = SIZE_MAX / 64, .max_sequences = 1};
	assert_fails(ATTEND_ERR_ARG, "max_tokens", attend_session_new(&session, &small.network, &none));
	assert_fails(ATTEND_ERR_ARG, "trainable", attend_session_new(&session, &small.network, &training));
	assert_fails(ATTEND_ERR_ARG, "decoder", attend_session_new(&session, &small.network, &cache));
	assert_fails(ATTEND_ERR_ARG, "too large", attend_session_new(&session, &small.network, &huge));

	const attend_session_options options = {.max_tokens = 8, .max_sequences = 2, .max_length = 6};
	open_session(&session, &small, &options);
	static const size_t fine[] = {0, 3, 5}, falling[] = {0, 3, 1}, late[] = {1, 3, 5}, many[] = {0, 1, 2, 3},
						wide[] = {0, 6, 9};
	static const size_t longer[] = {0, 7, 8};
	static const int32_t ids[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, off[9] = {1, 2, 3, 40, 5}, negative[9] = {1, -1};
	static const int32_t types[9] = {0, 1, 2}, positions[9] = {0, 1, 300};
	float logits[64];
	assert_fails(ATTEND_ERR_ARG, "before encode", attend_session_head(session, 0, NULL, 5, logits));
	attend_batch b = {.sequences = 2, .offsets = fine, .ids = off};
	assert_fails(ATTEND_ERR_DATA, "sequence 1, token 0: id 40", attend_session_encode(session, &b, NULL));
	b.ids = negative;
	assert_fails(ATTEND_ERR_DATA, "sequence 0, token 1: id -1", attend_session_encode(session, &b, NULL));
	b.ids = ids;
	b.types = types;
	assert_fails(ATTEND_ERR_DATA, "token type 2", attend_session_encode(session, &b, NULL));
	b.types = NULL;
	b.positions = positions;
	assert_fails(ATTEND_ERR_DATA, "position 300", attend_session_encode(session, &b, NULL));
	b.positions = NULL;
	b.offsets = falling;
	assert_fails(ATTEND_ERR_ARG, "offsets fall", attend_session_encode(session, &b, NULL));
	b.offsets = late;
	assert_fails(ATTEND_ERR_ARG, "start at 0", attend_session_encode(session, &b, NULL));
	b.offsets = wide;
	assert_fails(ATTEND_ERR_ARG, "9 tokens", attend_session_encode(session, &b, NULL));
	b.offsets = longer;
	assert_fails(ATTEND_ERR_ARG, "sequence 0 has 7 tokens", attend_session_encode(session, &b, NULL));
	b.offsets = many;
	b.sequences = 3;
	assert_fails(ATTEND_ERR_ARG, "3 sequences", attend_session_encode(session, &b, NULL));
	b.sequences = 2;
	b.offsets = fine;
	assert_fails(ATTEND_ERR_ARG, "no decoder", attend_session_decode(session, &b, NULL, NULL));
	assert_ok(attend_session_encode(session, &b, NULL));
	static const size_t rows[] = {0, 5};
	assert_fails(ATTEND_ERR_ARG, "row 5", attend_session_head(session, 0, rows, 2, logits));
	assert_fails(ATTEND_ERR_ARG, "head 9", attend_session_head(session, 9, NULL, 5, logits));
	const int32_t labels[] = {1, 3};
	const attend_targets targets = {.labels = labels};
	attend_loss loss;
	assert_fails(ATTEND_ERR_DATA, "label 3", attend_session_loss(session, 1, &targets, 1.0f, &loss));
	assert_fails(ATTEND_ERR_ARG, "backward", attend_session_backward(session));
	attend_session_free(session);
	small_network_free(&small);
}

/* A text that is longer than the position table. */
static void test_too_long(void **state)
{
	(void)state;
	small_network small;
	attend_session *session;
	small_network_make(&small, SMALL_GPT2, 1);
	const attend_session_options options = {.max_tokens = 301,
	                                        .max_sequences = 1,
	                                        .cache_slots = 1,
	                                        .cache_length = 400};
	open_session(&session, &small, &options);
	static int32_t ids[301];
	static const size_t longer[] = {0, 301}, all[] = {0, 300}, one[] = {0, 1};
	attend_batch b = {.sequences = 1, .offsets = longer, .ids = ids};
	assert_fails(ATTEND_ERR_DATA, "sequence 0 has 301 tokens: the model takes at most 300",
	             attend_session_decode(session, &b, NULL, NULL));
	int slot;
	assert_ok(attend_session_slots_open(session, 1, NULL, &slot));
	b.offsets = all;
	assert_ok(attend_session_decode(session, &b, &slot, NULL));
	b.offsets = one;
	assert_fails(ATTEND_ERR_DATA, "301 tokens", attend_session_decode(session, &b, &slot, NULL));
	assert_int_equal(attend_session_slot_length(session, slot), 300);
	attend_session_free(session);
	small_network_free(&small);
}

static void test_measure(void **state)
{
	(void)state;
	for (int shape = 0; shape < SMALL_SHAPES; shape++) {
		small_network small;
		small_network_make(&small, (small_shape)shape, 1);
		size_t small_bytes, large_bytes;
		attend_session_options options = {.max_tokens = 16, .max_sequences = 2};
		assert_ok(attend_session_measure(&small_bytes, &small.network, &options));
		options.max_tokens = 160;
		assert_ok(attend_session_measure(&large_bytes, &small.network, &options));
		assert_true(large_bytes > small_bytes);
		attend_network_memory before, after;
		attend_network_measure(&before, &small.network);
		assert_int_equal(before.stored, before.parameters * sizeof(float));
		assert_int_equal(before.training, 0);
		assert_ok(attend_network_make_trainable(&small.network, NULL, NULL));
		attend_network_measure(&after, &small.network);
		assert_int_equal(after.training, 2 * after.parameters * sizeof(float));
		options.training = true;
		size_t training, recompute;
		assert_ok(attend_session_measure(&training, &small.network, &options));
		options.recompute = true;
		assert_ok(attend_session_measure(&recompute, &small.network, &options));
		assert_true(training > large_bytes && recompute < training);
		small_network_free(&small);
	}
}

static void test_cache_limits(void **state)
{
	(void)state;
	small_network small;
	attend_session *session;
	small_network_make(&small, SMALL_GPT2, 1);
	const attend_session_options options = {
		.max_tokens = 130, .max_sequences = 2, .cache_slots = 2, .cache_length = 130, .cache_tokens = 64};
	open_session(&session, &small, &options); /* 1 page + 2 for the slots' last ones */
	int slots[2], fork;
	assert_fails(ATTEND_ERR_NOMEM, "slots are open", attend_session_slots_open(session, 3, NULL, (int[3]){0}));
	assert_ok(attend_session_slots_open(session, 2, NULL, slots));
	assert_fails(ATTEND_ERR_NOMEM, "slots are open", attend_session_slot_fork(session, slots[0], &fork));
	assert_fails(ATTEND_ERR_ARG, "not open", attend_session_slot_fork(session, 7, &fork));
	static int32_t ids[131];
	static const size_t two[] = {0, 128}, pair[] = {0, 64, 128}, one[] = {0, 3};
	attend_batch b = {.sequences = 1, .offsets = two, .ids = ids};
	assert_ok(attend_session_decode(session, &b, &slots[0], NULL)); /* two pages */
	assert_fails(ATTEND_ERR_NOMEM, "cache", attend_session_decode(session, &b, &slots[1], NULL));
	assert_int_equal(attend_session_slot_length(session, slots[1]), 0);
	b.offsets = one;
	assert_fails(ATTEND_ERR_ARG, "grows to 131", attend_session_decode(session, &b, &slots[0], NULL));
	attend_session_slot_free(session, slots[0]);
	assert_fails(ATTEND_ERR_ARG, "not open", attend_session_decode(session, &b, &slots[0], NULL));
	assert_ok(attend_session_slots_open(session, 1, NULL, &slots[0]));
	b = (attend_batch){.sequences = 2, .offsets = pair, .ids = ids};
	assert_ok(attend_session_decode(session, &b, slots, NULL));
	/* a fork shares; freeing both gives every page back */
	attend_session_slot_free(session, slots[1]);
	assert_ok(attend_session_slot_fork(session, slots[0], &slots[1]));
	for (int i = 0; i < 2; i++) attend_session_slot_free(session, slots[i]);
	attend_session_slot_free(session, slots[0]); /* twice is nothing */
	assert_ok(attend_session_slots_open(session, 2, NULL, slots));
	b = (attend_batch){.sequences = 1, .offsets = two, .ids = ids};
	assert_ok(attend_session_decode(session, &b, &slots[0], NULL));
	attend_session_free(session);
	small_network_free(&small);
}

/* Hiding the future by an extra mask is being causal; hiding a key from all is not having it, where positions are given. */
static void test_masks(void **state)
{
	(void)state;
	small_network small, causal;
	attend_session *session, *other;
	small_network_make(&small, SMALL_BERT, 1);
	small_network_make(&causal, SMALL_BERT, 1);
	causal.network.arch.encoder.causal = true;
	const attend_session_options options = {.max_tokens = 12, .max_sequences = 1};
	open_session(&session, &small, &options);
	open_session(&other, &causal, &options);
	static const size_t length = 9;
	small_batch b;
	small_batch_make(&b, &small.network.arch.encoder, &length, 1, 3);
	uint8_t hidden[81], column[81] = {0};
	for (size_t i = 0; i < 9; i++)
		for (size_t j = 0; j < 9; j++) hidden[9 * i + j] = j > i;
	const uint8_t *list = hidden;
	b.batch.hidden_keys = &list;
	const float *x, *y;
	assert_ok(attend_session_encode(session, &b.batch, &x));
	b.batch.hidden_keys = NULL;
	assert_ok(attend_session_encode(other, &b.batch, &y));
	for (size_t i = 0; i < 9 * 12; i++) assert_true(fabsf(x[i] - y[i]) < 1e-5f);

	for (size_t i = 0; i < 9; i++) column[9 * i + 4] = 1;
	list = column;
	b.batch.hidden_keys = &list;
	assert_ok(attend_session_encode(session, &b.batch, &x));
	float kept[9 * 12];
	memcpy(kept, x, sizeof kept);
	int32_t ids[8], types[8], positions[8];
	for (int32_t i = 0; i < 8; i++) {
		const int32_t from = i + (i >= 4);
		ids[i] = b.ids[from];
		types[i] = b.types[from];
		positions[i] = from;
	}
	static const size_t offsets[] = {0, 8};
	const attend_batch fewer = {.sequences = 1, .offsets = offsets, .ids = ids, .types = types, .positions = positions};
	assert_ok(attend_session_encode(session, &fewer, &x));
	for (size_t i = 0; i < 8; i++)
		for (size_t k = 0; k < 12; k++) assert_true(fabsf(x[12 * i + k] - kept[12 * (i + (i >= 4)) + k]) < 1e-5f);
	attend_session_free(session);
	attend_session_free(other);
	small_network_free(&small);
	small_network_free(&causal);
}

typedef struct seen {
	size_t hidden, maps, stop;
	float sums;
} seen;

static bool see_hidden(void *payload, int stack, int stream, size_t layer, const float *x, size_t rows, size_t width)
{
	seen *s = payload;
	assert_int_equal(layer, s->hidden % 3);
	assert_true(stack == 0 && stream == 0 && x != NULL && rows == 9 && width == 12);
	return ++s->hidden != s->stop;
}

static bool see_attention(void *payload, int stack, int stream, size_t layer, bool cross, size_t sequence,
                          const float *p, size_t heads, size_t tq, size_t tk)
{
	seen *s = payload;
	assert_true(stack == 0 && stream == 0 && layer < 2 && !cross && sequence < 2 && heads == 2 && tq == tk);
	for (size_t i = 0; i < heads * tq * tk; i++) s->sums += p[i];
	s->maps++;
	return true;
}

static void test_observer(void **state)
{
	(void)state;
	small_network small;
	attend_session *session;
	small_network_make(&small, SMALL_BERT, 1);
	const attend_session_options options = {.max_tokens = 12, .max_sequences = 2};
	open_session(&session, &small, &options);
	static const size_t lengths[] = {5, 4};
	small_batch b;
	small_batch_make(&b, &small.network.arch.encoder, lengths, 2, 3);
	seen s = {0};
	const attend_observer observer = {see_hidden, see_attention, &s};
	attend_session_set_observer(session, &observer);
	assert_ok(attend_session_encode(session, &b.batch, NULL));
	assert_int_equal(s.hidden, 3);
	assert_int_equal(s.maps, 4);
	assert_true(fabsf(s.sums - 2.0f * 2.0f * 9.0f) < 1e-4f); /* rows of probabilities add up to 1 */
	s = (seen){.stop = 2};
	assert_fails(ATTEND_ERR_CANCELLED, "layer 1", attend_session_encode(session, &b.batch, NULL));
	attend_session_free(session);
	small_network_free(&small);
}

/* A training session evaluates with the bits of an inference session, also with dropout rates, also between its steps. */
static void test_evaluating(void **state)
{
	(void)state;
	for (int shape = 0; shape < SMALL_SHAPES; shape++) {
		small_network plain, trained;
		attend_session *one, *two;
		small_network_make(&plain, (small_shape)shape, 1);
		small_network_make(&trained, (small_shape)shape, 1);
		attend_arch *arch = &trained.network.arch;
		arch->encoder.dropout_hidden = arch->decoder.dropout_hidden = 0.5f;
		assert_ok(attend_network_make_trainable(&trained.network, NULL, NULL));
		attend_session_options options = {.max_tokens = 12, .max_sequences = 2};
		open_session(&one, &plain, &options);
		options.training = true;
		open_session(&two, &trained, &options);
		static const size_t lengths[] = {5, 4};
		small_batch e, d;
		const float *x = NULL, *y = NULL, *z = NULL;
		if (arch->has_encoder) small_batch_make(&e, &arch->encoder, lengths, 2, 3);
		if (arch->has_decoder) small_batch_make(&d, &arch->decoder, lengths, 2, 4);
		attend_session_set_dropout(two, true, 1, 1);
		for (int round = 0; round < 2; round++) {
			attend_session_set_evaluating(two, round == 1);
			if (arch->has_encoder) {
				assert_ok(attend_session_encode(one, &e.batch, &x));
				assert_ok(attend_session_encode(two, &e.batch, round == 0 ? &z : &y));
			}
			if (arch->has_decoder) {
				assert_ok(attend_session_decode(one, &d.batch, NULL, &x));
				assert_ok(attend_session_decode(two, &d.batch, NULL, round == 0 ? &z : &y));
			}
			const size_t bytes = 9 * (arch->has_decoder ? &arch->decoder : &arch->encoder)->hidden * sizeof *x;
			if (round == 0) assert_memory_not_equal(x, z, bytes);
			else assert_memory_equal(x, y, bytes);
		}
		attend_session_free(one);
		attend_session_free(two);
		small_network_free(&plain);
		small_network_free(&trained);
	}
}

/* Losses of a batch against sums made here from the logits that the head gives. */
static void test_losses(void **state)
{
	(void)state;
	small_network small;
	attend_session *session;
	small_network_make(&small, SMALL_BERT, 1);
	const attend_session_options options = {.max_tokens = 12, .max_sequences = 4};
	open_session(&session, &small, &options);
	static const size_t lengths[] = {5, 4, 0, 2};
	small_batch b;
	small_batch_make(&b, &small.network.arch.encoder, lengths, 4, 3);
	assert_ok(attend_session_encode(session, &b.batch, NULL));
	const int token = attend_network_find_head(&small.network, ATTEND_HEAD_TOKEN);
	float logits[11 * 5];
	assert_ok(attend_session_head(session, (size_t)token, NULL, 11, logits));
	static const int32_t labels[11] = {0, -100, 4, 2, 2, -100, -100, 1, 3, 0, 0};
	static const float weights[5] = {1.0f, 0.5f, 2.0f, 3.0f, 0.25f};
	double sum = 0.0, weight = 0.0;
	for (size_t i = 0; i < 11; i++) {
		if (labels[i] < 0) continue;
		double total = 0.0;
		for (size_t c = 0; c < 5; c++) total += exp((double)logits[5 * i + c]);
		const double w = (double)weights[labels[i]];
		sum += w * (log(total) - (double)logits[5 * i + (size_t)labels[i]]);
		weight += w;
	}
	attend_targets t = {.labels = labels, .class_weights = weights};
	attend_loss loss;
	assert_ok(attend_session_loss(session, (size_t)token, &t, 1.0f, &loss));
	assert_true(fabs(loss.loss - sum / weight) < 1e-5);
	t.items = 4.0;
	assert_ok(attend_session_loss(session, (size_t)token, &t, 1.0f, &loss));
	assert_true(fabs(loss.loss - sum / 4.0) < 1e-5);
	static const int32_t nothing[11] = {-100, -100, -100, -100, -100, -100, -100, -100, -100, -100, -100};
	t = (attend_targets){.labels = nothing};
	assert_ok(attend_session_loss(session, (size_t)token, &t, 1.0f, &loss));
	assert_true(isnan(loss.loss));

	/* pooled rows: an empty sequence gives zeros */
	float pooled[4 * 3];
	const int sequence = attend_network_find_head(&small.network, ATTEND_HEAD_SEQUENCE);
	assert_ok(attend_session_head(session, (size_t)sequence, NULL, 4, pooled));
	for (size_t c = 0; c < 3; c++) assert_true(pooled[6 + c] == 0.0f && pooled[c] != 0.0f);
	static const float values[12] = {0.5f, -1.0f, 2.0f, 0.0f, 1.0f, 1.0f, 0.0f, 0.0f, 0.0f, 3.0f, 0.0f, 1.0f};
	sum = 0.0;
	for (size_t i = 0; i < 12; i++) sum += pow((double)pooled[i] - (double)values[i], 2.0);
	t = (attend_targets){.values = values, .problem = ATTEND_PROBLEM_REGRESSION};
	assert_ok(attend_session_loss(session, (size_t)sequence, &t, 1.0f, &loss));
	assert_true(fabs(loss.loss - sum / 12.0) < 1e-5);
	attend_session_free(session);
	small_network_free(&small);
}

/* Two threads, a session each, one network that neither has packed: the bits of one thread alone. */
typedef struct shared_run {
	attend_network *network;
	const small_batch *batch;
	float hidden[9 * 12];
	attend_status status;
} shared_run;

static void *run_shared(void *arg)
{
	shared_run *r = arg;
	const attend_session_options options = {.max_tokens = 12, .max_sequences = 2};
	attend_session *session = NULL;
	const float *x = NULL;
	r->status = attend_session_new(&session, r->network, &options);
	for (int i = 0; i < 20 && r->status == ATTEND_OK; i++)
		r->status = attend_session_encode(session, &r->batch->batch, &x);
	if (r->status == ATTEND_OK) memcpy(r->hidden, x, sizeof r->hidden);
	attend_session_free(session);
	return NULL;
}

static void test_shared_network(void **state)
{
	(void)state;
	small_network small;
	small_network_make(&small, SMALL_BERT, 1);
	static const size_t lengths[] = {5, 4};
	small_batch b;
	small_batch_make(&b, &small.network.arch.encoder, lengths, 2, 3);
	static shared_run runs[3];
	pthread_t threads[2];
	for (size_t i = 0; i < 3; i++) runs[i] = (shared_run){.network = &small.network, .batch = &b};
	for (size_t i = 0; i < 2; i++) assert_int_equal(pthread_create(&threads[i], NULL, run_shared, &runs[i]), 0);
	for (size_t i = 0; i < 2; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
	run_shared(&runs[2]);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(runs[i].status, ATTEND_OK);
		assert_memory_equal(runs[i].hidden, runs[2].hidden, sizeof runs[2].hidden);
	}
	small_network_free(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals),     cmocka_unit_test(test_too_long), cmocka_unit_test(test_measure),
		cmocka_unit_test(test_cache_limits), cmocka_unit_test(test_masks),    cmocka_unit_test(test_observer),
		cmocka_unit_test(test_evaluating),   cmocka_unit_test(test_losses),   cmocka_unit_test(test_shared_network),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
