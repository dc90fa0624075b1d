/* test_grad_block.c: the whole backward (embeddings, blocks, cross-attention, heads, losses) of every shape against central
 * differences of the loss along a random direction, parameter by parameter; with dropout, whose masks are pure functions of
 * the seed; recomputing, accumulating, frozen, at several team sizes.
 *
 * The loss is computed in f32, so a difference over a step h is uncertain by about 1e-6 / h; twice that, and two parts in a
 * thousand for higher derivatives, is the tolerance. Mixed precision is held against the f32 gradient: see test_mixed. */
#include <math.h>

#include "lib/core/rng.h"
#include "tests/support/check.h"
#include "tests/support/small_network.h"

typedef struct setup {
	small_network small;
	attend_session *session;
	small_batch encoder, decoder;
	attend_head_kind kinds[3];
	size_t kind_count;
	int32_t labels[512], ends[16];
	float values[512];
	bool dropout;
} setup;

static const size_t lengths[] = {7, 1, 12, 0, 5, 3}, decoder_lengths[] = {4, 6, 2, 1, 3, 5};
enum { SEQUENCES = 6 };

static void plan(setup *s, bool recompute)
{
	const attend_session_options options = {.max_tokens = 40,
	                                        .max_sequences = SEQUENCES,
	                                        .training = true,
	                                        .recompute = recompute};
	attend_session_free(s->session);
	assert_ok(attend_session_new(&s->session, &s->small.network, &options));
}

static void make_wide(setup *s, small_shape shape, bool dropout, size_t times)
{
	*s = (setup){.dropout = dropout};
	small_network_make_wide(&s->small, shape, 7, times);
	attend_network *n = &s->small.network;
	if (dropout) {
		for (int i = 0; i < 2; i++) {
			attend_stack_arch *a = i == 0 ? &n->arch.encoder : &n->arch.decoder;
			a->dropout_embedding = a->dropout_hidden = a->dropout_attention = a->dropout_activation = a->dropout_final =
				0.2f;
			a->no_ffn_output_dropout = shape == SMALL_ALBERT;
		}
		for (size_t i = 0; i < n->arch.head_count; i++) n->arch.heads[i].dropout = 0.2f;
	}
	assert_ok(attend_network_make_trainable(n, NULL, NULL));
	if (n->arch.has_encoder) small_batch_make(&s->encoder, &n->arch.encoder, lengths, SEQUENCES, 3);
	if (n->arch.has_decoder)
		small_batch_make(&s->decoder, &n->arch.decoder, n->arch.has_encoder ? decoder_lengths : lengths, SEQUENCES, 5);
	plan(s, false);
}

static void make(setup *s, small_shape shape, bool dropout)
{
	make_wide(s, shape, dropout, 1);
}

static void unmake(setup *s)
{
	attend_session_free(s->session);
	small_network_free(&s->small);
}

static bool is_choice(attend_head_kind kind)
{
	return kind == ATTEND_HEAD_CHOICE;
}

static attend_targets targets_of(setup *s, const attend_head_arch *head)
{
	const int stack = attend_head_stack(&s->small.network.arch, head);
	const attend_batch *batch = stack == 0 ? &s->encoder.batch : &s->decoder.batch;
	attend_rng rng = {11, (uint64_t)head->kind, 0};
	attend_targets t = {0};
	const size_t rows = attend_head_rows(head, batch), classes = is_choice(head->kind) ? 2 : head->outputs;
	for (size_t i = 0; i < rows; i++)
		s->labels[i] = attend_rng_below(&rng, 4) ? (int32_t)attend_rng_below(&rng, classes) : -100;
	if (head->pooling != ATTEND_POOL_ALL && !is_choice(head->kind) && batch == &s->encoder.batch)
		s->labels[3] = -100; /* the empty sequence */
	if (head->kind == ATTEND_HEAD_QA) {
		for (size_t i = 0; i < SEQUENCES; i++) {
			s->labels[i] = (int32_t)(i % 4) - 1;
			s->ends[i] = (int32_t)(i % 3);
		}
		t.starts = s->labels;
		t.ends = s->ends;
	} else if (head->kind == ATTEND_HEAD_DISCRIMINATOR) {
		for (size_t i = 0; i < rows; i++) s->values[i] = (float)attend_rng_below(&rng, 2);
		t.values = s->values;
	} else {
		t.labels = s->labels;
		t.smoothing = head->kind == ATTEND_HEAD_MLM ? 0.1f : 0.0f;
		t.choices = 2;
	}
	return t;
}

