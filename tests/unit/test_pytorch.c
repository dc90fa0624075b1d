/* test_pytorch.c: files of torch.save in both forms: every type and layout of tensors; what is refused, and by which words; folders
 * with pytorch_model.bin, whole and in shards. The files are made by tests/golden/checkpoints/make/make_pytorch.py. */
#include <sys/stat.h>
#include <unistd.h>

#include "lib/attend.h"
#include "lib/core/file.h"
#include "loaders/checkpoint.h"
#include "loaders/pickle.h"
#include "tests/support/check.h"
#include "tests/support/root.h"

#define FILES  "tests/fuzz/corpus/pytorch/"
#define FOLDER "tests/data/pytorch_bert"

static void copy(const char *from, const char *name)
{
	char *bytes;
	size_t size;
	assert_ok(attend_file_read(&bytes, &size, from, 0));
	assert_ok(attend_file_write(in_root(name), bytes, size));
	free(bytes);
}

/* ---- Tensors ---------------------------------------------------------------------------------------------------------------- */

typedef struct expected {
	const char *name, *shape;
	size_t count;
	float values[12];
} expected;

static const expected floats[] = {
	{"f32", "F32[2,3]", 6, {0, 1, 2, 3, 4, 5}},
	{"f16", "F16[2]", 2, {1.5f, -2.0f}},
	{"bf16", "BF16[2]", 2, {0.5f, 3.0f}},
	{"f64", "F64[1]", 1, {1e-3f}},
	{"scalar", "F32[]", 1, {4}},
	{"empty", "F32[0,3]", 0, {0}},
	{"turned", "F32[4,3]", 12, {0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11}},
	{"slice", "F32[3]", 3, {2, 3, 4}},
	{"rows", "F32[2,4]", 8, {4, 5, 6, 7, 8, 9, 10, 11}},
	{"parameter", "F32[2]", 2, {8, 9}},
};

static void check_file(const char *path)
{
	attend_pytorch *f;
	size_t i;
	char text[64];
	float values[12];
	assert_ok(attend_pytorch_open(&f, path));
	assert_int_equal(attend_pytorch_count(f), 13);
	assert_string_equal(attend_pytorch_name(f, 0), "f32");
	assert_false(attend_pytorch_find(&i, f, "f3"));
	for (size_t k = 0; k < sizeof floats / sizeof *floats; k++) {
		const expected *e = &floats[k];
		assert_true(attend_pytorch_find(&i, f, e->name));
		const attend_tensor *t = attend_pytorch_tensor(f, i);
		assert_string_equal(attend_tensor_describe(text, sizeof text, t), e->shape);
		attend_to_f32(values, t->data, t->dtype, e->count);
		for (size_t n = 0; n < e->count; n++) assert_true(values[n] == e->values[n]);
	}
	const int64_t ids[2] = {7, -1};
	assert_true(attend_pytorch_find(&i, f, "i64"));
	assert_string_equal(attend_tensor_describe(text, sizeof text, attend_pytorch_tensor(f, i)), "I64[1,2]");
	assert_memory_equal(attend_pytorch_tensor(f, i)->data, ids, sizeof ids);
	assert_true(attend_pytorch_find(&i, f, "u8"));
	assert_memory_equal(attend_pytorch_tensor(f, i)->data, "\x01\xff", 2);
	assert_true(attend_pytorch_find(&i, f, "bool"));
	assert_memory_equal(attend_pytorch_tensor(f, i)->data, "\x01\x00", 2);
	attend_pytorch_free(f);
}

static void check_one(const char *path)
{
	attend_pytorch *f;
	const float values[4] = {0, 1, 2, 3};
	assert_ok(attend_pytorch_open(&f, path));
	assert_int_equal(attend_pytorch_count(f), 1);
	assert_memory_equal(attend_pytorch_tensor(f, 0)->data, values, sizeof values);
	attend_pytorch_free(f);
}

static void test_tensors(void **state)
{
	(void)state;
	check_file(FILES "zip.bin");
	check_file(FILES "old.bin");
	check_one(FILES "zip64.bin");
	check_one(FILES "plain.bin");
}

/* ---- Refusals ---------------------------------------------------------------------------------------------------------------- */

static void refused(const char *path, attend_status status, const char *message)
{
	attend_pytorch *f = NULL;
	assert_fails(status, message, attend_pytorch_open(&f, path));
	assert_null(f);
	assert_non_null(strstr(attend_error(), path));
}

