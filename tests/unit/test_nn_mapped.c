/* test_nn_mapped.c: a matrix runs where the file keeps it at its first use and packed from the second on, with the same bits; its
 * pages are then given back; processes share them. */
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/nn/heads.h"
#include "loaders/checkpoint.h"
#include "tests/support/check.h"

enum { TOKENS = 9, RUNS = 3 };

/* Kilobytes of bert-mini's mapping that are in this process's memory ("Rss"), or its share of them ("Pss"). */
static size_t kilobytes(const char *field)
{
	static const char end[] = "/bert-mini/model.safetensors";
	FILE *f = fopen("/proc/self/smaps", "r");
	char line[512];
	size_t sum = 0, kb;
	bool inside = false;
	assert_non_null(f);
	while (fgets(line, sizeof line, f)) {
		const size_t size = strcspn(line, "\n");
		line[size] = 0;
		if (strchr(line, '-') && strstr(line, " r"))
			inside = size >= strlen(end) && !strcmp(line + size - strlen(end), end);
		else if (inside && strncmp(line, field, strlen(field)) == 0 && line[strlen(field)] == ':' &&
		         sscanf(line + strlen(field), ": %zu kB", &kb) == 1)
			sum += kb;
	}
	fclose(f);
	return sum;
}

static void same_bits(void **state)
{
	(void)state;
	static const attend_pack_type types[] = {ATTEND_PACK_F32, ATTEND_PACK_BF16, ATTEND_PACK_INT8};
	for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
		attend_checkpoint *c;
		assert_ok(attend_checkpoint_load(&c, "models/pretrained/bert-mini", NULL));
		attend_network *n = &c->network;
		n->pack_type = types[t];
		attend_session *session;
		const attend_session_options options = {.max_tokens = TOKENS, .max_sequences = 1};
		assert_ok(attend_session_new(&session, n, &options));
		const int head = attend_network_find_head(n, ATTEND_HEAD_MLM);
		assert_true(head >= 0);
		const size_t width = n->arch.encoder.hidden, outputs = n->arch.heads[head].outputs, rows[] = {0, 4};
		float *first = malloc(TOKENS * width * sizeof *first), *logits[2];
		for (size_t i = 0; i < 2; i++) logits[i] = malloc(2 * outputs * sizeof **logits);
		const size_t offsets[] = {0, TOKENS};
		const int32_t ids[TOKENS] = {2, 17, 5, 100, 4, 33, 250, 9, 3};
		const attend_batch batch = {.sequences = 1, .offsets = offsets, .ids = ids};
		const attend_linear *qkv = &n->stacks[0].blocks[0].qkv, *out = &n->heads[head].out;
		size_t before = 0;
		for (int run = 0; run < RUNS; run++) {
			const float *hidden;
			assert_ok(attend_session_encode(session, &batch, &hidden));
			assert_ok(attend_session_head(session, (size_t)head, rows, 2, logits[run != 0]));
			const bool packed = run > 0 || types[t] == ATTEND_PACK_INT8;
			assert_int_equal(atomic_load(&qkv->ready), packed);
			assert_int_equal(atomic_load(&out->ready), packed);
			if (run == 0) {
				memcpy(first, hidden, TOKENS * width * sizeof *first);
				before = kilobytes("Rss");
				continue;
			}
			assert_memory_equal(hidden, first, TOKENS * width * sizeof *first);
			assert_memory_equal(logits[1], logits[0], 2 * outputs * sizeof **logits);
			/* rows of tables that are looked up, and what the system brings along */
			if (types[t] != ATTEND_PACK_INT8) assert_true(kilobytes("Rss") < before / 2);
		}
		for (size_t i = 0; i < 2; i++) free(logits[i]);
		free(first);
		attend_session_free(session);
		attend_checkpoint_free(c);
	}
}

/* What the first run of the encoder reads is mapped beforehand, unless it will be packed, or there is no time. */
static void touched(void **state)
{
	(void)state;
	const attend_bind_options options = {.has_head = true, .head = ATTEND_HEAD_BASE, .in_place = true};
	attend_checkpoint *c;
	assert_ok(attend_checkpoint_load(&c, "models/pretrained/bert-mini", &options));
	attend_network *n = &c->network;
	attend_weights_release(c->weights);
	const size_t before = kilobytes("Rss");
	atomic_bool enough;
	atomic_init(&enough, true);
	attend_network_touch(n, &enough);
	atomic_store(&enough, false);
	n->pack_type = ATTEND_PACK_INT8;
	attend_network_touch(n, &enough);
	assert_int_equal(kilobytes("Rss"), before);
	n->pack_type = ATTEND_PACK_BF16;
	attend_network_touch(n, &enough);
	const attend_linear *up = &n->stacks[0].blocks[0].up;
	const size_t up_bytes = up->in * up->out * attend_dtype_bits(up->parts[0].param->stored.dtype) / 8;
	assert_true(kilobytes("Rss") >= n->stacks[0].block_count * up_bytes / 1024);
	attend_checkpoint_free(c);
}

static void load_and_touch(attend_checkpoint **c)
{
	const attend_bind_options options = {.has_head = true, .head = ATTEND_HEAD_BASE, .in_place = true};
	atomic_bool enough;
	atomic_init(&enough, false);
	assert_ok(attend_checkpoint_load(c, "models/pretrained/bert-mini", &options));
	attend_network_touch(&(*c)->network, &enough);
}

/* Two processes that run a folder where it lies have it in memory once: each counts for half. */
static void shared(void **state)
{
	(void)state;
	int ready[2], done[2];
	char byte = 0;
	attend_checkpoint *c;
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(done), 0);
	fflush(NULL);
	const pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		close(done[1]);
		load_and_touch(&c);
		_exit(write(ready[1], &byte, 1) == 1 && read(done[0], &byte, 1) == 0 ? 0 : 1);
	}
	close(ready[1]);
	load_and_touch(&c);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	const size_t all = kilobytes("Rss"), own = kilobytes("Pss");
	close(done[1]);
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	close(ready[0]);
	close(done[0]);
	attend_checkpoint_free(c);
	print_message("%zu kB in memory, of them this process's share %zu kB\n", all, own);
	assert_true(own <= all / 2 + all / 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(same_bits), cmocka_unit_test(touched),
	                                   cmocka_unit_test(shared)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