static double run(setup *s, attend_head_kind kind, float grad_scale, bool backward)
{
	attend_network *n = &s->small.network;
	const int head = attend_network_find_head(n, kind);
	assert_true(head >= 0);
	const attend_head_arch *h = &n->arch.heads[head];
	const attend_targets targets = targets_of(s, h);
	attend_loss loss;
	attend_network_refresh(n);
	attend_session_set_dropout(s->session, s->dropout, 99, 4);
	if (n->arch.has_encoder) assert_ok(attend_session_encode(s->session, &s->encoder.batch, NULL));
	if (n->arch.has_decoder && attend_head_stack(&n->arch, h) == 1)
		assert_ok(attend_session_decode(s->session, &s->decoder.batch, NULL, NULL));
	assert_ok(attend_session_loss(s->session, (size_t)head, &targets, grad_scale, &loss));
	if (backward) assert_ok(attend_session_backward(s->session));
	return loss.loss;
}

/* All gradients, one after the other; malloc'ed. */
static float *gradients(const attend_network *n, size_t *count)
{
	*count = 0;
	for (size_t i = 0; i < n->param_count; i++) *count += n->params[i].grad ? n->params[i].count : 0;
	float *all = malloc((*count + 1) * sizeof *all);
	assert_non_null(all);
	size_t at = 0;
	for (size_t i = 0; i < n->param_count; i++) {
		if (n->params[i].grad == NULL) continue;
		memcpy(all + at, n->params[i].grad, n->params[i].count * sizeof *all);
		at += n->params[i].count;
	}
	return all;
}

/* d loss / d (length along `direction`), differences of fourth order. */
static double difference(setup *s, attend_head_kind kind, attend_param *p, const float *at, const float *direction,
                         double step)
{
	static const double steps[4] = {-2.0, -1.0, 1.0, 2.0};
	double loss[4];
	for (int k = 0; k < 4; k++) {
		for (size_t i = 0; i < p->count; i++)
			p->values[i] = (float)((double)at[i] + steps[k] * step * (double)direction[i]);
		loss[k] = run(s, kind, 0.0f, false);
	}
	memcpy(p->values, at, p->count * sizeof *at);
	return (8.0 * (loss[2] - loss[1]) - (loss[3] - loss[0])) / (12.0 * step);
}

static void check_param(setup *s, attend_head_kind kind, attend_param *p, const char *shape)
{
	float *direction = malloc((p->count + 1) * sizeof *direction), *at = malloc((p->count + 1) * sizeof *at);
	assert_non_null(direction);
	assert_non_null(at);
	attend_rng rng = {17, (uint64_t)p->count, 0};
	double along = 0.0;
	for (size_t i = 0; i < p->count; i++) {
		direction[i] = (float)attend_rng_normal(&rng);
		along += (double)p->grad[i] * (double)direction[i];
	}
	memcpy(at, p->values, p->count * sizeof *at);
	const double largest = 1e-2 / sqrt(1.0 + (double)p->count / 64.0);
	double want = 0.0, step = largest;
	for (int i = 0; i < 4; i++, step /= 3.0) { /* sharp attention needs a small step, where rounding weighs more */
		want = difference(s, kind, p, at, direction, step);
		if (fabs(along - want) <= 2e-6 / step + 2e-3 * fabs(want)) break;
		if (i == 3)
			fail_msg("%s, head %s, %s: gradient along a direction %.7g, by differences %.7g (step %.3g)", shape,
			         attend_head_kind_name(kind), p->name, along, want, step);
	}
	free(direction);
	free(at);
}

