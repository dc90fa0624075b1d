/* bind_find.c: from a pattern to a tensor of the file (huggingface.md 2.0.2), and from a tensor to a checked param. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "lib/core/rng.h"
#include "lib/core/stored.h"
#include "lib/nn/network.h"
#include "loaders/bind_internal.h"

enum { MAX_NAME = 512 };

attend_status attend_name_list_add(attend_name_list *list, const char *format, ...)
{
	char text[MAX_NAME + 256];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	ATTEND_TRY(attend_grow(&list->items, &list->capacity, list->count + 1, sizeof *list->items, "list of names"));
	list->items[list->count] = strdup(text);
	if (list->items[list->count] == NULL) return attend_fail_memory(strlen(text), "list of names");
	list->count++;
	return ATTEND_OK;
}

void attend_name_list_free(attend_name_list *list)
{
	for (size_t i = 0; i < list->count; i++) free(list->items[i]);
	free(list->items);
	*list = (attend_name_list){0};
}

/* ---- Names ------------------------------------------------------------------------------------------------------------- */

static bool ends_with(const char *text, const char *end)
{
	const size_t a = strlen(text), b = strlen(end);
	return a >= b && strcmp(text + a - b, end) == 0;
}

/* Without the wrappers of DataParallel and torch.compile; LayerNorm.gamma/beta as weight/bias. malloc'ed. */
static attend_status clean_name(char **out, const char *name)
{
	static const char *const wrappers[] = {"module.", "_orig_mod."};
	for (size_t i = 0; i < 2; i++)
		if (strncmp(name, wrappers[i], strlen(wrappers[i])) == 0) {
			name += strlen(wrappers[i]);
			i = (size_t)-1;
		}
	const bool gamma = ends_with(name, "LayerNorm.gamma"), beta = ends_with(name, "LayerNorm.beta");
	const size_t size = strlen(name) - (gamma ? 5 : beta ? 4 : 0);
	char *copy = malloc(size + 8);
	if (copy == NULL) return attend_fail_memory(size, "tensor name");
	memcpy(copy, name, size);
	strcpy(copy + size, gamma ? "weight" : beta ? "bias" : "");
	*out = copy;
	return ATTEND_OK;
}

attend_status attend_binder_index(attend_binder *b)
{
	const size_t count = attend_weights_count(b->weights);
	ATTEND_TRY(attend_map_new(&b->names, count));
	/* names that need no cleaning come first: they win over others that clean to the same */
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < count; i++) {
			const char *name = attend_weights_name(b->weights, i);
			char *clean;
			ATTEND_TRY(clean_name(&clean, name));
			attend_status status = ATTEND_OK;
			if ((strcmp(clean, name) == 0) == (pass == 0) && attend_map_find(b->names, clean, strlen(clean)) < 0)
				status = attend_map_put(b->names, clean, strlen(clean), (int32_t)i);
			free(clean);
			ATTEND_TRY(status);
		}
	return ATTEND_OK;
}

/* One alternative of a pattern with its placeholders filled; false: too long for any file of ours. */
static bool expand(char *out, size_t size, const attend_place *place, const char *base, const char *pattern,
                   size_t length, const char *suffix)
{
	const size_t inner = place->values != NULL ? (size_t)place->values->number[ATTEND_KEY_INNER_LAYERS] : 1;
	const size_t block = place->block < 0 ? 0 : (size_t)place->block;
	size_t at = 0;
	int n = snprintf(out, size, "%s%s", place->prefix, base);
	if (n < 0 || (size_t)n >= size) return false;
	at = (size_t)n;
	for (size_t i = 0; i < length;) {
		char number[24];
		const char *piece = number;
		size_t used = 3;
		if (strncmp(pattern + i, "{s}", 3) == 0) piece = place->stack == 1 ? "decoder" : "encoder";
		else if (strncmp(pattern + i, "{b}", 3) == 0) snprintf(number, sizeof number, "%zu", block);
		else if (strncmp(pattern + i, "{g}", 3) == 0) snprintf(number, sizeof number, "%zu", block / inner);
		else if (strncmp(pattern + i, "{k}", 3) == 0) snprintf(number, sizeof number, "%zu", block % inner);
		else {
			number[0] = pattern[i];
			number[1] = 0;
			used = 1;
		}
		const size_t add = strlen(piece);
		if (at + add >= size) return false;
		memcpy(out + at, piece, add);
		at += add;
		i += used;
	}
	if (at + strlen(suffix) >= size) return false;
	strcpy(out + at, suffix);
	return true;
}

