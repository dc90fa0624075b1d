/* test_convert.c: folders in other types: every weight as it should be, the same answers in int8 and int4, refusals that leave
 * nothing behind, and files of codes that no converter wrote. */
#include <dirent.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/attend.h"
#include "lib/core/file.h"
#include "lib/core/half.h"
#include "lib/core/json.h"
#include "lib/nn/network.h"
#include "lib/nn/network_walk.h"
#include "loaders/checkpoint.h"
#include "loaders/safetensors_write.h"
#include "tests/support/check.h"
#include "tests/support/root.h"

#define FOLDERS "tests/golden/checkpoints/"

static size_t count_files(const char *path)
{
	size_t n = 0;
	DIR *dir = opendir(path);
	for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) n += e->d_name[0] != '.';
	if (dir != NULL) closedir(dir);
	return n;
}

/* Every architecture and peculiarity of files: prefixes, shards, gamma and beta, bf16, Conv1D, masks, copies of tied tensors. */
static const char *const folders[] = {"albert_base",          "bert2bert_project",
                                      "bert_seqcls_single",   "bertfile_noprefix_gamma_bf16",
                                      "bertfile_sharded",     "gpt2_lm",
                                      "gpt2file_mask_u8",     "gpt_neo_base",
                                      "marian_split_vocab",   "modernbert_base",
                                      "t5file_all_copies",    "xlnet_base",
                                      "electra_discriminator"};
enum { FOLDERS_COUNT = sizeof folders / sizeof *folders };

static attend_checkpoint *load(const char *dir)
{
	const attend_bind_options options = {.has_head = true, .head = ATTEND_HEAD_BASE};
	attend_checkpoint *c;
	assert_ok(attend_checkpoint_load(&c, dir, &options));
	return c;
}

/* What the type keeps of a number. */
static float rounded(float v, attend_store_type type)
{
	if (type == ATTEND_STORE_F16) return attend_f16_f32(attend_f32_f16(v));
	return type == ATTEND_STORE_BF16 ? attend_bf16_f32(attend_f32_bf16(v)) : v;
}

static void compare_params(const attend_checkpoint *a, const attend_checkpoint *b, attend_store_type type)
{
	static const attend_dtype dtypes[] = {[ATTEND_STORE_F32] = ATTEND_DTYPE_F32,
	                                      [ATTEND_STORE_F16] = ATTEND_DTYPE_F16,
	                                      [ATTEND_STORE_BF16] = ATTEND_DTYPE_BF16};
	assert_int_equal(a->network.param_count, b->network.param_count);
	for (size_t i = 0; i < a->network.param_count; i++) {
		const attend_param *p = &a->network.params[i], *q = &b->network.params[i];
		assert_string_equal(p->name, q->name);
		assert_int_equal(p->count, q->count);
		assert_int_equal(q->stored.dtype, type == ATTEND_STORE_KEEP ? p->stored.dtype : dtypes[type]);
		float *x = malloc((p->count + 1) * sizeof *x), *y = malloc((p->count + 1) * sizeof *y);
		attend_to_f32(x, p->stored.data, p->stored.dtype, p->count);
		attend_to_f32(y, q->stored.data, q->stored.dtype, q->count);
		for (size_t k = 0; k < p->count; k++) assert_true(rounded(x[k], type) == y[k]);
		free(x);
		free(y);
	}
}

static void test_plain(void **state)
{
	(void)state;
	for (size_t f = 0; f < FOLDERS_COUNT; f++)
		for (attend_store_type type = ATTEND_STORE_KEEP; type <= ATTEND_STORE_BF16; type++) {
			char from[256], name[64];
			snprintf(from, sizeof from, FOLDERS "%s", folders[f]);
			snprintf(name, sizeof name, "plain-%zu-%d", f, (int)type);
			const attend_convert_options options = {.type = type,
			                                        .max_shard_bytes = type == ATTEND_STORE_F32 ? 4096 : 0};
			assert_ok(attend_convert(from, in_root(name), &options));
			attend_checkpoint *a = load(from), *b = load(in_root(name));
			compare_params(a, b, type);
			if (type == ATTEND_STORE_F32) assert_true(attend_weights_file_count(b->weights) > 2);
			else assert_int_equal(attend_weights_file_count(b->weights), 1);
			if (type == ATTEND_STORE_F16) assert_string_equal(b->config.dtype, "float16");
			attend_checkpoint_free(a);
			attend_checkpoint_free(b);
		}
}

/* ---- Codes ---------------------------------------------------------------------------------------------------------------- */

typedef struct panels {
	attend_linear *linears[512];
	size_t count;
} panels;

