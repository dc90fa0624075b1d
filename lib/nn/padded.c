/* padded.c: padded inputs to ragged batches (padded.h): masks with holes, left padding, positions, decoder inputs by
 * shifting, XLNet's permutation masks and targets. */
#include "lib/nn/padded.h"

#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"

/* ---- Reading ---------------------------------------------------------------------------------------------------------- */
static attend_status wrong_type(const attend_tensor *tensor, const char *name, const char *expected)
{
	char text[96];
	return attend_fail(ATTEND_ERR_DATA, "input '%s': expected %s, found %s", name, expected,
	                   attend_tensor_describe(text, sizeof text, tensor));
}

static attend_status check_count(const attend_tensor *tensor, const char *name, size_t count)
{
	size_t have;
	char text[96];
	if (attend_tensor_numel(&have, tensor) && have == count) return ATTEND_OK;
	return attend_fail(ATTEND_ERR_DATA, "input '%s': expected %zu elements, found %s", name, count,
	                   attend_tensor_describe(text, sizeof text, tensor));
}

attend_status attend_read_ints(int32_t **out, const attend_tensor *tensor, const char *name, size_t count)
{
	ATTEND_TRY(check_count(tensor, name, count));
	if (tensor->dtype != ATTEND_DTYPE_I64 && tensor->dtype != ATTEND_DTYPE_I32 && tensor->dtype != ATTEND_DTYPE_U8 &&
	    tensor->dtype != ATTEND_DTYPE_BOOL)
		return wrong_type(tensor, name, "integers");
	int32_t *values = attend_alloc_array(count ? count : 1, sizeof *values);
	if (values == NULL) return attend_fail_memory(count * sizeof *values, name);
	const unsigned char *src = tensor->data;
	for (size_t i = 0; i < count; i++) {
		int64_t v = 0;
		if (tensor->dtype == ATTEND_DTYPE_I64) {
			memcpy(&v, src + 8 * i, 8);
		} else if (tensor->dtype == ATTEND_DTYPE_I32) {
			int32_t narrow;
			memcpy(&narrow, src + 4 * i, 4);
			v = narrow;
		} else {
			v = src[i];
		}
		if (v > INT32_MAX || v < INT32_MIN) {
			free(values);
			return attend_fail(ATTEND_ERR_DATA, "input '%s': element %zu is %lld, out of range", name, i, (long long)v);
		}
		values[i] = (int32_t)v;
	}
	*out = values;
	return ATTEND_OK;
}

attend_status attend_read_floats(float **out, const attend_tensor *tensor, const char *name, size_t count)
{
	ATTEND_TRY(check_count(tensor, name, count));
	const attend_dtype t = tensor->dtype;
	const bool real = t == ATTEND_DTYPE_F32 || t == ATTEND_DTYPE_F16 || t == ATTEND_DTYPE_BF16 || t == ATTEND_DTYPE_F64;
	int32_t *ints = NULL;
	if (!real) ATTEND_TRY(attend_read_ints(&ints, tensor, name, count));
	float *values = attend_alloc_array(count ? count : 1, sizeof *values);
	if (values == NULL) {
		free(ints);
		return attend_fail_memory(count * sizeof *values, name);
	}
	if (real) attend_to_f32(values, tensor->data, t, count);
	else
		for (size_t i = 0; i < count; i++) values[i] = (float)ints[i];
	free(ints);
	*out = values;
	return ATTEND_OK;
}

/* ---- Shifting --------------------------------------------------------------------------------------------------------- */
static attend_status shift_start(int32_t *out, const attend_arch *arch, const int32_t *ids, size_t columns)
{
	if (arch->decoder_start_id < 0)
		return attend_fail(ATTEND_ERR_DATA,
		                   "decoder inputs cannot be made from labels: config.json has no decoder_start_token_id");
	for (size_t t = 0; t < columns; t++) {
		const int32_t id = t == 0 ? arch->decoder_start_id : ids[t - 1];
		if (id == -100 && arch->pad_id < 0)
			return attend_fail(ATTEND_ERR_DATA,
			                   "decoder inputs cannot be made from labels: config.json has no pad_token_id");
		out[t] = id == -100 ? arch->pad_id : id;
	}
	return ATTEND_OK;
}

