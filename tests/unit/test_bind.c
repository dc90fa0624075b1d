/* test_bind.c: names to weights: prefixes, wrappers, gamma/beta, ties, copies, buffers, heads found and wanted, new heads; what is
 * missing and what does not fit, with its words. Checkpoints are written here, in a temporary folder, with values that tell
 * tensors apart. */
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/core/file.h"
#include "lib/nn/network.h"
#include "loaders/checkpoint.h"
#include "loaders/safetensors_write.h"
#include "tests/support/check.h"

enum { MAX_ITEMS = 128 };

/* A folder being made. */
typedef struct folder {
	char dir[64];
	attend_safetensors_item items[MAX_ITEMS];
	float *values[MAX_ITEMS];
	size_t count;
} folder;

static void start(folder *f, const char *config)
{
	char path[128];
	*f = (folder){0};
	strcpy(f->dir, "/tmp/attend_bind_XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(path, sizeof path, "%s/config.json", f->dir);
	assert_ok(attend_file_write(path, config, strlen(config)));
}

/* Rank by the sizes that are not 0; the numbers start at 1 + 0.001 * index. */
static void add(folder *f, const char *name, size_t rows, size_t cols)
{
	attend_safetensors_item *item = &f->items[f->count];
	const size_t n = rows * (cols ? cols : 1);
	float *v = malloc((n ? n : 1) * sizeof *v);
	assert_true(f->count < MAX_ITEMS && v != NULL);
	for (size_t i = 0; i < n; i++) v[i] = 1.0f + (float)f->count + 0.001f * (float)i;
	*item =
		(attend_safetensors_item){strdup(name), {ATTEND_DTYPE_F32, cols ? 2u : 1u, {rows, cols}, v}, ATTEND_DTYPE_F32};
	f->values[f->count++] = v;
}

static void pair(folder *f, const char *name, size_t rows, size_t cols)
{
	char full[200];
	snprintf(full, sizeof full, "%s.weight", name);
	add(f, full, rows, cols);
	snprintf(full, sizeof full, "%s.bias", name);
	add(f, full, rows, 0);
}

static void rename_all(folder *f, const char *from, const char *to)
{
	for (size_t i = 0; i < f->count; i++) {
		const char *at = strstr(f->items[i].name, from);
		char name[300];
		if (at == NULL || (*from == 0 && at != f->items[i].name)) continue;
		snprintf(name, sizeof name, "%.*s%s%s", (int)(at - f->items[i].name), f->items[i].name, to, at + strlen(from));
		free((char *)(uintptr_t)f->items[i].name);
		f->items[i].name = strdup(name);
	}
}

static void drop(folder *f, const char *name)
{
	for (size_t i = 0; i < f->count; i++)
		if (strcmp(f->items[i].name, name) == 0) {
			free((char *)(uintptr_t)f->items[i].name);
			free(f->values[i]);
			f->count--;
			f->items[i] = f->items[f->count];
			f->values[i] = f->values[f->count];
			return;
		}
	fail_msg("no %s to drop", name);
}

static void write_weights(const folder *f)
{
	char path[128];
	snprintf(path, sizeof path, "%s/model.safetensors", f->dir);
	assert_ok(attend_safetensors_write(path, f->items, f->count));
}

static void finish(folder *f)
{
	char path[128];
	for (size_t i = 0; i < f->count; i++) {
		free((char *)(uintptr_t)f->items[i].name);
		free(f->values[i]);
	}
	snprintf(path, sizeof path, "%s/model.safetensors", f->dir);
	unlink(path);
	snprintf(path, sizeof path, "%s/config.json", f->dir);
	unlink(path);
	rmdir(f->dir);
}

static const attend_param *param(const attend_checkpoint *c, const char *name)
{
	for (size_t i = 0; i < c->network.param_count; i++)
		if (strcmp(c->network.params[i].name, name) == 0) return &c->network.params[i];
	return NULL;
}

static bool in_list(const attend_name_list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], name) == 0) return true;
	return false;
}

static bool present(const attend_checkpoint *c, attend_head_kind kind)
{
	for (size_t i = 0; i < c->network.arch.head_count; i++)
		if (c->network.arch.heads[i].kind == kind) return c->network.heads[i].present;
	return false;
}

static attend_checkpoint *load(const folder *f, const attend_bind_options *options)
{
	attend_checkpoint *c = NULL;
	write_weights(f);
	assert_ok(attend_checkpoint_load(&c, f->dir, options));
	return c;
}