static void collect(attend_linear *linear, void *payload)
{
	panels *p = payload;
	assert_true(p->count < 512);
	p->linears[p->count++] = linear;
}

static panels panels_of(attend_checkpoint *c)
{
	panels p = {.count = 0};
	assert_ok(attend_network_prepare(&c->network, ATTEND_HEAD_KINDS));
	attend_network_walk(&c->network, &(attend_network_visitor){.linear = collect, .payload = &p});
	return p;
}

/* All packed matrices are the same bytes as those quantised from the original: nothing that runs can tell them apart. */
static void test_codes(void **state)
{
	(void)state;
	for (size_t f = 0; f < FOLDERS_COUNT; f++)
		for (int int4 = 0; int4 < 2; int4++) {
			char from[256], name[64];
			snprintf(from, sizeof from, FOLDERS "%s", folders[f]);
			snprintf(name, sizeof name, "codes-%zu-%d", f, int4);
			const attend_convert_options options = {.type = int4 ? ATTEND_STORE_INT4 : ATTEND_STORE_INT8,
			                                        .max_shard_bytes = f % 2 ? 4096 : 0};
			assert_ok(attend_convert(from, in_root(name), &options));
			assert_false(attend_file_exists(in_root(name)));
			attend_checkpoint *a = load(from), *b = load(in_root(name));
			assert_ok(attend_network_set_type(&a->network, int4 ? ATTEND_PACK_INT4 : ATTEND_PACK_INT8));
			assert_int_equal(b->network.pack_type, a->network.pack_type);
			assert_fails(ATTEND_ERR_UNSUPPORTED, "run in no other type",
			             attend_network_set_type(&b->network, ATTEND_PACK_F32));
			const panels p = panels_of(a), q = panels_of(b);
			size_t codes = 0;
			assert_int_equal(p.count, q.count);
			for (size_t i = 0; i < p.count; i++) {
				const attend_packed *x = &p.linears[i]->packed, *y = &q.linears[i]->packed;
				assert_int_equal(x->type, y->type);
				assert_int_equal(x->n, y->n);
				assert_int_equal(x->k, y->k);
				/* not what fills the last 64 bytes up: nobody sets it */
				const size_t bytes = attend_pack_bytes(x->type, x->n, x->k);
				assert_memory_equal(x->data, y->data, bytes - 64);
				codes += q.linears[i]->parts[0].param->scales != NULL;
			}
			assert_true(codes > 4);
			attend_network_memory before, after;
			attend_network_measure(&before, &a->network);
			attend_network_measure(&after, &b->network);
			assert_true(after.stored < before.stored);
			assert_int_equal(after.parameters, before.parameters);
			assert_fails(ATTEND_ERR_UNSUPPORTED, "run in no other type",
			             attend_network_set_type(&b->network, ATTEND_PACK_BF16));
			assert_fails(ATTEND_ERR_UNSUPPORTED, "cannot learn",
			             attend_network_make_trainable(&b->network, NULL, NULL));
			assert_fails(ATTEND_ERR_UNSUPPORTED, "codes", attend_checkpoint_save(b, in_root("saved"), NULL));
			attend_checkpoint_free(a);
			attend_checkpoint_free(b);
			assert_fails(ATTEND_ERR_UNSUPPORTED, "codes already",
			             attend_convert(in_root(name), in_root("twice"), &options));
			assert_false(attend_folder_exists(in_root("twice")));
		}
}

/* ---- Refusals --------------------------------------------------------------------------------------------------------------- */

static void test_refusals(void **state)
{
	(void)state;
	const attend_convert_options f16 = {.type = ATTEND_STORE_F16};
	assert_int_equal(mkdir(in_root("r"), 0777), 0);
	assert_int_equal(mkdir(in_root("r/full"), 0777), 0);
	assert_ok(attend_file_write(in_root("r/full/mine"), "x", 1));
	assert_fails(ATTEND_ERR_ARG, "not empty", attend_convert(FOLDERS "gpt2_lm", in_root("r/full"), &f16));
	assert_fails(ATTEND_ERR_ARG, "a file stands", attend_convert(FOLDERS "gpt2_lm", in_root("r/full/mine"), &f16));
	assert_fails(ATTEND_ERR_NOTFOUND, "no such folder", attend_convert("/nowhere/at/all", in_root("r/new"), &f16));
	assert_fails(ATTEND_ERR_NOTFOUND, "cannot make the folder",
	             attend_convert(FOLDERS "gpt2_lm", in_root("none/new"), &f16));
	assert_int_equal(count_files(in_root("r")), 1);
	assert_int_equal(count_files(in_root("r/full")), 1);
	assert_int_equal(mkdir(in_root("r/empty"), 0777), 0);
	assert_ok(attend_convert(FOLDERS "gpt2_lm", in_root("r/empty/"), &f16)); /* an empty one is taken */
	assert_true(attend_file_exists(in_root("r/empty/model.safetensors")));
	assert_int_equal(count_files(in_root("r")), 2);
}

