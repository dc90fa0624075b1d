/* test_fault_loaders.c: loading, inspecting and saving checkpoints while memory, mappings, reads or writes fail. After a failed
 * save the folder's old files are whole. */
#include <unistd.h>

#include "lib/attend.h"
#include "loaders/checkpoint.h"
#include "tests/support/check.h"
#include "tests/support/fault.h"

#define SINGLE  "tests/golden/checkpoints/bert_seqcls_single"
#define SHARDED "tests/golden/checkpoints/bertfile_sharded"
#define SEQ2SEQ "tests/golden/checkpoints/marian_split_vocab"

static attend_status load(void *arg)
{
	attend_checkpoint *c = NULL;
	const attend_status status = attend_checkpoint_load(&c, arg, NULL);
	if (status == ATTEND_OK) attend_checkpoint_free(c);
	else assert_null(c);
	return status;
}

static void test_load(void **state)
{
	(void)state;
	static char single[] = SINGLE, sharded[] = SHARDED, seq2seq[] = SEQ2SEQ, torch[] = "tests/data/pytorch_bert";
	fault_sweep(FAULT_MEMORY, 40, load, single);
	fault_sweep(FAULT_MEMORY, 10, load, sharded);
	fault_sweep(FAULT_MEMORY, 10, load, seq2seq);
	fault_sweep(FAULT_MEMORY, 40, load, torch);
	fault_sweep(FAULT_MAP | FAULT_READ, 20, load, torch);
	fault_sweep(FAULT_MAP, 20, load, sharded);
	fault_sweep(FAULT_READ, 40, load, sharded);
}

static attend_status load_new_head(void *arg)
{
	static const char *const labels[] = {"a", "b", "c", "d"};
	const attend_bind_options options = {
		.has_head = true, .head = ATTEND_HEAD_TOKEN, .new_head = true, .labels = labels, .label_count = 4};
	attend_checkpoint *c = NULL;
	const attend_status status = attend_checkpoint_load(&c, arg, &options);
	if (status == ATTEND_OK) attend_checkpoint_free(c);
	return status;
}

static void test_new_head(void **state)
{
	(void)state;
	static char single[] = SINGLE;
	fault_sweep(FAULT_MEMORY, 20, load_new_head, single);
}

static attend_status inspect(void *arg)
{
	char *text = NULL;
	const attend_status status = attend_inspect(&text, arg, true);
	free(text);
	return status;
}

static void test_inspect(void **state)
{
	(void)state;
	static char single[] = SINGLE;
	fault_sweep(FAULT_MEMORY, 20, inspect, single);
}

typedef struct save_job {
	const attend_checkpoint *checkpoint;
	char dir[64];
} save_job;

static attend_status save(void *arg)
{
	const save_job *job = arg;
	return attend_checkpoint_save(job->checkpoint, job->dir, NULL);
}

static attend_status save_and_look(void *arg)
{
	const save_job *job = arg;
	const attend_status status = save(arg);
	/* whatever happened, what is there loads: the old folder or the new one */
	fault_disarm();
	attend_checkpoint *c;
	assert_ok(attend_checkpoint_load(&c, job->dir, NULL));
	attend_checkpoint_free(c);
	return status;
}

static void test_save(void **state)
{
	(void)state;
	save_job job = {.dir = "/tmp/attend_fault_XXXXXX"};
	attend_checkpoint *c;
	char command[128];
	assert_non_null(mkdtemp(job.dir));
	assert_ok(attend_checkpoint_load(&c, SINGLE, NULL));
	job.checkpoint = c;
	assert_ok(save(&job));
	for (size_t k = 1; k < 60; k++) {
		fault_arm(FAULT_WRITE, k, false);
		(void)save_and_look(&job);
		fault_arm(FAULT_WRITE, k, true);
		(void)save_and_look(&job);
	}
	fault_sweep(FAULT_WRITE | FAULT_MEMORY, 30, save, &job);
	attend_checkpoint_free(c);
	snprintf(command, sizeof command, "rm -rf %s", job.dir);
	assert_int_equal(system(command), 0);
}

/* The new folder is whole or not there, and nothing lies beside it. */
static attend_status convert(void *arg)
{
	const char *dir = arg;
	char out[96], command[256];
	snprintf(out, sizeof out, "%s/new", dir);
	const attend_convert_options options = {.type = ATTEND_STORE_INT4, .max_shard_bytes = 8192};
	const attend_status status = attend_convert(SINGLE, out, &options);
	(void)fault_disarm();
	attend_checkpoint *c;
	if (access(out, F_OK) == 0) {
		assert_ok(attend_checkpoint_load(&c, out, NULL));
		attend_checkpoint_free(c);
	} else {
		assert_int_not_equal(status, ATTEND_OK);
	}
	snprintf(command, sizeof command, "rm -rf %s && [ -z \"$(ls %s)\" ]", out, dir);
	assert_int_equal(system(command), 0);
	return status;
}

static void test_convert(void **state)
{
	(void)state;
	char dir[64] = "/tmp/attend_fault_XXXXXX";
	assert_non_null(mkdtemp(dir));
	for (size_t k = 1; k < 400; k += k < 60 ? 1 : k / 8)
		for (int all = 0; all < 2; all++) {
			fault_arm(FAULT_WRITE, k, all);
			(void)convert(dir);
			fault_arm(FAULT_MEMORY, k, all);
			(void)convert(dir);
			fault_arm(FAULT_MAP | FAULT_READ, k, all);
			(void)convert(dir);
		}
	fault_disarm();
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_load), cmocka_unit_test(test_new_head),
	                                   cmocka_unit_test(test_inspect), cmocka_unit_test(test_save),
	                                   cmocka_unit_test(test_convert)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