static void refused(const folder *f, const attend_bind_options *options, attend_status status, const char *message)
{
	attend_checkpoint *c = NULL;
	write_weights(f);
	assert_fails(status, message, attend_checkpoint_load(&c, f->dir, options));
	assert_null(c);
}

/* ---- A small BERT: D 4, F 6, V 5, one layer --------------------------------------------------------------------------------- */

#define BERT(CLASS)                                                                                                   \
	"{\"model_type\": \"bert\", \"architectures\": [\"" CLASS "\"], \"hidden_size\": 4, \"num_attention_heads\": 2, " \
	"\"num_hidden_layers\": 1, \"intermediate_size\": 6, \"vocab_size\": 5, \"max_position_embeddings\": 3}"

static void bert_body(folder *f)
{
	add(f, "bert.embeddings.word_embeddings.weight", 5, 4);
	add(f, "bert.embeddings.position_embeddings.weight", 3, 4);
	add(f, "bert.embeddings.token_type_embeddings.weight", 2, 4);
	pair(f, "bert.embeddings.LayerNorm", 4, 0);
	pair(f, "bert.encoder.layer.0.attention.self.query", 4, 4);
	pair(f, "bert.encoder.layer.0.attention.self.key", 4, 4);
	pair(f, "bert.encoder.layer.0.attention.self.value", 4, 4);
	pair(f, "bert.encoder.layer.0.attention.output.dense", 4, 4);
	pair(f, "bert.encoder.layer.0.attention.output.LayerNorm", 4, 0);
	pair(f, "bert.encoder.layer.0.intermediate.dense", 6, 4);
	pair(f, "bert.encoder.layer.0.output.dense", 4, 6);
	pair(f, "bert.encoder.layer.0.output.LayerNorm", 4, 0);
}

static void mlm_head(folder *f)
{
	pair(f, "cls.predictions.transform.dense", 4, 4);
	pair(f, "cls.predictions.transform.LayerNorm", 4, 0);
	add(f, "cls.predictions.bias", 5, 0);
}

static void test_handles(void **state)
{
	(void)state;
	folder f;
	start(&f, BERT("BertForMaskedLM"));
	bert_body(&f);
	mlm_head(&f);
	attend_checkpoint *c = load(&f, NULL);
	const attend_block_params *b = &c->network.stacks[0].blocks[0];
	assert_int_equal(c->network.param_count, f.count);
	assert_int_equal(b->qkv.part_count, 3);
	assert_int_equal(b->qkv.out, 12);
	assert_int_equal(b->qkv.in, 4);
	assert_string_equal(b->qkv.parts[1].param->name, "bert.encoder.layer.0.attention.self.key.weight");
	assert_string_equal(b->qkv.bias_parts[2].param->name, "bert.encoder.layer.0.attention.self.value.bias");
	assert_int_equal(b->up.out, 6);
	assert_int_equal(b->down.in, 6);
	assert_true(b->attention_norm.weight.data[0] > 1); /* resolved to numbers */
	assert_int_equal(c->network.stacks[0].word.rows, 5);
	assert_int_equal(c->network.arch.default_head, ATTEND_HEAD_MLM);
	const int i = attend_network_find_head(&c->network, ATTEND_HEAD_MLM);
	assert_true(i >= 0 && c->network.heads[i].present && c->network.arch.heads[i].tied);
	assert_ptr_equal(c->network.heads[i].out.parts[0].param, c->network.stacks[0].word.param);
	assert_string_equal(c->network.heads[i].out.bias_parts[0].param->name, "cls.predictions.bias");
	assert_int_equal(c->network.arch.pooler.dense, 0); /* the file has none */
	assert_true(present(c, ATTEND_HEAD_LM));
	assert_false(present(c, ATTEND_HEAD_SEQUENCE));
	assert_int_equal(c->report.unused.count, 0);
	attend_checkpoint_free(c);
	finish(&f);
}

