/* test_run_memory.c: running takes no more memory than 1.15 times the weights in the type that they run in, the session that is
 * announced, and one matrix as the file has it: one text, many texts, generation; f32, bf16, int8, int4, on checkpoints in f32.
 * Each run is a process of its own, whose peak the kernel counts, the mapped pages of the file among it.
 * ctest-labels: full
 * ctest-timeout: 300
 * ctest-valgrind: no */
#include "tests/support/apart.h"
#include "tests/support/root.h"

#include "lib/attend.h"
#include "lib/core/file.h"
#include "lib/core/json.h"
#include "lib/tasks/pipeline.h"

/* A matrix that is packed is in memory twice: by pieces, or whole where the file has it transposed (GPT-2). */
enum { FOLDERS = 2, TEXTS = 40, LARGEST_MATRIX = 768 * 3072 * 4 };

/* ---- Checkpoints: a bundled tokenizer with a body of 43 million weights ------------------------------------------- */

static const struct folder {
	const char *name, *from, *files[3], *keys[5], *values[5];
	attend_head_kind head;
} folders[FOLDERS] = {
	{"bert",
     "models/pretrained/bert-mini/",
     {"tokenizer.json", "tokenizer_config.json", "vocab.txt"},
     {"hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "dtype"},
     {"768", "6", "12", "3072", "\"float32\""},
     ATTEND_HEAD_MLM},
	{"gpt2",
     "models/pretrained/gpt2-mini/",
     {"tokenizer.json", "tokenizer_config.json", "generation_config.json"},
     {"n_embd", "n_layer", "n_head", "dtype"},
     {"768", "6", "12", "\"float32\""},
     ATTEND_HEAD_LM},
};

static void copy_file(const char *from, const char *to, const char *name)
{
	char source[512], target[512], *bytes;
	size_t size;
	snprintf(source, sizeof source, "%s%s", from, name);
	snprintf(target, sizeof target, "%s/%s", to, name);
	assert_ok(attend_file_read(&bytes, &size, source, 0));
	assert_ok(attend_file_write(target, bytes, size));
	free(bytes);
}

static void make_folder(const struct folder *f)
{
	char template[256], made[256], path[512], *text;
	snprintf(template, sizeof template, "%s-config", in_root(f->name));
	snprintf(made, sizeof made, "%s", in_root(f->name));
	assert_ok(attend_folder_make(template));
	for (size_t i = 0; i < 3; i++) copy_file(f->from, template, f->files[i]);
	attend_json *config;
	snprintf(path, sizeof path, "%sconfig.json", f->from);
	assert_ok(attend_json_read(&config, path));
	for (size_t i = 0; i < 5 && f->keys[i]; i++) assert_ok(attend_json_set(config, f->keys[i], f->values[i]));
	assert_ok(attend_json_print(&text, config, 2));
	snprintf(path, sizeof path, "%s/config.json", template);
	assert_ok(attend_file_write(path, text, strlen(text)));
	free(text);
	attend_json_free(config);
	const attend_bind_options bind = {
		.has_head = true, .head = f->head, .new_head = true, .from_scratch = true, .seed = 3};
	const attend_save_options save = {.has_head = true, .head = f->head};
	attend_checkpoint *c;
	assert_ok(attend_checkpoint_load(&c, template, &bind));
	assert_ok(attend_checkpoint_save(c, made, &save));
	attend_checkpoint_free(c);
}

/* ---- Runs --------------------------------------------------------------------------------------------------------- */

typedef enum task { FILL_ONE, EMBED_MANY, GENERATE } task;

static const char *const task_names[] = {"fill-mask of one text", "embed many texts", "generate"};
static const char *const type_names[] = {"stored", "f32", "bf16", "int8", "int4"};

typedef struct report {
	size_t weights, session, peak;
} report;

static attend_status run_task(attend_pipeline *p, task which)
{
	static const attend_text one = {.text = "The dog and the [MASK] ran home.", .size = 32};
	if (which == FILL_ONE) {
		attend_fill_mask_result result;
		ATTEND_TRY(attend_fill_mask(&result, p, &one, 1, NULL));
		attend_fill_mask_free(&result);
		return ATTEND_OK;
	}
	if (which == EMBED_MANY) {
		float vector[768];
		for (int i = 0; i < TEXTS; i++) {
			char text[80];
			const int n = snprintf(text, sizeof text, "The dog and %d cats ran home %d times.", i, i * i);
			ATTEND_TRY(attend_embed(vector, p, &(attend_text){.text = text, .size = (size_t)n}, 1, NULL));
		}
		return ATTEND_OK;
	}
	attend_generation *g;
	attend_generate_result result;
	ATTEND_TRY(attend_generation_new(&g, NULL));
	attend_status status = attend_generation_set(g, "max_new_tokens", "40");
	if (status == ATTEND_OK) status = attend_generate(&result, p, &one, 1, g, NULL);
	if (status == ATTEND_OK) attend_generate_result_free(&result);
	attend_generation_free(g);
	return status;
}

/* The linears of the body and of the head that runs, packed; where many texts run, the table of words beside them, which is looked
 * up as the file has it. */
static size_t weight_bytes(const attend_network *network, task which)
{
	attend_network_memory memory;
	attend_network_measure(&memory, network);
	const attend_table *words = &network->stacks[0].word;
	size_t bytes = memory.packed + (which == EMBED_MANY ? words->rows * words->width * sizeof(float) : 0);
	for (size_t i = 0; i < network->arch.head_count; i++) {
		const attend_head_kind kind = network->arch.heads[i].kind;
		const bool runs = which == FILL_ONE ? kind == ATTEND_HEAD_MLM : which == GENERATE && kind == ATTEND_HEAD_LM;
		if (!runs) bytes -= memory.packed_heads[i];
	}
	return bytes;
}

static attend_status run(const struct folder *f, task which, attend_weight_type type, report *out)
{
	char path[256];
	attend_tokenizer *tokenizer;
	attend_model *model = NULL;
	attend_pipeline *pipeline = NULL;
	snprintf(path, sizeof path, "%s", in_root(f->name));
	ATTEND_TRY(attend_tokenizer_load(&tokenizer, path)); /* is no weight */
	attend_tokenizer_free(tokenizer);
	const size_t before = peak_bytes();
	const attend_model_options options = {.weights = type};
	attend_status status = attend_model_load(&model, path, &options);
	if (status == ATTEND_OK) status = attend_pipeline_new(&pipeline, model);
	if (status == ATTEND_OK) status = run_task(pipeline, which);
	out->peak = peak_bytes() - before;
	if (status == ATTEND_OK) {
		const attend_network *network = &model->checkpoint->network;
		const attend_session_options generating = {.max_tokens = 64,
		                                           .max_sequences = 1,
		                                           .cache_slots = 1,
		                                           .cache_length = 64};
		out->weights = weight_bytes(network, which);
		status = attend_session_measure(&out->session, network, which == GENERATE ? &generating : &pipeline->planned);
	}
	attend_pipeline_free(pipeline);
	attend_model_free(model);
	return status;
}

typedef struct piece {
	const struct folder *folder;
	task which;
	attend_weight_type type;
} piece;

static attend_status make_piece(const void *payload, void *out)
{
	(void)out;
	make_folder(payload);
	return ATTEND_OK;
}

static attend_status run_piece(const void *payload, void *out)
{
	const piece *p = payload;
	return run(p->folder, p->which, p->type, out);
}

/* Whether a run took more than allowed. */
static bool off(const struct folder *f, task which, attend_weight_type type)
{
	report found = {0};
	run_apart(f->name, run_piece, &(piece){f, which, type}, &found, sizeof found);
	const double allowed = 1.15 * (double)found.weights + (double)found.session + LARGEST_MATRIX;
	print_message("%-22s %-5s weights %6.1f MB, session %5.1f MB, peak %6.1f MB: %3.0f %% of what is allowed\n",
	              task_names[which], type_names[type], (double)found.weights / 1e6, (double)found.session / 1e6,
	              (double)found.peak / 1e6, 100 * (double)found.peak / allowed);
	return (double)found.peak > allowed;
}

static void test_as_announced(void **state)
{
	(void)state;
#ifdef PEAK_COUNTS_OTHERWISE
	skip();
#endif
	size_t wrong = 0;
	for (size_t i = 0; i < FOLDERS; i++) {
		report none = {0};
		run_apart(folders[i].name, make_piece, &folders[i], &none, sizeof none);
	}
	for (attend_weight_type type = ATTEND_WEIGHTS_F32; type <= ATTEND_WEIGHTS_INT4; type++) {
		wrong += off(&folders[0], FILL_ONE, type);
		wrong += off(&folders[0], EMBED_MANY, type);
		wrong += off(&folders[1], GENERATE, type);
	}
	assert_int_equal(wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_as_announced)};
	return cmocka_run_group_tests(tests, make_root, remove_root);
}
