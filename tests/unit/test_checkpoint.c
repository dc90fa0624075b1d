/* test_checkpoint.c: folders: what is missing from them, shards and their index, names in the hub's cache, saving in place and
 * beside. */
#include <sys/stat.h>
#include <unistd.h>

#include "lib/core/file.h"
#include "loaders/checkpoint.h"
#include "loaders/safetensors_write.h"
#include "tests/support/check.h"
#include "tests/support/root.h"

static void text_file(const char *name, const char *text)
{
	assert_ok(attend_file_write(in_root(name), text, strlen(text)));
}

static void tensor_file(const char *name, const char *const *names, size_t count)
{
	static const float zeros[4];
	attend_safetensors_item items[8];
	for (size_t i = 0; i < count; i++)
		items[i] = (attend_safetensors_item){names[i], {ATTEND_DTYPE_F32, 1, {4}, zeros}, ATTEND_DTYPE_F32};
	assert_ok(attend_safetensors_write(in_root(name), items, count));
}

static void test_folders(void **state)
{
	(void)state;
	attend_checkpoint *c = NULL;
	assert_fails(ATTEND_ERR_NOTFOUND, "no such folder", attend_checkpoint_load(&c, "/nowhere/at/all", NULL));
	assert_int_equal(mkdir(in_root("empty"), 0777), 0);
	assert_fails(ATTEND_ERR_NOTFOUND, "no config.json in this folder",
	             attend_checkpoint_load(&c, in_root("empty"), NULL));
	text_file("empty/config.json", "{\"model_type\": \"bert\"}");
	assert_fails(ATTEND_ERR_NOTFOUND,
	             "expected model.safetensors or pytorch_model.bin, or the index of one, found neither",
	             attend_checkpoint_load(&c, in_root("empty"), NULL));
	text_file("empty/tf_model.h5", "x");
	assert_fails(ATTEND_ERR_NOTFOUND, "found only tf_model.h5: convert it",
	             attend_checkpoint_load(&c, in_root("empty"), NULL));
	text_file("empty/pytorch_model.bin", "x");
	assert_fails(ATTEND_ERR_FORMAT, "pytorch_model.bin: neither a zip archive nor a pickle",
	             attend_checkpoint_load(&c, in_root("empty"), NULL));
	assert_fails(ATTEND_ERR_NOTFOUND, "expected a model folder, found a file",
	             attend_checkpoint_load(&c, in_root("empty/config.json"), NULL));
	text_file("empty/model.safetensors", "x");
	assert_fails(ATTEND_ERR_FORMAT, "empty/model.safetensors: expected at least 8 bytes, found 1",
	             attend_checkpoint_load(&c, in_root("empty"), NULL));
	text_file("empty/config.json", "{\"model_type\": \"be");
	assert_fails(ATTEND_ERR_FORMAT, "empty/config.json: line 1", attend_checkpoint_load(&c, in_root("empty"), NULL));
	assert_null(c);
}

static void bad_index(const char *index, attend_status status, const char *message)
{
	attend_weights *w = NULL;
	text_file("shards/model.safetensors.index.json", index);
	assert_fails(status, message, attend_weights_open(&w, in_root("shards")));
	assert_null(w);
}