static void test_spellings(void **state)
{
	(void)state;
	static const char *const changes[][2] = {{"bert.", ""},
	                                         {"LayerNorm.weight", "LayerNorm.gamma"},
	                                         {"", "module."},
	                                         {"", "_orig_mod.module.module."}};
	for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
		folder f;
		start(&f, BERT("BertModel"));
		bert_body(&f);
		pair(&f, "bert.pooler.dense", 4, 4);
		rename_all(&f, changes[i][0], changes[i][1]);
		if (i == 1) rename_all(&f, "LayerNorm.bias", "LayerNorm.beta");
		attend_checkpoint *c = load(&f, NULL);
		assert_int_equal(c->network.param_count, f.count);
		assert_int_equal(c->report.unused.count, 0);
		assert_int_equal(c->network.arch.pooler.dense, 4);
		attend_checkpoint_free(c);
		finish(&f);
	}
	/* name by name: half with the prefix, half without */
	folder f;
	start(&f, BERT("BertForMaskedLM"));
	bert_body(&f);
	mlm_head(&f);
	rename_all(&f, "bert.embeddings", "embeddings");
	rename_all(&f, "cls.predictions.bias", "bert.cls.predictions.bias");
	attend_checkpoint *c = load(&f, NULL);
	assert_int_equal(c->report.unused.count, 0);
	attend_checkpoint_free(c);

	/* gamma of something that is no LayerNorm is another tensor */
	add(&f, "bert.encoder.layer.0.output.other.gamma", 4, 0);
	add(&f, "bert.embeddings.position_ids", 3, 0);
	c = load(&f, NULL);
	assert_true(in_list(&c->report.unused, "bert.encoder.layer.0.output.other.gamma"));
	assert_true(in_list(&c->report.ignored, "bert.embeddings.position_ids"));
	attend_checkpoint_free(c);
	finish(&f);
}

static void test_ties(void **state)
{
	(void)state;
	folder f;
	start(&f, BERT("BertForMaskedLM"));
	bert_body(&f);
	mlm_head(&f);
	add(&f, "cls.predictions.decoder.weight", 5, 4); /* another matrix: both are used */
	add(&f, "cls.predictions.decoder.bias", 5, 0);   /* counts before cls.predictions.bias */
	attend_checkpoint *c = load(&f, NULL);
	int i = attend_network_find_head(&c->network, ATTEND_HEAD_MLM);
	assert_false(c->network.arch.heads[i].tied);
	assert_string_equal(c->network.heads[i].out.parts[0].param->name, "cls.predictions.decoder.weight");
	assert_string_equal(c->network.heads[i].out.bias_parts[0].param->name, "cls.predictions.decoder.bias");
	assert_int_equal(c->report.unused.count, 0);
	attend_checkpoint_free(c);

	memcpy(f.values[f.count - 2], f.values[0], 20 * sizeof(float)); /* the same matrix: tied */
	c = load(&f, NULL);
	assert_true(c->network.arch.heads[i].tied);
	assert_null(param(c, "cls.predictions.decoder.weight"));
	attend_checkpoint_free(c);

	drop(&f, "bert.embeddings.word_embeddings.weight"); /* only the output's name: it feeds both */
	c = load(&f, NULL);
	assert_true(c->network.arch.heads[i].tied);
	assert_string_equal(c->network.stacks[0].word.param->name, "cls.predictions.decoder.weight");
	attend_checkpoint_free(c);
	finish(&f);

	start(
		&f,
		"{\"model_type\": \"gpt2\", \"architectures\": [\"GPT2LMHeadModel\"], \"n_embd\": 4, \"n_head\": 2, \"n_layer\": 1, "
		"\"vocab_size\": 5, \"n_positions\": 3, \"tie_word_embeddings\": false}");
	add(&f, "wte.weight", 5, 4);
	add(&f, "wpe.weight", 3, 4);
	pair(&f, "h.0.ln_1", 4, 0);
	add(&f, "h.0.attn.c_attn.weight", 4, 12);
	add(&f, "h.0.attn.c_attn.bias", 12, 0);
	pair(&f, "h.0.attn.c_proj", 4, 4);
	pair(&f, "h.0.ln_2", 4, 0);
	add(&f, "h.0.mlp.c_fc.weight", 4, 16);
	add(&f, "h.0.mlp.c_fc.bias", 16, 0);
	add(&f, "h.0.mlp.c_proj.weight", 16, 4);
	add(&f, "h.0.mlp.c_proj.bias", 4, 0);
	pair(&f, "ln_f", 4, 0);
	add(&f, "h.0.attn.bias", 1, 9);
	add(&f, "h.0.attn.masked_bias", 1, 0);
	c = load(&f, NULL); /* untied by the config, but nothing else is there */
	i = attend_network_find_head(&c->network, ATTEND_HEAD_LM);
	assert_ptr_equal(c->network.heads[i].out.parts[0].param, c->network.stacks[1].word.param);
	assert_true(c->network.stacks[1].blocks[0].qkv.parts[0].in_out);
	assert_int_equal(c->report.ignored.count, 2);
	attend_checkpoint_free(c);
	add(&f, "lm_head.weight", 5, 4);
	c = load(&f, NULL);
	assert_string_equal(c->network.heads[i].out.parts[0].param->name, "lm_head.weight");
	attend_checkpoint_free(c);

	f.items[0].tensor.shape[0] = 4; /* wte is [4,4] now */
	refused(&f, NULL, ATTEND_ERR_FORMAT,
	        "tensor 'wte.weight': expected F32, F16, BF16 or F64 [5,4] by config.json, found F32[4,4]");
	f.items[0].tensor.shape[0] = 5;
	f.items[3].tensor.dtype = f.items[3].data_dtype = ATTEND_DTYPE_I32;
	refused(&f, NULL, ATTEND_ERR_FORMAT,
	        "'h.0.ln_1.bias': expected F32, F16, BF16 or F64 [4] by config.json, found I32[4]");
	finish(&f);
}