static attend_status shift_language(int32_t *out, const attend_arch *arch, const int32_t *ids, size_t columns)
{
	if (arch->pad_id < 0)
		return attend_fail(ATTEND_ERR_DATA,
		                   "decoder inputs cannot be made from labels: config.json has no pad_token_id");
	size_t labels =
		0; /* the reference takes the last one's place from their number: right where all pads are at the end */
	for (size_t t = 0; t < columns; t++) labels += ids[t] != -100 && ids[t] != arch->pad_id;
	for (size_t t = 0; t < columns; t++) {
		const int32_t id = t > 0 ? ids[t - 1] : labels > 0 ? ids[labels - 1] : arch->pad_id;
		out[t] = id == -100 ? arch->pad_id : id;
	}
	return ATTEND_OK;
}

attend_status attend_shift_right(int32_t *out, const attend_arch *arch, const int32_t *ids, size_t rows, size_t columns)
{
	for (size_t r = 0; r < rows; r++) {
		const size_t at = r * columns;
		if (arch->shift == ATTEND_SHIFT_LANGUAGE) ATTEND_TRY(shift_language(out + at, arch, ids + at, columns));
		else ATTEND_TRY(shift_start(out + at, arch, ids + at, columns));
	}
	return ATTEND_OK;
}

/* ---- A grid ------------------------------------------------------------------------------------------------------------ */
static void free_grid(attend_grid *g)
{
	free(g->ids);
	free(g->real);
	free(g->token_of);
	free(g->cell_of);
	free(g->offsets);
	free(g->ragged_ids);
	free(g->types);
	free(g->positions);
	free(g->columns_of);
	free(g->hidden_keys);
	free(g->query_hidden_keys);
	free(g->hidden_list);
	free(g->query_hidden_list);
	free(g->mapping);
	free(g->mapping_list);
	free(g->targets);
}

static attend_status take(void *out, size_t count, size_t size)
{
	void *data = attend_alloc_array(count ? count : 1, size);
	if (data == NULL) return attend_fail_memory(count * size, "inputs");
	memcpy(out, &data, sizeof data);
	return ATTEND_OK;
}

/* The real cells into the ragged batch. */
static attend_status compact(attend_grid *g)
{
	const size_t cells = g->rows * g->columns;
	ATTEND_TRY(take(&g->token_of, cells, sizeof *g->token_of));
	ATTEND_TRY(take(&g->cell_of, cells, sizeof *g->cell_of));
	ATTEND_TRY(take(&g->offsets, g->rows + 1, sizeof *g->offsets));
	ATTEND_TRY(take(&g->ragged_ids, cells, sizeof *g->ragged_ids));
	ATTEND_TRY(take(&g->columns_of, cells, sizeof *g->columns_of));
	size_t n = 0;
	for (size_t r = 0; r < g->rows; r++) {
		g->offsets[r] = n;
		for (size_t t = 0; t < g->columns; t++) {
			const size_t cell = r * g->columns + t;
			g->token_of[cell] = SIZE_MAX;
			if (!g->real[cell]) continue;
			g->token_of[cell] = n;
			g->cell_of[n] = cell;
			g->ragged_ids[n] = g->ids[cell];
			g->columns_of[n++] = (int32_t)t;
		}
	}
	g->offsets[g->rows] = n;
	g->batch =
		(attend_batch){.sequences = g->rows, .offsets = g->offsets, .ids = g->ragged_ids, .columns = g->columns_of};
	return ATTEND_OK;
}

static attend_status take_positions(attend_grid *g, const attend_stack_arch *arch, const attend_tensor *given)
{
	const size_t cells = g->rows * g->columns;
	ATTEND_TRY(take(&g->positions, cells, sizeof *g->positions));
	int32_t *all = NULL;
	size_t count = 0;
	if (given) {
		const bool row = attend_tensor_numel(&count, given) && count == g->columns; /* [1,T]: the same for every row */
		ATTEND_TRY(attend_read_ints(&all, given, "position_ids", row ? g->columns : cells));
	}
	for (size_t r = 0; r < g->rows; r++) {
		int32_t running = 0;
		for (size_t t = 0; t < g->columns; t++) {
			const size_t cell = r * g->columns + t;
			int32_t p = (int32_t)t;
			if (all) {
				p = all[count == g->columns ? t : cell];
			} else if (arch->position_source == ATTEND_POSITION_FROM_IDS) {
				const bool counts = g->ids[cell] != arch->pad_id;
				running += counts;
				p = (counts ? running : 0) + arch->pad_id;
			}
			if (g->real[cell]) g->positions[g->token_of[cell]] = p;
		}
	}
	free(all);
	g->batch.positions = g->positions;
	return ATTEND_OK;
}