static void test_shards(void **state)
{
	(void)state;
	static const char *const one[] = {"a", "b"}, *const two[] = {"c"};
	attend_weights *w;
	size_t i;
	assert_int_equal(mkdir(in_root("shards"), 0777), 0);
	tensor_file("shards/model-1.safetensors", one, 2);
	tensor_file("shards/model-2.safetensors", two, 1);
	text_file("shards/model.safetensors.index.json",
	          "{\"metadata\": {\"total_size\": 48}, \"weight_map\": {\"c\": \"model-2.safetensors\", \"a\": "
	          "\"model-1.safetensors\", \"b\": \"model-1.safetensors\"}}");
	assert_ok(attend_weights_open(&w, in_root("shards")));
	assert_int_equal(attend_weights_count(w), 3);
	assert_int_equal(attend_weights_file_count(w), 2);
	assert_true(attend_weights_find(&i, w, "c"));
	assert_string_equal(attend_weights_name(w, i), "c");
	assert_non_null(strstr(attend_weights_file(w, i), "model-2"));
	assert_true(attend_weights_find(&i, w, "b"));
	assert_non_null(strstr(attend_weights_file(w, i), "model-1"));
	assert_false(attend_weights_find(&i, w, "d"));
	assert_string_equal(attend_weights_metadata(w, "format"), "pt");
	attend_weights_free(w);

#define MAP(TEXT) "{\"metadata\": {}, \"weight_map\": {" TEXT "}}"
#define A         "\"a\": \"model-1.safetensors\""
#define B         "\"b\": \"model-1.safetensors\""
#define C         "\"c\": \"model-2.safetensors\""
	bad_index(MAP(A "," B ",\"c\": \"model-3.safetensors\""), ATTEND_ERR_FORMAT,
	          "model.safetensors.index.json: $.weight_map.c: the shard 'model-3.safetensors' is missing");
	bad_index(MAP(A "," C ",\"b\": \"model-2.safetensors\""), ATTEND_ERR_FORMAT,
	          "$.weight_map.b: tensor 'b' is not in 'model-2.safetensors' but in");
	bad_index(MAP(A "," B "," C ",\"d\": \"model-2.safetensors\""), ATTEND_ERR_FORMAT,
	          "$.weight_map.d: tensor 'd' is not in 'model-2.safetensors'");
	bad_index(MAP(A "," C), ATTEND_ERR_FORMAT, "tensor 'b' of");
	bad_index(MAP(A "," B "," C "," A), ATTEND_ERR_FORMAT, "twice");
	static const char *const paths[] = {"../shards/model-2.safetensors", "/etc/passwd", "..", "", "x\\\\y"};
	for (size_t k = 0; k < sizeof paths / sizeof paths[0]; k++) {
		char text[300];
		snprintf(text, sizeof text, MAP(A "," B ",\"c\": \"%s\""), paths[k]);
		bad_index(text, ATTEND_ERR_FORMAT, "$.weight_map.c: expected a file name without a path");
	}
	bad_index(MAP(A ", \"b\": 3"), ATTEND_ERR_FORMAT, "$.weight_map.b: expected a string");
	bad_index("{}", ATTEND_ERR_FORMAT, "expected an object 'weight_map'");
	bad_index("{\"weight_map\": []}", ATTEND_ERR_FORMAT, "expected an object 'weight_map'");
	bad_index("{", ATTEND_ERR_FORMAT, "index.json: line 1");
	text_file("shards/model-2.safetensors", "broken");
	bad_index(MAP(A "," B "," C), ATTEND_ERR_FORMAT, "model-2.safetensors: expected at least 8 bytes");
}