static void check_head(setup *s, attend_head_kind kind, const char *shape)
{
	attend_network *n = &s->small.network;
	attend_network_zero_grad(n);
	run(s, kind, 1.0f, true);
	size_t count, moved = 0;
	float *kept = gradients(n, &count);
	for (size_t i = 0; i < count; i++) {
		assert_true(isfinite(kept[i]));
		moved += kept[i] != 0.0f;
	}
	assert_true(moved > count / 4);
	for (size_t i = 0; i < n->param_count; i++) {
		size_t at = 0;
		for (size_t j = 0; j < i; j++) at += n->params[j].count;
		memcpy(n->params[i].grad, kept + at,
		       n->params[i].count * sizeof *kept); /* differences went backward in heads */
		check_param(s, kind, &n->params[i], shape);
	}
	free(kept);
}

static void check_shape(small_shape shape, bool dropout, const attend_head_kind *kinds, size_t count)
{
	setup s;
	make(&s, shape, dropout);
	for (size_t i = 0; i < count; i++) check_head(&s, kinds[i], small_shape_name(shape));
	unmake(&s);
}

static void test_encoders(void **state)
{
	(void)state;
	static const attend_head_kind first[] = {ATTEND_HEAD_MLM, ATTEND_HEAD_SEQUENCE};
	static const attend_head_kind lm[] = {ATTEND_HEAD_LM, ATTEND_HEAD_SEQUENCE};
	check_shape(SMALL_BERT, false, first, 2);
	check_shape(SMALL_ALBERT, false, first, 2);
	check_shape(SMALL_MPNET, false, first, 1);
	check_shape(SMALL_MODERN, false, first, 2);
	check_shape(SMALL_XLNET, false, lm, 2);
}

static void test_heads(void **state)
{
	(void)state;
	static const attend_head_kind all[] = {ATTEND_HEAD_TOKEN, ATTEND_HEAD_QA, ATTEND_HEAD_CHOICE, ATTEND_HEAD_NSP,
	                                       ATTEND_HEAD_DISCRIMINATOR};
	check_shape(SMALL_BERT, false, all, 5);
}

static void test_decoder(void **state)
{
	(void)state;
	static const attend_head_kind kinds[] = {ATTEND_HEAD_LM, ATTEND_HEAD_SEQUENCE};
	check_shape(SMALL_GPT2, false, kinds, 2);
}

static void test_encoder_decoders(void **state)
{
	(void)state;
	static const attend_head_kind kinds[] = {ATTEND_HEAD_SEQ2SEQ, ATTEND_HEAD_SEQUENCE, ATTEND_HEAD_TOKEN};
	check_shape(SMALL_T5, false, kinds, 3);
	check_shape(SMALL_UMT5, false, kinds, 2);
	check_shape(SMALL_BART, false, kinds, 1);
	check_shape(SMALL_BRIDGE, false, kinds, 1);
}

static void test_dropout(void **state)
{
	(void)state;
	static const attend_head_kind mlm[] = {ATTEND_HEAD_MLM, ATTEND_HEAD_SEQUENCE}, seq2seq[] = {ATTEND_HEAD_SEQ2SEQ};
	static const attend_head_kind lm[] = {ATTEND_HEAD_LM};
	check_shape(SMALL_BERT, true, mlm, 2);
	check_shape(SMALL_ALBERT, true, mlm, 1);
	check_shape(SMALL_GPT2, true, lm, 1);
	check_shape(SMALL_T5, true, seq2seq, 1);
	check_shape(SMALL_XLNET, true, lm, 1);
}

/* Recomputing, and any number of threads: the same bits. Two backwards add up to twice the gradient, but for rounding. */
static void same_bits(attend_pack_type type)
{
	for (int shape = 0; shape < SMALL_SHAPES; shape++) {
		setup s;
		make_wide(&s, (small_shape)shape, true, 6);
		attend_network *n = &s.small.network;
		n->pack_type = type;
		const attend_head_kind kind = n->arch.heads[0].kind;
		float *first = NULL;
		size_t count;
		for (int round = 0; round < 4; round++) {
			assert_ok(attend_set_threads(round == 0 ? 1 : round + 1));
			plan(&s, round == 2);
			attend_network_zero_grad(n);
			run(&s, kind, 1.0f, true);
			if (round == 3) run(&s, kind, 1.0f, true);
			float *now = gradients(n, &count);
			if (round == 3)
				for (size_t i = 0; i < count; i++)
					assert_true(fabsf(now[i] - 2.0f * first[i]) <= 1e-5f * (1.0f + fabsf(first[i])));
			else if (first && memcmp(first, now, count * sizeof *now) != 0)
				fail_msg("%s: other gradient bits in round %d", small_shape_name((small_shape)shape), round);
			if (first) free(now);
			else first = now;
		}
		free(first);
		unmake(&s);
	}
	assert_ok(attend_set_threads(0));
}