static ptrdiff_t look_up(const attend_binder *b, const char *name)
{
	int32_t i = attend_map_find(b->names, name, strlen(name));
	if (i < 0) {
		/* safetensors.torch.save_model: a shared tensor that was dropped, and the name that was kept */
		const char *kept = attend_weights_metadata(b->weights, name);
		if (kept != NULL) i = attend_map_find(b->names, kept, strlen(kept));
	}
	return i < 0 ? ATTEND_NO_TENSOR : (ptrdiff_t)i;
}

/* The base prefix is optional name by name; the spelling of the class that config.json names comes first. */
static ptrdiff_t find_alternative(const attend_binder *b, const attend_place *place, const char *pattern, size_t length,
                                  const char *suffix)
{
	const char *prefix = place->model->base_prefix;
	const bool bare = place->head || b->config->arch.default_head == ATTEND_HEAD_BASE;
	const char *const bases[2] = {bare ? "" : prefix, bare ? prefix : ""};
	char name[MAX_NAME];
	for (int i = 0; i < 2; i++) {
		if (!expand(name, sizeof name, place, bases[i], pattern, length, suffix)) continue;
		const ptrdiff_t found = look_up(b, name);
		if (found != ATTEND_NO_TENSOR) return found;
	}
	return ATTEND_NO_TENSOR;
}

ptrdiff_t attend_binder_find(attend_binder *b, const attend_place *place, const char *pattern, const char *suffix)
{
	ptrdiff_t result = ATTEND_NO_TENSOR;
	for (const char *p = pattern; *p != 0;) {
		const size_t length = strcspn(p, "|");
		const ptrdiff_t found = find_alternative(b, place, p, length, suffix);
		if (found != ATTEND_NO_TENSOR && !b->dry) b->used[found] = true;
		if (result == ATTEND_NO_TENSOR) result = found;
		p += length + (p[length] == '|');
	}
	return result;
}

/* ---- Params ------------------------------------------------------------------------------------------------------------ */

static bool float_dtype(attend_dtype dtype)
{
	return dtype == ATTEND_DTYPE_F32 || dtype == ATTEND_DTYPE_F16 || dtype == ATTEND_DTYPE_BF16 ||
	       dtype == ATTEND_DTYPE_F64;
}

/* Is the tensor rows x cols? loose: dimensions may be split ([D,H,K] is [D,H*K]) or of size one ([1,V] is [V]). */
static bool shape_fits(const attend_tensor *t, const attend_want *want)
{
	if (!want->loose) {
		if (want->cols == 0) return t->rank == 1 && t->shape[0] == want->rows;
		return t->rank == 2 && t->shape[0] == want->rows && t->shape[1] == want->cols;
	}
	size_t left = 1, count;
	if (!attend_tensor_numel(&count, t) || count != want->rows * (want->cols ? want->cols : 1)) return false;
	if (want->cols == 0) return true;
	for (unsigned d = 0; d < t->rank; d++) {
		left *= t->shape[d];
		if (left == want->rows) return true;
	}
	return false;
}

static bool is_table(attend_role role)
{
	return role == ATTEND_ROLE_WORD_EMBEDDING || role == ATTEND_ROLE_POSITION_EMBEDDING ||
	       role == ATTEND_ROLE_TYPE_EMBEDDING || role == ATTEND_ROLE_RELATIVE_BIAS;
}

/* Codes that `attend convert` wrote (docs/quantisation.md): NAME holds them, always [out, bytes], NAME.scale the scales. Gives
 * the scales, or ATTEND_NO_TENSOR when it is no linear, or anything is off. */
static ptrdiff_t find_scales(const attend_binder *b, size_t tensor, const attend_want *want)
{
	const attend_pack_type type = b->stored_type;
	const bool int8 = type == ATTEND_PACK_INT8;
	const attend_tensor *t = attend_weights_tensor(b->weights, tensor);
	const size_t out = want->turned ? want->cols : want->rows, in = want->turned ? want->rows : want->cols;
	char name[MAX_NAME];
	size_t i;
	if (type == ATTEND_PACK_F32 || want->cols == 0 || is_table(want->role)) return ATTEND_NO_TENSOR;
	if (int8 && in > ATTEND_INT8_MAX_INPUTS) return ATTEND_NO_TENSOR;
	if (t->dtype != (int8 ? ATTEND_DTYPE_I8 : ATTEND_DTYPE_U8) || t->rank != 2 || t->shape[0] != out ||
	    t->shape[1] != attend_code_row_bytes(type, in))
		return ATTEND_NO_TENSOR;
	const int n = snprintf(name, sizeof name, "%s.scale", attend_weights_name(b->weights, tensor));
	if (n < 0 || (size_t)n >= sizeof name || !attend_weights_find(&i, b->weights, name)) return ATTEND_NO_TENSOR;
	const attend_tensor *s = attend_weights_tensor(b->weights, i);
	const bool shaped = int8 ? s->rank == 1 : s->rank == 2 && s->shape[1] == attend_code_row_scales(type, in);
	if (s->dtype != (int8 ? ATTEND_DTYPE_F32 : ATTEND_DTYPE_BF16) || !shaped || s->shape[0] != out)
		return ATTEND_NO_TENSOR;
	return (ptrdiff_t)i;
}