static void test_refusals(void **state)
{
	(void)state;
	refused(FILES "evil.bin", ATTEND_ERR_UNSUPPORTED, "it asks for posix.system, which has no place");
	refused(FILES "evil_old.bin", ATTEND_ERR_UNSUPPORTED, "it asks for posix.system, which has no place");
	assert_false(attend_file_exists("/tmp/attend_was_here"));
	refused(FILES "compressed.bin", ATTEND_ERR_UNSUPPORTED, "expected bytes stored as they are, found compressed ones");
	refused(FILES "big_endian.bin", ATTEND_ERR_UNSUPPORTED, "byte order 'big'");
	refused(FILES "no_storage.bin", ATTEND_ERR_FORMAT, "tensor 'w': storage '0' is not in the archive");
	refused(FILES "short_storage.bin", ATTEND_ERR_FORMAT, "expected 4 elements of 4 bytes, found 8 bytes");
	refused(FILES "expanded.bin", ATTEND_ERR_UNSUPPORTED, "tensor 'w': F32[1000,1000]: its elements share memory");
	refused(FILES "nested.bin", ATTEND_ERR_UNSUPPORTED, "found 'state_dict' in it");
	refused(FILES "list.bin", ATTEND_ERR_UNSUPPORTED, "expected a dictionary of tensors");
	refused("README.md", ATTEND_ERR_FORMAT, "neither a zip archive nor a pickle");
	/* cut anywhere: never accepted */
	static const char *const whole[] = {FILES "plain.bin", FILES "old.bin", FILES "zip64.bin"};
	for (size_t w = 0; w < 3; w++) {
		char *bytes;
		size_t size;
		attend_pytorch *f = NULL;
		assert_ok(attend_file_read(&bytes, &size, whole[w], 0));
		for (size_t n = 0; n < size; n++)
			assert_int_not_equal(attend_pytorch_parse(&f, (const unsigned char *)bytes, n, "cut"), ATTEND_OK);
		free(bytes);
	}
}

static void bad_pickle(const char *bytes, size_t size, attend_status status, const char *message)
{
	attend_pickle p;
	size_t used;
	assert_fails(status, message, attend_pickle_read(&p, &used, (const unsigned char *)bytes, size));
	attend_pickle_free(&p);
}
#define BAD_PICKLE(bytes, status, message) bad_pickle(bytes, sizeof(bytes) - 1, status, message)

static void test_pickle(void **state)
{
	(void)state;
	BAD_PICKLE("", ATTEND_ERR_FORMAT, "cut short");
	BAD_PICKLE(".", ATTEND_ERR_FORMAT, "the stack is empty");
	BAD_PICKLE("(.", ATTEND_ERR_FORMAT, "the stack is empty");
	BAD_PICKLE("\x80\x04N.", ATTEND_ERR_UNSUPPORTED, "expected protocol 2, found 4");
	BAD_PICKLE("cbuiltins\neval\n.", ATTEND_ERR_UNSUPPORTED, "builtins.eval");
	BAD_PICKLE("ctorch\nload\n.", ATTEND_ERR_UNSUPPORTED, "torch.load");
	BAD_PICKLE("cos", ATTEND_ERR_FORMAT, "a name without end");
	BAD_PICKLE("X\xff\xff\xff\xff.", ATTEND_ERR_FORMAT, "a text leaves the pickle");
	BAD_PICKLE("Nr\xff\xff\xff\xff.", ATTEND_ERR_FORMAT, "a place in the memo");
	BAD_PICKLE("h\x01.", ATTEND_ERR_FORMAT, "nothing was put where it looks");
	BAD_PICKLE("NN\x87.", ATTEND_ERR_FORMAT, "the stack is empty");
	BAD_PICKLE("(N(\x86.", ATTEND_ERR_FORMAT, "a mark inside of a tuple");
	BAD_PICKLE("NNNs.", ATTEND_ERR_FORMAT, "items for what is no container");
	BAD_PICKLE("}(Nu.", ATTEND_ERR_FORMAT, "items for what is no container");
	BAD_PICKLE("(u.", ATTEND_ERR_FORMAT, "nothing to put items into");
	BAD_PICKLE("u.", ATTEND_ERR_FORMAT, "no mark");
	BAD_PICKLE("NNR.", ATTEND_ERR_FORMAT, "a call of what is no function");
	BAD_PICKLE("ccollections\nOrderedDict\nN\x85R.", ATTEND_ERR_FORMAT, "a call that torch does not write");
	BAD_PICKLE("ctorch._utils\n_rebuild_tensor_v2\n)R.", ATTEND_ERR_FORMAT, "a tensor is not described");
	BAD_PICKLE("NQ.", ATTEND_ERR_FORMAT, "a storage is not described");
	BAD_PICKLE("NNb.", ATTEND_ERR_FORMAT, "attributes for what is no dictionary");
	BAD_PICKLE("i.", ATTEND_ERR_UNSUPPORTED, "opcode 0x69");
	attend_pickle p;
	size_t used;
	assert_ok(attend_pickle_read(&p, &used, (const unsigned char *)"}q\0X\1\0\0\0ah\0s.rest", 17)); /* holds itself */
	assert_int_equal(used, 13);
	assert_int_equal(p.values[p.root].kind, ATTEND_PICKLE_DICT);
	attend_pickle_free(&p);
}