/* One tensor of a folder with one value changed. */
static void spoil(const char *dir, const char *file, const char *tensor, size_t element, const void *value, size_t size)
{
	char path[512];
	attend_safetensors *f;
	snprintf(path, sizeof path, "%s/%s", dir, file);
	assert_ok(attend_safetensors_open(&f, path));
	size_t at;
	assert_true(attend_safetensors_find(&at, f, tensor));
	const size_t count = attend_safetensors_count(f);
	attend_safetensors_item items[256];
	assert_true(count <= 256);
	size_t bytes = 0;
	unsigned char *copy = NULL;
	for (size_t i = 0; i < count; i++) {
		const attend_tensor *t = attend_safetensors_tensor(f, i);
		items[i] = (attend_safetensors_item){attend_safetensors_name(f, i), *t, t->dtype};
		if (i != at) continue;
		assert_true(attend_tensor_bytes(&bytes, t) && (copy = malloc(bytes)) != NULL);
		memcpy(copy, t->data, bytes);
		memcpy(copy + element * size, value, size);
		items[i].tensor.data = copy;
	}
	const char *type = attend_safetensors_metadata(f, ATTEND_STORED_TYPE_KEY);
	const char *const metadata[] = {ATTEND_STORED_TYPE_KEY, type, NULL};
	assert_ok(attend_safetensors_write_with(path, items, count, type != NULL ? metadata : NULL));
	attend_safetensors_free(f);
	free(copy);
}

static void test_numbers(void **state)
{
	(void)state;
	const attend_convert_options keep = {.type = ATTEND_STORE_F32}, f16 = {.type = ATTEND_STORE_F16},
								 int8 = {.type = ATTEND_STORE_INT8};
	const char *weight = "transformer.h.0.mlp.c_fc.weight";
	const float large = -70000.0f, broken = NAN;
	assert_ok(attend_convert(FOLDERS "gpt2_lm", in_root("n"), &keep));
	spoil(in_root("n"), "model.safetensors", weight, 3, &large, sizeof large);
	assert_fails(ATTEND_ERR_DATA, "tensor 'transformer.h.0.mlp.c_fc.weight': element 3 is -70000: F16 ends at 65504",
	             attend_convert(in_root("n"), in_root("n16"), &f16));
	assert_false(attend_folder_exists(in_root("n16")));
	spoil(in_root("n"), "model.safetensors", weight, 3, &broken, sizeof broken);
	assert_fails(ATTEND_ERR_FORMAT, "tensor 'transformer.h.0.mlp.c_fc.weight': element 3 is NaN",
	             attend_convert(in_root("n"), in_root("n8"), &int8));
	assert_false(attend_folder_exists(in_root("n8")));
	assert_int_equal(count_files(in_root("n.tmp")), 0);
}

static void broken_codes(const char *tensor, const void *value, size_t size)
{
	const attend_convert_options int8 = {.type = ATTEND_STORE_INT8};
	char command[600];
	snprintf(command, sizeof command, "rm -rf %s", in_root("b"));
	assert_int_equal(system(command), 0);
	assert_ok(attend_convert(FOLDERS "gpt2_lm", in_root("b"), &int8));
	spoil(in_root("b"), "attend.safetensors", tensor, 2, value, size);
	attend_checkpoint *c = load(in_root("b"));
	assert_fails(ATTEND_ERR_FORMAT, "a code of -128, or a scale that is no number",
	             attend_network_prepare(&c->network, ATTEND_HEAD_KINDS));
	attend_checkpoint_free(c);
}

static void test_broken_codes(void **state)
{
	(void)state;
	const int8_t low = -128;
	const float nan = NAN, infinite = INFINITY;
	broken_codes("transformer.h.0.mlp.c_fc.weight", &low, sizeof low);
	broken_codes("transformer.h.0.mlp.c_fc.weight.scale", &nan, sizeof nan);
	broken_codes("transformer.h.0.attn.c_attn.weight.scale", &infinite, sizeof infinite);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_plain), cmocka_unit_test(test_codes),
	                                   cmocka_unit_test(test_refusals), cmocka_unit_test(test_numbers),
	                                   cmocka_unit_test(test_broken_codes)};
	return cmocka_run_group_tests(tests, make_root, remove_root);
}
