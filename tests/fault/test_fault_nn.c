/* test_fault_nn.c: a steady step of a session allocates nothing: encoding, generating across pages, training; and every
 * allocation that making a session, packing and making a network trainable need may fail. */
#include "tests/support/check.h"
#include "tests/support/fault.h"
#include "tests/support/small_network.h"

static const size_t lengths[] = {9, 3, 14, 1}, decoder_lengths[] = {4, 6, 2, 5};
enum { SEQUENCES = 4 };

typedef struct fixture {
	small_network small;
	attend_session *session;
	small_batch encoder, decoder;
} fixture;

static void setup(fixture *f, small_shape shape, bool training)
{
	*f = (fixture){0};
	small_network_make(&f->small, shape, 5);
	const attend_arch *arch = &f->small.network.arch;
	if (training) assert_ok(attend_network_make_trainable(&f->small.network, NULL, NULL));
	if (arch->has_encoder) small_batch_make(&f->encoder, &arch->encoder, lengths, SEQUENCES, 21);
	if (arch->has_decoder) small_batch_make(&f->decoder, &arch->decoder, decoder_lengths, SEQUENCES, 22);
	const attend_session_options options = {
		.max_tokens = 40,
		.max_sequences = SEQUENCES,
		.training = training,
		.cache_slots = arch->has_decoder && !training ? 2 * SEQUENCES : 0,
		.cache_length = 150,
	};
	assert_ok(attend_session_new(&f->session, &f->small.network, &options));
}

static void teardown(fixture *f)
{
	attend_session_free(f->session);
	small_network_free(&f->small);
}

static void encode_step(fixture *f)
{
	static float logits[40 * 40];
	const attend_arch *arch = &f->small.network.arch;
	if (arch->has_encoder) assert_ok(attend_session_encode(f->session, &f->encoder.batch, NULL));
	if (arch->has_decoder) assert_ok(attend_session_decode(f->session, &f->decoder.batch, NULL, NULL));
	const size_t rows = (arch->has_decoder ? &f->decoder : &f->encoder)->offsets[SEQUENCES];
	assert_ok(attend_session_head(f->session, 0, NULL, rows, logits));
}

static void train_step(fixture *f)
{
	attend_network *n = &f->small.network;
	int32_t labels[64];
	for (size_t i = 0; i < 64; i++) labels[i] = i % 3 ? (int32_t)(i % 40) : -100;
	const attend_targets targets = {.labels = labels};
	attend_loss loss;
	attend_network_zero_grad(n);
	attend_session_set_dropout(f->session, true, 1, 2);
	if (n->arch.has_encoder) assert_ok(attend_session_encode(f->session, &f->encoder.batch, NULL));
	if (n->arch.has_decoder) assert_ok(attend_session_decode(f->session, &f->decoder.batch, NULL, NULL));
	assert_ok(attend_session_loss(f->session, 0, &targets, 1.0f, &loss));
	assert_ok(attend_session_backward(f->session));
	attend_network_refresh(n);
}

static size_t allocations(void (*step)(fixture *), fixture *f)
{
	step(f); /* packs */
	fault_arm(FAULT_MEMORY, 0, false);
	step(f);
	step(f);
	return fault_disarm();
}

static void test_steady_steps(void **state)
{
	(void)state;
	for (int shape = 0; shape < SMALL_SHAPES; shape++) {
		fixture f;
		setup(&f, (small_shape)shape, false);
		assert_int_equal(allocations(encode_step, &f), 0);
		teardown(&f);
		setup(&f, (small_shape)shape, true);
		assert_int_equal(allocations(train_step, &f), 0);
		teardown(&f);
	}
}

/* Beams that fork, move and grow over page boundaries. */
static void test_steady_generation(void **state)
{
	(void)state;
	static const small_shape shapes[] = {SMALL_GPT2, SMALL_T5, SMALL_BART};
	static const size_t offsets[] = {0, 1, 2, 3, 4}, sources[] = {1, 1, 0, 3};
	static const int32_t ids[] = {5, 6, 7, 8};
	for (size_t i = 0; i < 3; i++) {
		fixture f;
		int slots[SEQUENCES];
		static float logits[SEQUENCES * 40];
		setup(&f, shapes[i], false);
		if (f.small.network.arch.has_encoder) assert_ok(attend_session_encode(f.session, &f.encoder.batch, NULL));
		assert_ok(attend_session_slots_open(f.session, SEQUENCES, NULL, slots));
		const attend_batch step = {.sequences = SEQUENCES, .offsets = offsets, .ids = ids};
		assert_ok(attend_session_decode(f.session, &step, slots, NULL));
		assert_ok(attend_session_head(f.session, 0, NULL, SEQUENCES, logits));
		fault_arm(FAULT_MEMORY, 0, false);
		for (size_t t = 1; t < 150; t++) {
			assert_ok(attend_session_decode(f.session, &step, slots, NULL));
			assert_ok(attend_session_head(f.session, 0, NULL, SEQUENCES, logits));
			assert_ok(attend_session_slots_reorder(f.session, SEQUENCES, slots, sources));
		}
		for (size_t s = 0; s < SEQUENCES; s++) attend_session_slot_free(f.session, slots[s]);
		assert_ok(attend_session_slots_open(f.session, SEQUENCES, NULL, slots));
		assert_int_equal(fault_disarm(), 0);
		teardown(&f);
	}
}

static attend_status make_and_run(void *arg)
{
	small_network *small = arg;
	attend_network *n = &small->network;
	static small_batch batch;
	static const size_t few[] = {5, 2};
	small_batch_make(&batch, &n->arch.encoder, few, 2, 1);
	const attend_session_options options = {.max_tokens = 8, .max_sequences = 2};
	attend_session *session;
	ATTEND_TRY(attend_session_new(&session, n, &options));
	const attend_status status = attend_session_encode(session, &batch.batch, NULL);
	attend_session_free(session);
	return status;
}

static attend_status make_trainable(void *arg)
{
	small_network *small = arg;
	return attend_network_make_trainable(&small->network, NULL, NULL);
}

static void test_failures(void **state)
{
	(void)state;
	small_network small;
	small_network_make(&small, SMALL_BERT, 5);
	fault_sweep(FAULT_MEMORY, 64, make_and_run, &small);
	fault_sweep(FAULT_MEMORY, 64, make_trainable, &small);
	fault_sweep(FAULT_MEMORY, 64, make_and_run, &small);
	small_network_free(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_steady_steps), cmocka_unit_test(test_steady_generation),
	                                   cmocka_unit_test(test_failures)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
