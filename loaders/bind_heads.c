/* bind_heads.c: heads, tied or not (huggingface.md 2.0.3). A head is there when all its tensors are; the wanted one is asked for
 * in earnest, the others are only looked for. */
#include <string.h>

#include "loaders/bind_internal.h"

static attend_place head_place(const attend_binder *b, const attend_head_arch *head)
{
	const int stack = b->network->arch.has_decoder && !head->on_encoder ? 1 : 0;
	return (attend_place){stack, -1, b->config->model[stack], &b->config->values[stack], b->config->prefix[stack],
	                      true};
}

static bool flag(const attend_place *place, attend_key key)
{
	return key == ATTEND_KEY_NONE || place->values->number[key] != 0;
}

/* The table's line for a head of the architecture; a composite's seq2seq head is its decoder's language model. */
static const attend_family_head *head_line(const attend_binder *b, const attend_place *place, attend_head_kind kind)
{
	if (b->config->family->shape == ATTEND_SHAPE_COMPOSITE) kind = ATTEND_HEAD_LM;
	for (const attend_family_head *h = place->model->heads; h->kind != ATTEND_HEAD_BASE; h++)
		if (h->kind == kind) return h;
	return NULL;
}

/* One product of a head; the bias may have a name of its own. */
static attend_status linear(attend_binder *b, attend_linear *out, const attend_place *place, const attend_want *weight,
                            const attend_want *bias)
{
	attend_param *p;
	attend_vector v = {0};
	ATTEND_TRY(attend_binder_get(b, &p, place, weight));
	if (bias != NULL) ATTEND_TRY(attend_binder_vector(b, &v, place, bias));
	if (p == NULL) return ATTEND_OK;
	*out = (attend_linear){.out = weight->rows, .in = weight->cols, .part_count = 1};
	out->parts[0] = (attend_linear_part){.param = p, .rows = weight->rows};
	out->bias_parts[0] = v;
	return ATTEND_OK;
}

/* Same numbers? Sizes differ: no. A difference usually shows in the first bytes. */
static bool same_bytes(const attend_tensor *a, const attend_tensor *b)
{
	size_t na, nb;
	if (a->dtype != b->dtype || !attend_tensor_bytes(&na, a) || !attend_tensor_bytes(&nb, b) || na != nb) return false;
	return a->data == b->data || memcmp(a->data, b->data, na) == 0;
}

/* Is the output matrix a copy of the word embedding? Each pair is looked at once: several heads ask. */
static bool is_copy(attend_binder *b, ptrdiff_t tensor, const attend_param *word)
{
	if (b->compared_with != word || b->compared != tensor) {
		b->compared = tensor;
		b->compared_with = word;
		b->compared_same = same_bytes(attend_weights_tensor(b->weights, (size_t)tensor), &word->stored);
	}
	return b->compared_same;
}

/* The output matrix of a language model: its own tensor when the file has one that differs from the word embedding, else the
 * embedding itself. `arch->tied` ends as what it is. */
static attend_status tied_out(attend_binder *b, attend_linear *out, attend_head_arch *arch, const attend_place *place,
                              const attend_want *weight, const attend_want *bias)
{
	attend_param *word = b->network->stacks[place->stack].word.param;
	const ptrdiff_t found = attend_binder_find(b, place, weight->pattern, weight->suffix);
	const bool own = found != ATTEND_NO_TENSOR && (word == NULL || !is_copy(b, found, word));
	if (own || word == NULL || (b->options->from_scratch && !arch->tied)) {
		if (!b->dry) arch->tied = false;
		return linear(b, out, place, weight, bias);
	}
	if (word->stored.rank != 2 || word->stored.shape[0] != weight->rows || word->stored.shape[1] != weight->cols) {
		if (!b->dry) arch->tied = false;
		return linear(b, out, place, weight, bias);
	}
	attend_vector v = {0};
	if (bias != NULL) ATTEND_TRY(attend_binder_vector(b, &v, place, bias));
	if (b->dry) return ATTEND_OK;
	if (!arch->tied && found == ATTEND_NO_TENSOR)
		attend_log(ATTEND_LOG_WARNING,
		           "tie_word_embeddings is false, but the file has no output matrix: the word embedding serves");
	arch->tied = true;
	*out = (attend_linear){.out = weight->rows, .in = weight->cols, .part_count = 1};
	out->parts[0] = (attend_linear_part){.param = word, .rows = weight->rows};
	out->bias_parts[0] = v;
	return ATTEND_OK;
}