static void test_hub(void **state)
{
	(void)state;
	char *where = NULL;
	assert_int_equal(setenv("HF_HUB_CACHE", in_root("hub"), 1), 0);
	assert_fails(ATTEND_ERR_NOTFOUND, "not in the hub's cache", attend_checkpoint_locate(&where, "google/some-model"));
	static const char *const folders[] = {"hub", "hub/models--google--some-model",
	                                      "hub/models--google--some-model/refs",
	                                      "hub/models--google--some-model/snapshots",
	                                      "hub/models--google--some-model/snapshots/abc123"};
	for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
		assert_int_equal(mkdir(in_root(folders[i]), 0777), 0);
	text_file("hub/models--google--some-model/refs/main", "abc123\n");
	assert_ok(attend_checkpoint_locate(&where, "google/some-model"));
	assert_string_equal(where, in_root("hub/models--google--some-model/snapshots/abc123"));
	free(where);
	text_file("hub/models--google--some-model/refs/main", "../../../empty");
	assert_fails(ATTEND_ERR_NOTFOUND, "not in the hub's cache", attend_checkpoint_locate(&where, "google/some-model"));

	/* names that cannot be the hub's are not looked up */
	static const char *const names[] = {"./x", "/x", "a/b/c", "a/../b", "x/", "", "~"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		assert_int_equal(attend_checkpoint_locate(&where, names[i]), ATTEND_ERR_NOTFOUND);

	assert_int_equal(unsetenv("HF_HUB_CACHE"), 0);
	assert_int_equal(setenv("HF_HOME", in_root(""), 1), 0);
	text_file("hub/models--google--some-model/refs/main", "abc123");
	assert_ok(attend_checkpoint_locate(&where, "google/some-model"));
	free(where);
	assert_int_equal(unsetenv("HF_HOME"), 0);
}

/* Every tensor of `a` is in `b` with the same numbers. */
static void same_weights(const attend_checkpoint *a, const attend_checkpoint *b)
{
	assert_int_equal(a->network.param_count, b->network.param_count);
	for (size_t i = 0; i < a->network.param_count; i++) {
		const attend_param *p = &a->network.params[i], *q = NULL;
		for (size_t k = 0; k < b->network.param_count && q == NULL; k++)
			if (strcmp(b->network.params[k].name, p->name) == 0) q = &b->network.params[k];
		if (q == NULL) fail_msg("%s is missing", p->name);
		assert_int_equal(p->count, q->count);
		float x[64], y[64];
		const size_t n = p->count < 64 ? p->count : 64;
		attend_to_f32(x, p->stored.data, p->stored.dtype, n);
		attend_to_f32(y, q->stored.data, q->stored.dtype, n);
		assert_memory_equal(x, y, n * sizeof *x);
	}
}

static void test_save(void **state)
{
	(void)state;
	static const char *const models[] = {"bert_pretraining", "bertfile_sharded", "gpt2_lm",
	                                     "t5_v10",           "xlnet_base",       "bert2bert_project"};
	for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
		char source[200];
		snprintf(source, sizeof source, "tests/golden/checkpoints/%s", models[i]);
		attend_checkpoint *a, *b;
		assert_ok(attend_checkpoint_load(&a, source, NULL));
		assert_ok(attend_checkpoint_save(a, in_root(models[i]), NULL));
		assert_ok(attend_checkpoint_load(&b, in_root(models[i]), NULL));
		same_weights(a, b);
		assert_string_equal(a->config.architecture, b->config.architecture);
		/* over itself: the old file is mapped meanwhile */
		assert_ok(attend_checkpoint_save(b, in_root(models[i]), NULL));
		same_weights(a, b);
		attend_checkpoint_free(b);
		assert_ok(attend_checkpoint_load(&b, in_root(models[i]), NULL));
		same_weights(a, b);
		attend_checkpoint_free(b);
		attend_checkpoint_free(a);
	}
	assert_true(attend_file_exists(in_root("gpt2_lm/generation_config.json")));

	/* bf16 stays bf16 when asked, and becomes f32 else */
	attend_checkpoint *a, *b;
	const attend_save_options keep = {.keep_dtype = true};
	assert_ok(attend_checkpoint_load(&a, "tests/golden/checkpoints/bertfile_noprefix_gamma_bf16", NULL));
	assert_ok(attend_checkpoint_save(a, in_root("kept"), &keep));
	assert_ok(attend_checkpoint_load(&b, in_root("kept"), NULL));
	same_weights(a, b);
	assert_int_equal(b->network.params[0].stored.dtype, ATTEND_DTYPE_BF16);
	attend_checkpoint_free(b);
	assert_ok(attend_checkpoint_save(a, in_root("widened"), NULL));
	assert_ok(attend_checkpoint_load(&b, in_root("widened"), NULL));
	same_weights(a, b);
	assert_int_equal(b->network.params[0].stored.dtype, ATTEND_DTYPE_F32);
	attend_checkpoint_free(b);
	assert_int_equal(attend_checkpoint_save(a, "/nowhere/at/all", NULL), ATTEND_ERR_NOTFOUND);
	attend_checkpoint_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_folders),
		cmocka_unit_test(test_shards),
		cmocka_unit_test(test_hub),
		cmocka_unit_test(test_save),
	};
	return cmocka_run_group_tests(tests, make_root, remove_root);
}