static attend_status take_types(attend_grid *g, const attend_tensor *given)
{
	if (given == NULL) return ATTEND_OK;
	int32_t *all;
	ATTEND_TRY(attend_read_ints(&all, given, "token_type_ids", g->rows * g->columns));
	for (size_t n = 0; n < g->offsets[g->rows]; n++) all[n] = all[g->cell_of[n]]; /* cell_of[n] >= n */
	g->types = all;
	g->batch.types = all;
	return ATTEND_OK;
}

/* hides(r, i, j) != 0 for real tokens of row r -> [T,T] lists. A mask over the whole rectangle [rows,columns,columns]. */
static attend_status take_hidden(attend_grid *g, const uint8_t *hides, uint8_t **keys, const uint8_t ***list)
{
	size_t total = 0;
	for (size_t r = 0; r < g->rows; r++) {
		const size_t n = g->offsets[r + 1] - g->offsets[r];
		total += n * n;
	}
	ATTEND_TRY(take(keys, total, 1));
	ATTEND_TRY(take(list, g->rows, sizeof **list));
	uint8_t *out = *keys;
	for (size_t r = 0; r < g->rows; r++) {
		(*list)[r] = out;
		for (size_t i = g->offsets[r]; i < g->offsets[r + 1]; i++)
			for (size_t j = g->offsets[r]; j < g->offsets[r + 1]; j++)
				*out++ = hides[(g->cell_of[i]) * g->columns + g->cell_of[j] % g->columns];
	}
	return ATTEND_OK;
}

static attend_status take_cube(attend_grid *g, const attend_tensor *tensor, const char *name, bool hides)
{
	const size_t cells = g->rows * g->columns * g->columns;
	float *values;
	ATTEND_TRY(attend_read_floats(&values, tensor, name, cells));
	uint8_t *flags = NULL;
	attend_status status = take(&flags, cells, 1);
	if (status == ATTEND_OK) {
		for (size_t i = 0; i < cells; i++) flags[i] = (values[i] != 0.0f) == hides;
		status = take_hidden(g, flags, &g->hidden_keys, &g->hidden_list);
		free(flags);
	}
	free(values);
	g->batch.hidden_keys = (const uint8_t *const *)g->hidden_list;
	return status;
}

static attend_status take_targets(attend_grid *g, const attend_tensor *tensor)
{
	if (tensor->rank != 3 || tensor->shape[0] != g->rows || tensor->shape[2] != g->columns)
		return wrong_type(tensor, "target_mapping", "[batch, targets, tokens]");
	const size_t targets = tensor->shape[1];
	ATTEND_TRY(attend_read_floats(&g->mapping, tensor, "target_mapping", g->rows * targets * g->columns));
	ATTEND_TRY(take(&g->targets, g->rows, sizeof *g->targets));
	ATTEND_TRY(take(&g->mapping_list, g->rows, sizeof *g->mapping_list));
	float *out = g->mapping; /* compacted in place: never ahead of what is read */
	for (size_t r = 0; r < g->rows; r++) {
		g->targets[r] = targets;
		g->mapping_list[r] = out;
		for (size_t m = 0; m < targets; m++)
			for (size_t t = 0; t < g->columns; t++)
				if (g->real[r * g->columns + t]) *out++ = g->mapping[(r * targets + m) * g->columns + t];
	}
	g->target_columns = targets;
	g->batch.targets = g->targets;
	g->batch.target_mapping = g->mapping_list;
	g->batch.query_hidden_keys = g->batch.hidden_keys;
	return ATTEND_OK;
}

/* ---- Both grids ------------------------------------------------------------------------------------------------------------ */
typedef struct names {
	const char *mask, *types, *positions;
} names;

static attend_status take_mask(attend_grid *g, attend_find_tensor find, void *payload, const char *name, bool *cube)
{
	const size_t cells = g->rows * g->columns;
	const attend_tensor *mask = find(payload, name), *inverted = mask ? NULL : find(payload, "input_mask");
	ATTEND_TRY(take(&g->real, cells, 1));
	memset(g->real, 1, cells);
	size_t count;
	*cube = mask && attend_tensor_numel(&count, mask) && count == cells * g->columns && g->columns > 1;
	if (*cube || (mask == NULL && inverted == NULL)) return ATTEND_OK;
	float *values;
	ATTEND_TRY(attend_read_floats(&values, mask ? mask : inverted, mask ? name : "input_mask", cells));
	for (size_t i = 0; i < cells; i++) g->real[i] = (values[i] != 0.0f) == (mask != NULL);
	free(values);
	return ATTEND_OK;
}

