/* test_nn_padded.c: padded inputs by name: what becomes of masks, positions, labels and spans; what is refused, and how. */
#include "lib/nn/padded.h"
#include "tests/support/check.h"
#include "tests/support/small_network.h"

typedef struct input {
	const char *name;
	attend_tensor tensor;
} input;

typedef struct inputs {
	input items[16];
	size_t count;
} inputs;

static const attend_tensor *find(void *payload, const char *name)
{
	inputs *all = payload;
	for (size_t i = 0; i < all->count; i++)
		if (strcmp(all->items[i].name, name) == 0) return &all->items[i].tensor;
	return NULL;
}

static void put(inputs *all, const char *name, attend_dtype dtype, unsigned rank, size_t a, size_t b, size_t c,
                const void *data)
{
	all->items[all->count++] = (input){name, {dtype, rank, {a, b, c}, data}};
}

static attend_status read(attend_padded *out, small_shape shape, attend_head_kind kind, inputs *all,
                          small_network *small)
{
	small_network_make(small, shape, 1);
	return attend_padded_read(out, &small->network.arch, kind, ATTEND_PROBLEM_AUTO, find, all);
}

static const int64_t ids[2][5] = {{7, 8, 9, 10, 11}, {12, 13, 14, 15, 16}};
static const int64_t holes[2][5] = {{1, 0, 1, 1, 0}, {0, 0, 1, 1, 1}};

static void test_masks_and_positions(void **state)
{
	(void)state;
	small_network small;
	attend_padded p;
	inputs all = {.count = 0};
	static const int64_t types[2][5] = {{0, 1, 1, 0, 1}, {0, 0, 1, 0, 1}};
	put(&all, "input_ids", ATTEND_DTYPE_I64, 2, 2, 5, 0, ids);
	put(&all, "attention_mask", ATTEND_DTYPE_I64, 2, 2, 5, 0, holes);
	put(&all, "token_type_ids", ATTEND_DTYPE_I64, 2, 2, 5, 0, types);
	assert_ok(read(&p, SMALL_BERT, ATTEND_HEAD_BASE, &all, &small));
	const attend_grid *g = &p.grids[0];
	static const int32_t want_ids[] = {7, 9, 10, 14, 15, 16}, want_columns[] = {0, 2, 3, 2, 3, 4},
						 want_types[] = {0, 1, 0, 1, 0, 1};
	static const size_t want_offsets[] = {0, 3, 6};
	assert_memory_equal(g->batch.ids, want_ids, sizeof want_ids);
	assert_memory_equal(g->batch.columns, want_columns, sizeof want_columns);
	assert_memory_equal(g->batch.positions, want_columns, sizeof want_columns);
	assert_memory_equal(g->batch.types, want_types, sizeof want_types);
	assert_memory_equal(g->batch.offsets, want_offsets, sizeof want_offsets);
	assert_int_equal(g->token_of[1], SIZE_MAX);
	assert_int_equal(g->token_of[7], 3);
	assert_false(p.has_labels);
	attend_padded_free(&p);
	small_network_free(&small);

	/* positions given, one row for all; other integer types */
	static const int32_t positions[5] = {4, 3, 2, 1, 0};
	static const uint8_t bytes[2][5] = {{1, 0, 1, 1, 0}, {0, 0, 1, 1, 1}};
	all.count = 1;
	put(&all, "attention_mask", ATTEND_DTYPE_BOOL, 2, 2, 5, 0, bytes);
	put(&all, "position_ids", ATTEND_DTYPE_I32, 2, 1, 5, 0, positions);
	assert_ok(read(&p, SMALL_BERT, ATTEND_HEAD_BASE, &all, &small));
	static const int32_t want_positions[] = {4, 2, 1, 2, 1, 0};
	assert_memory_equal(p.grids[0].batch.positions, want_positions, sizeof want_positions);
	attend_padded_free(&p);
	small_network_free(&small);

	/* positions from the ids: the whole row counts, pads (id 1) do not */
	static const int64_t padded[2][5] = {{7, 1, 9, 10, 1}, {1, 1, 14, 15, 16}};
	all.count = 0;
	put(&all, "input_ids", ATTEND_DTYPE_I64, 2, 2, 5, 0, padded);
	put(&all, "attention_mask", ATTEND_DTYPE_I64, 2, 2, 5, 0, holes);
	assert_ok(read(&p, SMALL_MPNET, ATTEND_HEAD_BASE, &all, &small));
	static const int32_t counted[] = {2, 3, 4, 2, 3, 4};
	assert_memory_equal(p.grids[0].batch.positions, counted, sizeof counted);
	attend_padded_free(&p);
	small_network_free(&small);
}