/* ---- Folders ------------------------------------------------------------------------------------------------------------------ */

/* The same params as those that transformers writes as safetensors, the tied matrix once. */
static void compare_folder(const char *dir)
{
	const attend_bind_options options = {.has_head = true, .head = ATTEND_HEAD_BASE};
	attend_checkpoint *c;
	attend_weights *w;
	size_t i;
	assert_ok(attend_checkpoint_load(&c, dir, &options));
	assert_ok(attend_weights_open_file(&w, FOLDER "/expected.safetensors"));
	assert_int_equal(c->network.param_count, 26);
	assert_true(c->network.mapped);
	for (size_t k = 0; k < c->network.param_count; k++) {
		const attend_param *p = &c->network.params[k];
		/* the output's bias has two names for one memory */
		assert_true(attend_weights_find(&i, w, p->name));
		assert_memory_equal(p->stored.data, attend_weights_tensor(w, i)->data, p->count * sizeof(float));
	}
	attend_weights_free(w);
	attend_checkpoint_free(c);
}

static void test_folder(void **state)
{
	(void)state;
	compare_folder(FOLDER);
	/* converted: plain safetensors, the shared matrix once */
	const attend_convert_options plain = {.type = ATTEND_STORE_F32, .max_shard_bytes = 600};
	attend_weights *w;
	size_t i;
	assert_ok(attend_convert(FOLDER, in_root("plain"), &plain));
	compare_folder(in_root("plain"));
	assert_ok(attend_weights_open(&w, in_root("plain")));
	assert_false(attend_weights_find(&i, w, "cls.predictions.decoder.weight"));
	assert_true(attend_weights_find(&i, w, "bert.embeddings.word_embeddings.weight"));
	attend_weights_free(w);
}

static void test_shards(void **state)
{
	(void)state;
	assert_int_equal(mkdir(in_root("shards"), 0777), 0);
	copy(FILES "plain.bin", "shards/pytorch_model-00001-of-00002.bin");
	copy(FILES "old.bin", "shards/pytorch_model-00002-of-00002.bin");
	static const char *const names[] = {"f32",    "f16",   "bf16",   "f64",   "i64",  "u8",       "bool",
	                                    "scalar", "empty", "turned", "slice", "rows", "parameter"};
	char index[2048] = "{\"weight_map\": {\"w\": \"pytorch_model-00001-of-00002.bin\"";
	for (size_t i = 0; i < 13; i++)
		snprintf(index + strlen(index), sizeof index - strlen(index), ", \"%s\": \"pytorch_model-00002-of-00002.bin\"",
		         names[i]);
	strcat(index, "}}");
	assert_ok(attend_file_write(in_root("shards/pytorch_model.bin.index.json"), index, strlen(index)));
	attend_weights *w;
	size_t i;
	assert_ok(attend_weights_open(&w, in_root("shards")));
	assert_int_equal(attend_weights_count(w), 14);
	assert_int_equal(attend_weights_file_count(w), 2);
	assert_false(attend_weights_mapped(w)); /* `turned` is a copy: its pages must not be given back */
	assert_true(attend_weights_find(&i, w, "turned"));
	assert_int_equal(attend_weights_tensor(w, i)->shape[0], 4);
	assert_null(attend_weights_metadata(w, "format"));
	attend_weights_free(w);
	/* safetensors is preferred */
	copy(FOLDER "/expected.safetensors", "shards/model.safetensors");
	assert_ok(attend_weights_open(&w, in_root("shards")));
	assert_true(attend_weights_find(&i, w, "bert.embeddings.word_embeddings.weight"));
	attend_weights_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_tensors), cmocka_unit_test(test_refusals),
	                                   cmocka_unit_test(test_pickle), cmocka_unit_test(test_folder),
	                                   cmocka_unit_test(test_shards)};
	return cmocka_run_group_tests(tests, make_root, remove_root);
}