static attend_status build_grid(attend_grid *g, const attend_stack_arch *arch, attend_find_tensor find, void *payload,
                                const names *n)
{
	bool cube;
	ATTEND_TRY(take_mask(g, find, payload, n->mask, &cube));
	ATTEND_TRY(compact(g));
	ATTEND_TRY(take_types(g, n->types ? find(payload, n->types) : NULL));
	ATTEND_TRY(take_positions(g, arch, find(payload, n->positions)));
	if (cube) ATTEND_TRY(take_cube(g, find(payload, n->mask), n->mask, false));
	const attend_tensor *permutation = find(payload, "perm_mask"), *targets = find(payload, "target_mapping");
	if (arch->relative != ATTEND_RELATIVE_XLNET) return ATTEND_OK;
	if (permutation) ATTEND_TRY(take_cube(g, permutation, "perm_mask", true));
	if (targets) ATTEND_TRY(take_targets(g, targets));
	return ATTEND_OK;
}

static attend_status read_ids(attend_padded *p, attend_grid *g, const attend_tensor *tensor, const char *name)
{
	const bool choice = p->kind == ATTEND_HEAD_CHOICE;
	if (tensor->rank != (choice ? 3u : 2u))
		return wrong_type(tensor, name, choice ? "[batch, choices, tokens]" : "[batch, tokens]");
	p->batch = tensor->shape[0];
	p->choices = choice ? tensor->shape[1] : 1;
	size_t count;
	if (!attend_tensor_numel(&count, tensor) || count == 0) return wrong_type(tensor, name, "at least one token");
	if (count > INT32_MAX) return wrong_type(tensor, name, "fewer tokens");
	g->rows = p->batch * p->choices;
	g->columns = tensor->shape[tensor->rank - 1];
	return attend_read_ints(&g->ids, tensor, name, count);
}

/* decoder_input_ids as given, or from labels, or from input_ids. */
static attend_status decoder_ids(attend_padded *p, attend_find_tensor find, void *payload, bool *from_labels)
{
	attend_grid *g = &p->grids[1];
	const attend_tensor *given = find(payload, "decoder_input_ids"), *labels = find(payload, "labels");
	*from_labels = false;
	if (given) {
		ATTEND_TRY(read_ids(p, g, given, "decoder_input_ids"));
	} else if (p->kind == ATTEND_HEAD_SEQ2SEQ && labels) {
		*from_labels = true;
		ATTEND_TRY(read_ids(p, g, labels, "labels"));
	} else {
		const attend_grid *e = &p->grids[0];
		g->rows = e->rows;
		g->columns = e->columns;
		ATTEND_TRY(take(&g->ids, e->rows * e->columns, sizeof *g->ids));
		memcpy(g->ids, e->ids, e->rows * e->columns * sizeof *g->ids);
	}
	if (g->rows != p->grids[0].rows)
		return attend_fail(ATTEND_ERR_DATA, "%zu rows of decoder inputs for %zu rows of input_ids", g->rows,
		                   p->grids[0].rows);
	if (given) return ATTEND_OK;
	int32_t *shifted = NULL;
	ATTEND_TRY(take(&shifted, g->rows * g->columns, sizeof *shifted));
	const attend_status status = attend_shift_right(shifted, p->arch, g->ids, g->rows, g->columns);
	if (status == ATTEND_OK) {
		free(g->ids);
		g->ids = shifted;
	} else {
		free(shifted);
	}
	return status;
}

/* Some models hide shifted pads from the decoder's self-attention though the pads stay queries. */
static attend_status hide_shifted_pads(attend_padded *p)
{
	attend_grid *g = &p->grids[1];
	const size_t cells = g->rows * g->columns * g->columns;
	uint8_t *flags = NULL;
	ATTEND_TRY(take(&flags, cells, 1));
	for (size_t i = 0; i < cells; i++)
		flags[i] = g->ids[i / (g->columns * g->columns) * g->columns + i % g->columns] == p->arch->pad_id;
	const attend_status status = take_hidden(g, flags, &g->hidden_keys, &g->hidden_list);
	free(flags);
	g->batch.hidden_keys = (const uint8_t *const *)g->hidden_list;
	return status;
}