static void test_labels(void **state)
{
	(void)state;
	small_network small;
	attend_padded p;
	inputs all = {.count = 0};
	static const int64_t labels[2][5] = {{1, 2, 3, 4, 5}, {6, 7, 8, -100, 9}};
	put(&all, "input_ids", ATTEND_DTYPE_I64, 2, 2, 5, 0, ids);
	put(&all, "attention_mask", ATTEND_DTYPE_I64, 2, 2, 5, 0, holes);
	put(&all, "labels", ATTEND_DTYPE_I64, 2, 2, 5, 0, labels);
	assert_ok(read(&p, SMALL_GPT2, ATTEND_HEAD_LM, &all, &small)); /* next column's label */
	static const int32_t shifted[] = {2, 4, 5, -100, 9, -100}, plain[] = {1, 3, 4, 8, -100, 9};
	assert_memory_equal(p.targets.labels, shifted, sizeof shifted);
	attend_padded_free(&p);
	small_network_free(&small);
	assert_ok(read(&p, SMALL_BERT, ATTEND_HEAD_MLM, &all, &small));
	assert_memory_equal(p.targets.labels, plain, sizeof plain);
	attend_padded_free(&p);
	small_network_free(&small);

	/* spans: column -> token; a hole and what lies beyond the row are ignored, -1 counts as 0 */
	static const int64_t starts[2] = {3, -1}, ends[2] = {1, 9};
	all.count = 2;
	put(&all, "start_positions", ATTEND_DTYPE_I64, 1, 2, 0, 0, starts);
	put(&all, "end_positions", ATTEND_DTYPE_I64, 1, 2, 0, 0, ends);
	assert_ok(read(&p, SMALL_BERT, ATTEND_HEAD_QA, &all, &small));
	assert_int_equal(p.targets.starts[0], 2);
	assert_int_equal(p.targets.starts[1], -1); /* column 0 is padding in row 1 */
	assert_int_equal(p.targets.ends[0], -1);
	assert_int_equal(p.targets.ends[1], -1);
	attend_padded_free(&p);
	small_network_free(&small);

	/* regression, multi-label and classes by the type of the labels */
	static const float many[2][3] = {{0.0f, 1.0f, 1.0f}, {1.0f, 0.0f, 0.0f}};
	static const int64_t classes[2] = {2, 0};
	all.count = 2;
	put(&all, "labels", ATTEND_DTYPE_F32, 2, 2, 3, 0, many);
	assert_ok(read(&p, SMALL_BERT, ATTEND_HEAD_SEQUENCE, &all, &small));
	assert_int_equal(p.targets.problem, ATTEND_PROBLEM_MULTI_LABEL);
	attend_padded_free(&p);
	small_network_free(&small);
	all.count = 2;
	put(&all, "labels", ATTEND_DTYPE_I64, 1, 2, 0, 0, classes);
	assert_ok(read(&p, SMALL_BERT, ATTEND_HEAD_SEQUENCE, &all, &small));
	assert_int_equal(p.targets.problem, ATTEND_PROBLEM_SINGLE_LABEL);
	attend_padded_free(&p);
	small_network_free(&small);
}