static void test_missing(void **state)
{
	(void)state;
	folder f;
	start(&f, BERT("BertForMaskedLM"));
	bert_body(&f);
	mlm_head(&f);
	drop(&f, "bert.encoder.layer.0.output.dense.weight");
	drop(&f, "bert.encoder.layer.0.attention.self.key.bias");
	refused(&f, NULL, ATTEND_ERR_FORMAT,
	        "the model cannot run: 2 tensors are missing: bert.encoder.layer.0.attention.self.key.bias, "
	        "bert.encoder.layer.0.output.dense.weight");
	assert_memory_equal(attend_error(), f.dir, strlen(f.dir));
	const attend_bind_options lenient = {.lenient = true};
	attend_checkpoint *c = load(&f, &lenient);
	assert_int_equal(c->report.missing.count, 2);
	attend_checkpoint_free(c);
	finish(&f);

	start(&f, BERT("BertForMaskedLM"));
	bert_body(&f);
	refused(&f, NULL, ATTEND_ERR_NOTFOUND, "mlm: 4 tensors are missing: cls.predictions.transform.dense.weight");
	const attend_bind_options base = {.has_head = true, .head = ATTEND_HEAD_BASE};
	c = load(&f, &base);
	assert_int_equal(c->network.arch.default_head, ATTEND_HEAD_MLM);
	assert_false(present(c, ATTEND_HEAD_MLM));
	attend_checkpoint_free(c);
	const attend_bind_options seq2seq = {.has_head = true, .head = ATTEND_HEAD_SEQ2SEQ};
	refused(&f, &seq2seq, ATTEND_ERR_NOTFOUND, "a bert model has no 'seq2seq' head");
	const attend_bind_options sequence = {.has_head = true, .head = ATTEND_HEAD_SEQUENCE};
	refused(&f, &sequence, ATTEND_ERR_NOTFOUND,
	        "bert.pooler.dense.weight, bert.pooler.dense.bias, classifier.weight, classifier.bias");
	finish(&f);
}

static void test_foreign(void **state)
{
	(void)state;
	folder f;
	start(&f, BERT("BertForMaskedLM"));
	bert_body(&f);
	mlm_head(&f);
	pair(&f, "classifier", 9, 4); /* of another number of labels */
	pair(&f, "qa_outputs", 2, 4);
	add(&f, "lm_head.weight", 5, 4);
	attend_checkpoint *c = load(&f, NULL);
	assert_true(present(c, ATTEND_HEAD_QA));
	assert_false(present(c, ATTEND_HEAD_TOKEN));
	assert_true(in_list(&c->report.unused, "classifier.weight"));
	assert_true(in_list(&c->report.unused, "lm_head.weight"));
	attend_checkpoint_free(c);
	const attend_bind_options token = {.has_head = true, .head = ATTEND_HEAD_TOKEN};
	refused(&f, &token, ATTEND_ERR_FORMAT,
	        "'classifier.weight': expected F32, F16, BF16 or F64 [2,4] by config.json, found F32[9,4]");
	finish(&f);

	/* no class, or an unknown one: the head is told by its tensors */
	start(&f, BERT("BertForSomethingElse"));
	bert_body(&f);
	pair(&f, "qa_outputs", 2, 4);
	c = load(&f, NULL);
	assert_int_equal(c->network.arch.default_head, ATTEND_HEAD_QA);
	attend_checkpoint_free(c);
	drop(&f, "qa_outputs.bias");
	c = load(&f, NULL);
	assert_int_equal(c->network.arch.default_head, ATTEND_HEAD_BASE);
	attend_checkpoint_free(c);
	finish(&f);
}