static void test_same_bits(void **state)
{
	(void)state;
	same_bits(ATTEND_PACK_F32);
	same_bits(ATTEND_PACK_BF16);
}

static double distance(const float *a, const float *b, size_t count)
{
	double sum = 0.0;
	for (size_t i = 0; i < count; i++) {
		const double d = (double)a[i] - (b ? (double)b[i] : 0.0);
		sum += d * d;
	}
	return sqrt(sum);
}

/* Mixed precision: factors rounded to bf16 (a relative 2^-9 each) on the way through a few products one behind the other;
 * a parameter's gradient stays within 2^-5 of its length (2^-4 under T5's unscaled scores, whose softmax is sharp: a score of
 * ten is rounded by hundredths), or, where it nearly cancels (key biases), 2^-8 of all gradients'. */
static void test_mixed(void **state)
{
	(void)state;
	for (int shape = 0; shape < SMALL_SHAPES; shape++) {
		setup s;
		make_wide(&s, (small_shape)shape, true, 6);
		attend_network *n = &s.small.network;
		const attend_head_kind kind = n->arch.heads[0].kind;
		size_t count, at = 0;
		const double loss = run(&s, kind, 1.0f, true);
		float *want = gradients(n, &count);
		n->pack_type = ATTEND_PACK_BF16;
		plan(&s, false);
		attend_network_zero_grad(n);
		const double mixed = run(&s, kind, 1.0f, true);
		assert_true(fabs(mixed - loss) < 0x1p-8 * (1.0 + fabs(loss)));
		assert_true(mixed < loss || mixed > loss); /* it did round */
		const double all = distance(want, NULL, count);
		const double tolerance = shape == SMALL_T5 || shape == SMALL_UMT5 ? 0x1p-4 : 0x1p-5;
		for (size_t i = 0; i < n->param_count; at += n->params[i++].count) {
			const attend_param *p = &n->params[i];
			const double off = distance(want + at, p->grad, p->count), length = distance(want + at, NULL, p->count);
			if (!(off <= tolerance * length || off <= 0x1p-8 * all))
				fail_msg("%s: gradient of %s %.3g off, its length %.3g of %.3g", small_shape_name((small_shape)shape),
				         p->name, off, length, all);
		}
		free(want);
		unmake(&s);
	}
}

/* Gradients that are only marked as zeros: what backward does not reach is zero afterwards, whatever stood there; also
 * when they are zeroed twice. */
static void test_zero(void **state)
{
	(void)state;
	setup s;
	make(&s, SMALL_BERT, false);
	attend_network *n = &s.small.network;
	size_t count;
	run(&s, ATTEND_HEAD_SEQUENCE, 1.0f, true);
	float *want = gradients(n, &count);
	for (int times = 1; times <= 3; times++) {
		run(&s, ATTEND_HEAD_MLM, 1.0f, true); /* other heads' gradients, and a dense one of the word embedding */
		for (int i = 0; i < times; i++) attend_network_zero_grad(n);
		if (times < 3) run(&s, ATTEND_HEAD_SEQUENCE, 1.0f, true);
		else attend_network_settle_grad(n);
		float *got = gradients(n, &count);
		for (size_t i = 0; i < count; i++)
			if (got[i] < (times < 3 ? want[i] : 0.0f) || got[i] > (times < 3 ? want[i] : 0.0f))
				fail_msg("element %zu is %.9g after %d times", i, (double)got[i], times);
		free(got);
	}
	free(want);
	unmake(&s);
}

static bool not_lower(const attend_param *p, void *payload)
{
	(void)payload;
	return p->stack == -1 || p->block > 0;
}

