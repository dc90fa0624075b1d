/* test_grad_frozen.c: frozen parts cost nothing: which blocks a backward pass goes through, counted at the calls themselves.
 * ctest-wrap: attend_block_backward
 * ctest-wrap: attend_block_forward
 * ctest-wrap: attend_embeddings_backward */
#include "tests/support/check.h"
#include "tests/support/small_network.h"

#include "lib/nn/session_state.h"

enum { SEQUENCES = 3 };
static const size_t lengths[SEQUENCES] = {5, 1, 7};
static size_t forwards, backwards, ends, embeddings; /* ends: blocks that pass no gradient on */

void __real_attend_block_backward(attend_pass *pass, bool below);
void __wrap_attend_block_backward(attend_pass *pass, bool below);
void __wrap_attend_block_backward(attend_pass *pass, bool below)
{
	backwards++;
	ends += !below;
	__real_attend_block_backward(pass, below);
}

attend_status __real_attend_block_forward(attend_pass *pass, float *x);
attend_status __wrap_attend_block_forward(attend_pass *pass, float *x);
attend_status __wrap_attend_block_forward(attend_pass *pass, float *x)
{
	forwards++;
	return __real_attend_block_forward(pass, x);
}

void __real_attend_embeddings_backward(attend_pass *pass, float *dx);
void __wrap_attend_embeddings_backward(attend_pass *pass, float *dx);
void __wrap_attend_embeddings_backward(attend_pass *pass, float *dx)
{
	embeddings++;
	__real_attend_embeddings_backward(pass, dx);
}

/* Heads, pooler, and blocks from *payload on (0: embeddings too). */
static bool from_layer(const attend_param *p, void *payload)
{
	const int lowest = *(const int *)payload;
	return p->stack == -1 || lowest == 0 || (p->block >= 0 && p->block >= lowest);
}

/* One step with everything below block `lowest` frozen; returns the memory that the session took. */
static size_t step(int lowest, int layers, bool recompute)
{
	small_network small;
	small_batch batch;
	attend_session *session;
	size_t bytes;
	small_network_make(&small, SMALL_BERT, 5);
	attend_network *n = &small.network;
	assert_int_equal(n->arch.encoder.layers, layers);
	assert_ok(attend_network_make_trainable(n, from_layer, &lowest));
	small_batch_make(&batch, &n->arch.encoder, lengths, SEQUENCES, 21);
	const attend_session_options options = {.max_tokens = 16,
	                                        .max_sequences = SEQUENCES,
	                                        .training = true,
	                                        .recompute = recompute};
	assert_ok(attend_session_measure(&bytes, n, &options));
	assert_ok(attend_session_new(&session, n, &options));
	const int32_t labels[SEQUENCES] = {1, 0, 1};
	const attend_targets targets = {.labels = labels};
	attend_loss loss;
	const int head = attend_network_find_head(n, ATTEND_HEAD_SEQUENCE);
	attend_network_zero_grad(n);
	assert_ok(attend_session_encode(session, &batch.batch, NULL));
	assert_ok(attend_session_loss(session, (size_t)head, &targets, 1, &loss));
	forwards = backwards = ends = embeddings = 0;
	assert_ok(attend_session_backward(session));
	attend_session_free(session);
	small_network_free(&small);
	return bytes;
}

static void test_counts(void **state)
{
	(void)state;
	enum { LAYERS = 2 };
	for (int recompute = 0; recompute < 2; recompute++) {
		size_t more = 0;
		for (int lowest = LAYERS; lowest >= 0; lowest--) {
			const size_t bytes = step(lowest, LAYERS, recompute), learning = (size_t)(LAYERS - lowest);
			assert_int_equal(backwards, learning);
			assert_int_equal(forwards, recompute ? learning : 0);
			assert_int_equal(embeddings, lowest == 0);
			assert_int_equal(ends, lowest > 0 && lowest < LAYERS); /* the lowest one gives nothing on */
			assert_true(bytes >= more);                            /* nor is anything kept below it */
			assert_true(recompute || lowest == LAYERS || bytes > more);
			more = bytes;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_counts)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