static attend_status find_heads(attend_padded *p)
{
	const attend_arch *arch = p->arch;
	int by_kind[ATTEND_HEAD_KINDS];
	for (int k = 0; k < ATTEND_HEAD_KINDS; k++) by_kind[k] = -1;
	for (size_t i = arch->head_count; i > 0; i--) by_kind[arch->heads[i - 1].kind] = (int)(i - 1);
	p->head = p->second = -1;
	if (p->kind == ATTEND_HEAD_BASE) return ATTEND_OK;
	if (p->kind == ATTEND_HEAD_PRETRAINING && by_kind[ATTEND_HEAD_DISCRIMINATOR] >= 0)
		p->kind = ATTEND_HEAD_DISCRIMINATOR;
	if (p->kind == ATTEND_HEAD_PRETRAINING) {
		p->head = by_kind[ATTEND_HEAD_MLM];
		p->second = by_kind[ATTEND_HEAD_NSP];
		if (p->head >= 0 && p->second >= 0) return ATTEND_OK;
	} else {
		p->head = by_kind[p->kind];
		if (p->head >= 0) return ATTEND_OK;
	}
	return attend_fail(ATTEND_ERR_ARG, "the architecture has no '%s' head", attend_head_kind_name(p->kind));
}

static attend_status read_grids(attend_padded *p, attend_find_tensor find, void *payload)
{
	const attend_arch *arch = p->arch;
	const attend_tensor *ids = find(payload, "input_ids");
	if (ids == NULL) return attend_fail(ATTEND_ERR_DATA, "input 'input_ids' is missing");
	p->stack = p->head >= 0 ? attend_head_stack(arch, &arch->heads[p->head]) : arch->has_decoder;
	p->runs_encoder = arch->has_encoder;
	p->runs_decoder = p->stack == 1;
	const int first = arch->has_encoder ? 0 : 1;
	ATTEND_TRY(read_ids(p, &p->grids[first], ids, "input_ids"));
	const names own = {"attention_mask", "token_type_ids", "position_ids"};
	ATTEND_TRY(build_grid(&p->grids[first], attend_arch_stack(arch, first), find, payload, &own));
	if (first == 1 || !p->runs_decoder) return ATTEND_OK;
	bool from_labels;
	ATTEND_TRY(decoder_ids(p, find, payload, &from_labels));
	const names other = {"decoder_attention_mask", "decoder_token_type_ids", "decoder_position_ids"};
	ATTEND_TRY(build_grid(&p->grids[1], &arch->decoder, find, payload, &other));
	if (from_labels && arch->shifted_pads_hidden && !find(payload, "decoder_attention_mask"))
		return hide_shifted_pads(p);
	return ATTEND_OK;
}

attend_status attend_padded_read(attend_padded *out, const attend_arch *arch, attend_head_kind kind,
                                 attend_problem problem, attend_find_tensor find, void *payload)
{
	*out = (attend_padded){.arch = arch, .kind = kind};
	ATTEND_TRY(find_heads(out));
	ATTEND_TRY(read_grids(out, find, payload));
	return attend_padded_targets(out, problem, find, payload);
}

void attend_padded_free(attend_padded *p)
{
	if (p == NULL) return;
	free_grid(&p->grids[0]);
	free_grid(&p->grids[1]);
	free(p->pool_rows);
	free(p->labels);
	free(p->second_labels);
	free(p->values);
	free(p->class_weights);
	memset(p, 0, sizeof *p);
}

/* ---- Running ------------------------------------------------------------------------------------------------------------------ */
static size_t larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

void attend_padded_plan(const attend_padded *p, attend_session_options *options)
{
	for (int i = 0; i < 2; i++) {
		const attend_grid *g = &p->grids[i];
		if (i == 0 ? !p->runs_encoder : !p->runs_decoder) continue;
		options->max_tokens = larger(options->max_tokens, larger(g->offsets[g->rows], 1));
		options->max_tokens = larger(options->max_tokens, g->rows * g->target_columns);
		options->max_sequences = larger(options->max_sequences, g->rows);
		options->max_length = larger(options->max_length, g->columns);
		if (g->target_columns) options->query_stream = true;
	}
}

attend_status attend_padded_run(const attend_padded *p, attend_session *session)
{
	if (p->runs_encoder) ATTEND_TRY(attend_session_encode(session, &p->grids[0].batch, NULL));
	if (p->runs_decoder) ATTEND_TRY(attend_session_decode(session, &p->grids[1].batch, NULL, NULL));
	return ATTEND_OK;
}