static void test_shifts(void **state)
{
	(void)state;
	attend_arch arch = {.decoder_start_id = 2, .pad_id = 0};
	static const int32_t labels[2][5] = {{5, 6, 7, -100, -100}, {8, 9, 10, 11, 12}};
	static const int32_t start[2][5] = {{2, 5, 6, 7, 0}, {2, 8, 9, 10, 11}},
						 language[2][5] = {{7, 5, 6, 7, 0}, {12, 8, 9, 10, 11}};
	int32_t out[2][5];
	assert_ok(attend_shift_right(out[0], &arch, labels[0], 2, 5));
	assert_memory_equal(out, start, sizeof start);
	arch.shift = ATTEND_SHIFT_LANGUAGE;
	assert_ok(attend_shift_right(out[0], &arch, labels[0], 2, 5));
	assert_memory_equal(out, language, sizeof language);
	arch.pad_id = -1;
	assert_fails(ATTEND_ERR_DATA, "pad_token_id", attend_shift_right(out[0], &arch, labels[0], 2, 5));
	arch.shift = ATTEND_SHIFT_START;
	assert_fails(ATTEND_ERR_DATA, "pad_token_id", attend_shift_right(out[0], &arch, labels[0], 2, 5));
	arch.decoder_start_id = -1;
	assert_fails(ATTEND_ERR_DATA, "decoder_start_token_id", attend_shift_right(out[0], &arch, labels[0], 2, 5));
}

static void test_decoder_inputs(void **state)
{
	(void)state;
	small_network small;
	attend_padded p;
	inputs all = {.count = 0};
	static const int64_t with_eos[2][5] = {{7, 1, 9, 1, 11}, {12, 13, 14, 15, 1}},
						 labels[2][3] = {{5, 6, -100}, {7, 8, 9}};
	put(&all, "input_ids", ATTEND_DTYPE_I64, 2, 2, 5, 0, with_eos);
	put(&all, "labels", ATTEND_DTYPE_I64, 2, 2, 3, 0, labels);
	assert_ok(read(&p, SMALL_T5, ATTEND_HEAD_SEQ2SEQ, &all, &small));
	static const int32_t shifted[] = {0, 5, 6, 0, 7, 8};
	assert_int_equal(p.grids[1].columns, 3);
	assert_memory_equal(p.grids[1].batch.ids, shifted, sizeof shifted);
	attend_padded_free(&p);
	small_network_free(&small);
	all.count = 1;
	assert_ok(read(&p, SMALL_T5, ATTEND_HEAD_SEQUENCE, &all, &small)); /* reads at the last eos of the inputs */
	assert_int_equal(p.grids[1].columns, 5);
	assert_int_equal(p.targets.rows[0], 3);
	assert_int_equal(p.targets.rows[1], 9);
	attend_padded_free(&p);
	small_network_free(&small);
	assert_ok(read(&p, SMALL_T5, ATTEND_HEAD_TOKEN, &all, &small)); /* needs the encoder only */
	assert_true(p.runs_encoder && !p.runs_decoder && p.stack == 0);
	attend_padded_free(&p);
	small_network_free(&small);
}