static bool fits(const attend_binder *b, size_t tensor, const attend_want *want)
{
	const attend_tensor *t = attend_weights_tensor(b->weights, tensor);
	return float_dtype(t->dtype) ? shape_fits(t, want) : find_scales(b, tensor, want) != ATTEND_NO_TENSOR;
}

static void want_text(char *out, size_t size, const attend_want *want)
{
	if (want->cols == 0) snprintf(out, size, "[%zu]", want->rows);
	else snprintf(out, size, "[%zu,%zu]", want->rows, want->cols);
}

static attend_status misfit(attend_binder *b, size_t tensor, const attend_want *want)
{
	char found[160], expected[64];
	attend_tensor_describe(found, sizeof found, attend_weights_tensor(b->weights, tensor));
	want_text(expected, sizeof expected, want);
	const char *name = attend_weights_name(b->weights, tensor);
	if (b->dry || b->options->lenient)
		return attend_name_list_add(b->missing, "%s (found %s, expected %s)", name, found, expected);
	const char *path = attend_weights_file(b->weights, tensor), *slash = strrchr(path, '/');
	return attend_fail(ATTEND_ERR_FORMAT,
	                   "%s: tensor '%s': expected F32, F16, BF16 or F64%s %s by config.json, found %s",
	                   slash != NULL ? slash + 1 : path, name,
	                   b->stored_type != ATTEND_PACK_F32 && want->cols != 0 && !is_table(want->role)
	                       ? " (or codes and '.scale')"
	                       : "",
	                   expected, found);
}

static attend_status add_param(attend_binder *b, attend_param **out, const attend_place *place, const attend_want *want,
                               const char *name)
{
	if (b->network->param_count == b->capacity) return attend_fail(ATTEND_ERR_FORMAT, "too many tensors");
	attend_param *p = &b->network->params[b->network->param_count];
	*p = (attend_param){.role = want->role, .stack = place->stack, .block = place->block};
	ATTEND_TRY(clean_name(&p->name, name));
	b->network->param_count++;
	*out = p;
	return ATTEND_OK;
}

/* The matrix is there in codes. */
static void take_codes(attend_binder *b, attend_param *p, const attend_want *want, size_t scales)
{
	p->count = want->rows * want->cols;
	p->scales = attend_weights_tensor(b->weights, scales)->data;
	b->used[scales] = true;
}

attend_status attend_binder_take(attend_binder *b, attend_param **out, const attend_place *place,
                                 const attend_want *want, size_t tensor)
{
	const attend_tensor *t = attend_weights_tensor(b->weights, tensor);
	*out = NULL;
	if (!fits(b, tensor, want)) return misfit(b, tensor, want);
	b->own++;
	if (b->dry) return ATTEND_OK;
	b->used[tensor] = true;
	if (b->params[tensor] == NULL) {
		attend_param *p;
		ATTEND_TRY(add_param(b, &p, place, want, attend_weights_name(b->weights, tensor)));
		p->stored = *t;
		if (!attend_tensor_numel(&p->count, t)) p->count = 0; /* the reader has checked it */
		if (!float_dtype(t->dtype)) take_codes(b, p, want, (size_t)find_scales(b, tensor, want));
		b->params[tensor] = p;
	}
	*out = b->params[tensor];
	return ATTEND_OK;
}

static bool is_norm_weight(attend_role role)
{
	static const attend_role norms[] = {ATTEND_ROLE_EMBEDDING_NORM_W, ATTEND_ROLE_ATTENTION_NORM_W,
	                                    ATTEND_ROLE_CROSS_NORM_W,     ATTEND_ROLE_FFN_NORM_W,
	                                    ATTEND_ROLE_FINAL_NORM_W,     ATTEND_ROLE_HEAD_NORM_W};
	for (size_t i = 0; i < sizeof norms / sizeof *norms; i++)
		if (norms[i] == role) return true;
	return false;
}