static void test_new_head(void **state)
{
	(void)state;
	static const char *const labels[] = {"no", "yes", "perhaps"};
	folder f;
	start(&f, BERT("BertForMaskedLM"));
	bert_body(&f);
	mlm_head(&f);
	pair(&f, "classifier", 9, 4);
	const attend_bind_options options = {.has_head = true,
	                                     .head = ATTEND_HEAD_SEQUENCE,
	                                     .new_head = true,
	                                     .labels = labels,
	                                     .label_count = 3,
	                                     .seed = 5};
	attend_checkpoint *c = load(&f, &options);
	assert_true(present(c, ATTEND_HEAD_SEQUENCE));
	assert_int_equal(c->report.missing_head.count, 4); /* pooler and classifier, weight and bias */
	const attend_param *w = param(c, "classifier.weight"), *b = param(c, "classifier.bias");
	assert_int_equal(w->count, 12);
	double sum = 0;
	for (size_t i = 0; i < 12; i++) sum += fabs((double)w->values[i]);
	assert_true(sum > 0.01 && sum < 1.0); /* 12 draws of N(0, 0.02) */
	assert_true(b->values[0] == 0 && b->values[2] == 0);
	assert_non_null(param(c, "bert.pooler.dense.weight"));

	/* saved and loaded again: the class, the labels, the same numbers; no MLM head */
	char dir[] = "/tmp/attend_saved_XXXXXX", path[128];
	assert_non_null(mkdtemp(dir));
	const attend_save_options save = {.has_head = true, .head = ATTEND_HEAD_SEQUENCE};
	assert_ok(attend_checkpoint_save(c, dir, &save));
	attend_checkpoint *d;
	assert_ok(attend_checkpoint_load(&d, dir, NULL));
	assert_string_equal(d->config.architecture, "BertForSequenceClassification");
	assert_int_equal(d->config.label_count, 3);
	assert_string_equal(d->config.labels[2], "perhaps");
	assert_int_equal(d->report.unused.count, 0);
	assert_null(param(d, "cls.predictions.bias"));
	assert_memory_equal(param(d, "classifier.weight")->stored.data, w->values, 12 * sizeof(float));
	assert_memory_equal(param(d, "bert.embeddings.word_embeddings.weight")->stored.data, f.values[0],
	                    20 * sizeof(float));
	attend_checkpoint_free(d);
	attend_checkpoint_free(c);
	snprintf(path, sizeof path, "%s/config.json", dir);
	unlink(path);
	snprintf(path, sizeof path, "%s/model.safetensors", dir);
	unlink(path);
	rmdir(dir);

	/* the same seed gives the same head */
	c = load(&f, &options);
	d = load(&f, &options);
	assert_memory_equal(param(c, "classifier.weight")->values, param(d, "classifier.weight")->values,
	                    12 * sizeof(float));
	attend_checkpoint_free(c);
	attend_checkpoint_free(d);
	finish(&f);
}

static void test_not_finite(void **state)
{
	(void)state;
	folder f;
	start(&f, BERT("BertModel"));
	bert_body(&f);
	for (size_t i = 0; i < f.count; i++)
		if (strcmp(f.items[i].name, "bert.embeddings.LayerNorm.weight") == 0) f.values[i][2] = NAN;
	refused(&f, NULL, ATTEND_ERR_FORMAT, "tensor 'bert.embeddings.LayerNorm.weight': element 2 is NaN");
	finish(&f);
	start(&f, BERT("BertModel"));
	bert_body(&f);
	f.values[1][5] = -INFINITY; /* positions */
	refused(&f, NULL, ATTEND_ERR_FORMAT, "tensor 'bert.embeddings.position_embeddings.weight': element 5 is infinite");
	finish(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handles),    cmocka_unit_test(test_spellings), cmocka_unit_test(test_ties),
		cmocka_unit_test(test_missing),    cmocka_unit_test(test_foreign),   cmocka_unit_test(test_new_head),
		cmocka_unit_test(test_not_finite),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