/* Each line adds or replaces one input of a good set. */
static void test_refusals(void **state)
{
	(void)state;
	static const float floats[12] = {0.5f};
	static const int64_t far[2][5] = {{7, 8, 9, 10, (int64_t)1 << 40}}, few[3] = {1, 2, 3}, one = 1, none = 0;
	static const float smooth = 1.5f;
	const struct {
		small_shape shape;
		attend_head_kind kind;
		input bad;
		const char *part;
	} cases[] = {
		{SMALL_BERT, ATTEND_HEAD_BASE, {"input_ids", {ATTEND_DTYPE_F32, 2, {2, 5}, floats}}, "expected integers"},
		{SMALL_BERT, ATTEND_HEAD_BASE, {"input_ids", {ATTEND_DTYPE_I64, 1, {3}, few}}, "[batch, tokens]"},
		{SMALL_BERT, ATTEND_HEAD_BASE, {"input_ids", {ATTEND_DTYPE_I64, 2, {0, 5}, few}}, "at least one token"},
		{SMALL_BERT, ATTEND_HEAD_BASE, {"input_ids", {ATTEND_DTYPE_I64, 2, {2, 5}, far}}, "element 4 is 1099511627776"},
		{SMALL_BERT, ATTEND_HEAD_CHOICE, {"input_ids", {ATTEND_DTYPE_I64, 2, {2, 5}, ids}}, "[batch, choices, tokens]"},
		{SMALL_BERT, ATTEND_HEAD_BASE, {"attention_mask", {ATTEND_DTYPE_I64, 1, {3}, few}}, "expected 10 elements"},
		{SMALL_BERT, ATTEND_HEAD_BASE, {"token_type_ids", {ATTEND_DTYPE_I64, 1, {3}, few}}, "expected 10 elements"},
		{SMALL_BERT, ATTEND_HEAD_BASE, {"position_ids", {ATTEND_DTYPE_I64, 1, {3}, few}}, "expected 10 elements"},
		{SMALL_BERT, ATTEND_HEAD_MLM, {"labels", {ATTEND_DTYPE_I64, 1, {3}, few}}, "'labels': expected 10"},
		{SMALL_BERT, ATTEND_HEAD_SEQUENCE, {"labels", {ATTEND_DTYPE_I64, 1, {3}, few}}, "'labels': expected 2"},
		{SMALL_BERT, ATTEND_HEAD_SEQUENCE, {"labels", {ATTEND_DTYPE_F32, 1, {3}, floats}}, "'labels': expected 6"},
		{SMALL_BERT, ATTEND_HEAD_MLM, {"label_smoothing", {ATTEND_DTYPE_F32, 0, {0}, &smooth}}, "0 <= e < 1"},
		{SMALL_BERT, ATTEND_HEAD_MLM, {"num_items_in_batch", {ATTEND_DTYPE_I64, 0, {0}, &none}}, "at least 1"},
		{SMALL_BERT,
	     ATTEND_HEAD_SEQUENCE,
	     {"class_weights", {ATTEND_DTYPE_F32, 1, {4}, floats}},
	     "expected 3 elements"},
		{SMALL_T5,
	     ATTEND_HEAD_SEQ2SEQ,
	     {"decoder_input_ids", {ATTEND_DTYPE_I64, 2, {1, 1}, &one}},
	     "1 rows of decoder inputs"},
		{SMALL_T5,
	     ATTEND_HEAD_SEQUENCE,
	     {"unused", {ATTEND_DTYPE_I64, 0, {0}, &one}},
	     "row 0 of input_ids has no eos (id 1)"},
		{SMALL_XLNET, ATTEND_HEAD_LM, {"perm_mask", {ATTEND_DTYPE_F32, 1, {3}, floats}}, "expected 50 elements"},
		{SMALL_XLNET,
	     ATTEND_HEAD_LM,
	     {"target_mapping", {ATTEND_DTYPE_F32, 3, {2, 1, 4}, floats}},
	     "[batch, targets, tokens]"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		small_network small;
		attend_padded p;
		inputs all = {.count = 0};
		all.items[all.count++] = cases[i].bad;
		put(&all, "input_ids", ATTEND_DTYPE_I64, 2, 2, 5, 0, ids);
		assert_fails(ATTEND_ERR_DATA, cases[i].part, read(&p, cases[i].shape, cases[i].kind, &all, &small));
		attend_padded_free(&p);
		small_network_free(&small);
	}
	small_network small;
	attend_padded p;
	inputs nothing = {.count = 0};
	assert_fails(ATTEND_ERR_DATA, "'input_ids' is missing", read(&p, SMALL_BERT, ATTEND_HEAD_BASE, &nothing, &small));
	attend_padded_free(&p);
	small_network_free(&small);
	assert_fails(ATTEND_ERR_ARG, "no 'lm' head", read(&p, SMALL_BERT, ATTEND_HEAD_LM, &nothing, &small));
	attend_padded_free(&p);
	small_network_free(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_masks_and_positions), cmocka_unit_test(test_labels),   cmocka_unit_test(test_shifts),
		cmocka_unit_test(test_decoder_inputs),      cmocka_unit_test(test_refusals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