static const attend_stack_arch *stack_of(const attend_binder *b, const attend_place *place)
{
	const attend_arch *arch = &b->config->arch;
	return place->stack == 1 || !arch->has_encoder ? &arch->decoder : &arch->encoder;
}

static double deviation(const attend_binder *b, const attend_place *place, attend_role role)
{
	const double range = b->config->init_range;
	const bool added =
		role == ATTEND_ROLE_ATTENTION_OUT_W || role == ATTEND_ROLE_CROSS_OUT_W || role == ATTEND_ROLE_DOWN_W;
	return added && place->model->scales_residuals ? range / sqrt(2.0 * (double)stack_of(b, place)->layers) : range;
}

/* New weights: N(0, initializer_range), norm weights 1, biases 0, an embedding's row of the pad 0. */
static attend_status create(attend_binder *b, attend_param **out, const attend_place *place, const attend_want *want,
                            const char *name)
{
	attend_param *p;
	const size_t count = want->rows * (want->cols ? want->cols : 1);
	ATTEND_TRY(add_param(b, &p, place, want, name));
	p->values = attend_alloc_aligned((count ? count : 1) * sizeof(float));
	if (p->values == NULL) return attend_fail_memory(count * sizeof(float), p->name);
	attend_rng rng = {.seed = b->options->seed, .stream = b->stream++};
	const float constant = is_norm_weight(want->role) ? 1.0f : 0.0f;
	const double scale = deviation(b, place, want->role);
	for (size_t i = 0; i < count; i++)
		p->values[i] = want->cols == 0 ? constant : (float)(attend_rng_normal(&rng) * scale);
	const attend_stack_arch *stack = stack_of(b, place);
	if (want->role == ATTEND_ROLE_WORD_EMBEDDING && stack->pad_row_frozen && stack->pad_id >= 0 &&
	    (size_t)stack->pad_id < want->rows)
		memset(p->values + (size_t)stack->pad_id * want->cols, 0, want->cols * sizeof(float));
	p->stored = (attend_tensor){.dtype = ATTEND_DTYPE_F32,
	                            .rank = want->cols ? 2 : 1,
	                            .shape = {want->rows, want->cols},
	                            .data = p->values};
	p->count = count;
	*out = p;
	return ATTEND_OK;
}

attend_status attend_binder_get(attend_binder *b, attend_param **out, const attend_place *place,
                                const attend_want *want)
{
	*out = NULL;
	const ptrdiff_t found = attend_binder_find(b, place, want->pattern, want->suffix);
	const bool replaced = b->create && found != ATTEND_NO_TENSOR && !fits(b, (size_t)found, want);
	if (found != ATTEND_NO_TENSOR && !replaced) return attend_binder_take(b, out, place, want, (size_t)found);
	/* sinusoids need no table */
	if (want->optional && (!b->create || want->role == ATTEND_ROLE_POSITION_EMBEDDING)) return ATTEND_OK;
	char name[MAX_NAME];
	const bool bare = place->head || b->config->arch.default_head == ATTEND_HEAD_BASE ||
	                  (place->model->bare_heads >> b->config->arch.default_head & 1u) != 0;
	if (!expand(name, sizeof name, place, bare ? "" : place->model->base_prefix, want->pattern,
	            strcspn(want->pattern, "|"), want->suffix))
		return attend_fail(ATTEND_ERR_FORMAT, "the name of a tensor is too long");
	if (b->create && !b->dry) ATTEND_TRY(create(b, out, place, want, name));
	return attend_name_list_add(b->missing, "%s", name);
}

attend_status attend_binder_finite(const attend_binder *b, const attend_param *p)
{
	size_t bad;
	if (b->options->lenient || attend_stored_finite(p->stored.data, p->stored.dtype, p->count, &bad)) return ATTEND_OK;
	return attend_param_not_finite(p, bad);
}

attend_status attend_binder_vector(attend_binder *b, attend_vector *out, const attend_place *place,
                                   const attend_want *want)
{
	attend_param *p;
	ATTEND_TRY(attend_binder_get(b, &p, place, want));
	if (p == NULL) return ATTEND_OK;
	ATTEND_TRY(attend_binder_finite(b, p));
	*out = (attend_vector){.param = p, .n = p->count};
	return ATTEND_OK;
}