static bool only_biases(const attend_param *p, void *payload)
{
	(void)payload;
	return strstr(p->name, "bias") != NULL;
}

/* Frozen parameters: the others' gradients are the same bits. */
static void test_frozen(void **state)
{
	(void)state;
	for (int shape = 0; shape < SMALL_SHAPES; shape++) {
		for (int which = 0; which < 2; which++) {
			setup s;
			make(&s, (small_shape)shape, false);
			attend_network *n = &s.small.network;
			const attend_head_kind kind = n->arch.heads[0].kind;
			run(&s, kind, 1.0f, true);
			float **full = calloc(n->param_count, sizeof *full);
			assert_non_null(full);
			for (size_t i = 0; i < n->param_count; i++) {
				full[i] = malloc(n->params[i].count * sizeof **full);
				assert_non_null(full[i]);
				memcpy(full[i], n->params[i].grad, n->params[i].count * sizeof **full);
			}
			assert_ok(attend_network_make_trainable(n, which == 0 ? not_lower : only_biases, NULL));
			plan(&s, false);
			attend_network_zero_grad(n);
			run(&s, kind, 1.0f, true);
			for (size_t i = 0; i < n->param_count; i++) {
				const attend_param *p = &n->params[i];
				if (p->grad && memcmp(p->grad, full[i], p->count * sizeof **full) != 0)
					fail_msg("%s: %s has another gradient when others are frozen", small_shape_name((small_shape)shape),
					         p->name);
				free(full[i]);
			}
			free(full);
			unmake(&s);
		}
	}
}

static bool only_head(const attend_param *p, void *payload)
{
	(void)payload;
	return p->stack == -1;
}

/* A head on features that were computed once: loss and gradients are those of the whole network with a frozen body. */
static void test_features(void **state)
{
	(void)state;
	setup s;
	make(&s, SMALL_BERT, false);
	attend_network *n = &s.small.network;
	assert_ok(attend_network_make_trainable(n, only_head, NULL));
	plan(&s, false);
	const double whole = run(&s, ATTEND_HEAD_SEQUENCE, 1.0f, true);
	size_t count, again;
	float *want = gradients(n, &count), features[SEQUENCES * 12];
	const float *hidden;
	assert_ok(attend_session_encode(s.session, &s.encoder.batch, &hidden));
	size_t rows = 0;
	for (size_t i = 0; i < SEQUENCES; i++) /* the empty sequence has no feature, and no label below */
		if (lengths[i]) memcpy(features + 12 * rows++, hidden + 12 * s.encoder.offsets[i], 12 * sizeof *hidden);
	const int head = attend_network_find_head(n, ATTEND_HEAD_SEQUENCE);
	float pooled[SEQUENCES * 12];
	assert_ok(attend_session_pooled(s.session, (size_t)head, pooled));
	for (size_t i = 0, row = 0; i < SEQUENCES; i++)
		for (size_t k = 0; k < 12; k++)
			assert_true(pooled[i * 12 + k] == (lengths[i] ? features[row * 12 + k] : 0) &&
			            (k < 11 || (row += lengths[i] > 0, true)));
	attend_targets targets = targets_of(&s, &n->arch.heads[head]);
	memmove(s.labels + 3, s.labels + 4, 2 * sizeof *s.labels);
	attend_network_zero_grad(n);
	attend_loss loss;
	assert_ok(attend_session_set_hidden(s.session, 0, features, rows));
	assert_ok(attend_session_loss(s.session, (size_t)head, &targets, 1.0f, &loss));
	assert_true(fabs(loss.loss - whole) < 1e-6);
	float *got = gradients(n, &again);
	assert_int_equal(count, again);
	for (size_t i = 0; i < count; i++) assert_true(fabsf(want[i] - got[i]) < 1e-6f);
	free(want);
	free(got);
	unmake(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encoders), cmocka_unit_test(test_heads),
		cmocka_unit_test(test_decoder),  cmocka_unit_test(test_encoder_decoders),
		cmocka_unit_test(test_dropout),  cmocka_unit_test(test_same_bits),
		cmocka_unit_test(test_mixed),    cmocka_unit_test(test_zero),
		cmocka_unit_test(test_frozen),   cmocka_unit_test(test_features),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