static attend_status bind_head(attend_binder *b, size_t index)
{
	attend_arch *arch = &b->network->arch;
	attend_head_arch *h = &arch->heads[index];
	attend_head_params scratch = {0};
	attend_head_params *out = b->dry ? &scratch : &b->network->heads[index];
	const attend_place place = head_place(b, h);
	const attend_family_head *line = head_line(b, &place, h->kind);
	const attend_stack_arch *s = place.stack == 1 ? &arch->decoder : &arch->encoder;
	size_t width = s->hidden;
	if (line == NULL) return ATTEND_OK;
	if (h->dense != 0) {
		const attend_want w = {ATTEND_ROLE_HEAD_DENSE_W, line->dense, ".weight", h->dense, width, false, false, false};
		const attend_want bias = {ATTEND_ROLE_HEAD_DENSE_B, line->dense, ".bias", h->dense, 0, false, false, false};
		ATTEND_TRY(linear(b, &out->dense, &place, &w, flag(&place, line->dense_bias_when) ? &bias : NULL));
		width = h->dense;
	}
	if (line->norm) {
		const attend_want w = {ATTEND_ROLE_HEAD_NORM_W, line->norm_name, ".weight", width, 0, false, false, false};
		const attend_want bias = {ATTEND_ROLE_HEAD_NORM_B, line->norm_name, ".bias", width, 0, false, false, false};
		ATTEND_TRY(attend_binder_vector(b, &out->norm.weight, &place, &w));
		if (flag(&place, line->norm_bias_when)) ATTEND_TRY(attend_binder_vector(b, &out->norm.bias, &place, &bias));
	}
	const attend_want w = {ATTEND_ROLE_HEAD_OUT_W, line->out, ".weight", h->outputs, width, false, false, false};
	const attend_want bias = {ATTEND_ROLE_HEAD_OUT_B,  line->out_bias, "", h->outputs, 0, true,
	                          line->out_bias_optional, false};
	const attend_want *pb = line->out_bias != NULL && flag(&place, line->out_bias_when) ? &bias : NULL;
	ATTEND_TRY(line->tied ? tied_out(b, &out->out, h, &place, &w, pb) : linear(b, &out->out, &place, &w, pb));
	attend_param *param = out->out.bias_parts[0].param;
	if (!b->dry && param != NULL && line->out_bias_constant) param->constant = true;
	return ATTEND_OK;
}

static bool is_part(attend_head_kind kind, attend_head_kind of)
{
	return kind == of || (of == ATTEND_HEAD_PRETRAINING &&
	                      (kind == ATTEND_HEAD_MLM || kind == ATTEND_HEAD_NSP || kind == ATTEND_HEAD_DISCRIMINATOR));
}

/* All of a head's tensors there and in shape? *own: how many are not shared with the body. */
static attend_status probe(attend_binder *b, size_t index, bool *present, size_t *own)
{
	attend_name_list missing = {0};
	attend_name_list *before = b->missing;
	b->missing = &missing;
	b->dry = true;
	b->own = 0;
	const attend_status status = bind_head(b, index);
	b->dry = false;
	b->missing = before;
	*own = b->own;
	*present = missing.count == 0;
	attend_name_list_free(&missing);
	return status;
}

/* config.json names no class, or one that attend does not know: the first head with tensors of its own; for a decoder else its
 * language model. */
static attend_status infer_head(attend_binder *b)
{
	attend_arch *arch = &b->network->arch;
	attend_head_kind fallback = ATTEND_HEAD_BASE;
	for (size_t i = 0; i < arch->head_count; i++) {
		bool present;
		size_t own;
		ATTEND_TRY(probe(b, i, &present, &own));
		if (!present) continue;
		if (own > 0) {
			arch->default_head = arch->heads[i].kind;
			return ATTEND_OK;
		}
		if (fallback == ATTEND_HEAD_BASE && arch->has_decoder) fallback = arch->heads[i].kind;
	}
	arch->default_head = fallback;
	return ATTEND_OK;
}

static attend_status wanted_head(attend_binder *b)
{
	attend_arch *arch = &b->network->arch;
	if (!b->config->architecture_known) ATTEND_TRY(infer_head(b));
	b->wanted = b->options->has_head ? b->options->head : arch->default_head;
	if (b->wanted == ATTEND_HEAD_BASE) return ATTEND_OK;
	for (size_t i = 0; i < arch->head_count; i++)
		if (is_part(arch->heads[i].kind, b->wanted)) return ATTEND_OK;
	return attend_fail(ATTEND_ERR_NOTFOUND, "a %s model has no '%s' head", b->config->model_type,
	                   attend_head_kind_name(b->wanted));
}

attend_status attend_binder_heads(attend_binder *b)
{
	attend_arch *arch = &b->network->arch;
	ATTEND_TRY(wanted_head(b));
	bool pooler = false;
	for (size_t i = 0; i < arch->head_count; i++)
		pooler |= is_part(arch->heads[i].kind, b->wanted) && arch->heads[i].after_pooler;
	b->missing = &b->report->missing_head;
	b->create = b->options->new_head;
	ATTEND_TRY(attend_binder_pooler(b, pooler));
	for (size_t i = 0; i < arch->head_count; i++) {
		const bool wanted = is_part(arch->heads[i].kind, b->wanted);
		bool present;
		size_t own;
		b->create = false;
		ATTEND_TRY(probe(b, i, &present, &own));
		if (arch->heads[i].after_pooler && !b->network->pooler.present) present = false;
		if (!present && !wanted) continue;
		b->create = wanted && b->options->new_head;
		ATTEND_TRY(bind_head(b, i));
		b->network->heads[i].present = present || b->create;
	}
	b->create = false;
	return ATTEND_OK;
}
