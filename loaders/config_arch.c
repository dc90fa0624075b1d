/* config_arch.c: from a model's table and its numbers to the architecture that lib/nn runs. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "loaders/config_internal.h"

static size_t size_of(const attend_key_values *v, attend_key key)
{
	return (size_t)v->number[key];
}

static bool flag_of(const attend_key_values *v, attend_key key)
{
	return v->number[key] != 0;
}

/* `json` is for messages only. stack 0 encoder, 1 decoder. */
static attend_status fill_stack(attend_stack_arch *s, const attend_family *model, const attend_key_values *v, int stack,
                                bool cross, const attend_json *json)
{
	*s = model->stack;
	const bool two = model->shape == ATTEND_SHAPE_ENCODER_DECODER;
	const bool second = two && stack == 1;
	s->layers = size_of(v, second ? ATTEND_KEY_DECODER_LAYERS : ATTEND_KEY_LAYERS);
	s->hidden = size_of(v, ATTEND_KEY_HIDDEN);
	s->embedding = size_of(v, ATTEND_KEY_EMBEDDING);
	s->heads = size_of(v, second ? ATTEND_KEY_DECODER_HEADS : ATTEND_KEY_HEADS);
	s->head_dim = size_of(v, ATTEND_KEY_HEAD_DIM);
	s->intermediate = size_of(v, second ? ATTEND_KEY_DECODER_INTERMEDIATE : ATTEND_KEY_INTERMEDIATE);
	s->vocab = size_of(v, second ? ATTEND_KEY_DECODER_VOCAB : ATTEND_KEY_VOCAB);
	if (s->head_dim == 0) {
		if (s->hidden % s->heads != 0)
			return attend_json_fail(attend_config_place(model, second ? ATTEND_KEY_DECODER_HEADS : ATTEND_KEY_HEADS,
			                                            json),
			                        "expected a divisor of the hidden size %zu, found %zu heads", s->hidden, s->heads);
		s->head_dim = s->hidden / s->heads;
	}
	if (s->relative == ATTEND_RELATIVE_XLNET && s->heads * s->head_dim != s->hidden)
		return attend_json_fail(attend_config_place(model, ATTEND_KEY_HEAD_DIM, json),
		                        "expected %zu (hidden size %zu / %zu heads), found %zu", s->hidden / s->heads,
		                        s->hidden, s->heads, s->head_dim);
	if ((s->positions == ATTEND_POSITION_ROTARY && s->head_dim % 2 != 0) ||
	    (s->relative == ATTEND_RELATIVE_XLNET && s->hidden % 2 != 0))
		return attend_json_fail(attend_config_place(model, ATTEND_KEY_HIDDEN, json),
		                        "expected a size that rotary or relative positions can halve, found %zu (%zu a head)",
		                        s->hidden, s->head_dim);
	s->inner_layers = size_of(v, ATTEND_KEY_INNER_LAYERS);
	s->groups = two ? s->layers : size_of(v, ATTEND_KEY_GROUPS);
	if (s->groups > s->layers || s->groups * s->inner_layers > ATTEND_MAX_LAYERS)
		return attend_json_fail(attend_config_place(model, ATTEND_KEY_GROUPS, json),
		                        "%zu groups of %zu layers do not go together with %zu layers", s->groups,
		                        s->inner_layers, s->layers);

	const double pad = model->pad_is_one ? 1 : v->number[ATTEND_KEY_PAD];
	s->pad_id = (int32_t)pad;
	const size_t positions = size_of(v, ATTEND_KEY_MAX_POSITIONS);
	s->max_positions = s->positions == ATTEND_POSITION_NONE ? 0 : positions;
	if (s->position_source == ATTEND_POSITION_FROM_IDS) {
		if (pad < 0) return attend_json_fail(json, "pad_token_id is missing: positions count from it");
		if ((double)positions <= pad + 1)
			return attend_json_fail(attend_config_place(model, ATTEND_KEY_MAX_POSITIONS, json),
			                        "%zu positions leave none behind pad_token_id %g", positions, pad);
		s->max_positions = positions - (size_t)pad - 1;
	}
	s->types = size_of(v, ATTEND_KEY_TYPES);
	s->embedding_scale = flag_of(v, ATTEND_KEY_SCALE_EMBEDDING) ? (float)sqrt((double)s->hidden) : 1.0f;

	s->norm_eps = (float)v->number[ATTEND_KEY_NORM_EPS];
	s->causal = (stack == 1 && !model->sees_ahead) || flag_of(v, ATTEND_KEY_CAUSAL);
	s->memory = (size_t)v->number[ATTEND_KEY_MEMORY];
	s->cross_attention = cross;
	s->score_scale = flag_of(v, ATTEND_KEY_SCALE_SCORES) ? (float)(1.0 / sqrt((double)s->head_dim)) : 1.0f;
	s->relative_buckets = size_of(v, ATTEND_KEY_BUCKETS);
	s->relative_max_distance = size_of(v, ATTEND_KEY_MAX_DISTANCE);
	if (stack == 1) s->relative_bidirectional = false;
	if (s->relative == ATTEND_RELATIVE_BUCKETS_STACK || s->relative == ATTEND_RELATIVE_BUCKETS_LAYER) {
		/* the logarithm of the bucket rule needs max_distance above the exact buckets */
		const size_t exact = s->relative_buckets / (s->relative_bidirectional ? 4 : 2);
		if (exact == 0 || s->relative_max_distance <= exact)
			return attend_json_fail(attend_config_place(model, ATTEND_KEY_BUCKETS, json),
			                        "%zu buckets and a maximum distance of %zu do not go together", s->relative_buckets,
			                        s->relative_max_distance);
	}
	s->clamp_len = (int64_t)v->number[ATTEND_KEY_CLAMP_LEN];
	s->activation = (attend_activation)v->number[ATTEND_KEY_ACTIVATION];
	s->gated = flag_of(v, ATTEND_KEY_GATED);
	s->dropout_embedding = (float)v->number[ATTEND_KEY_DROPOUT_EMBEDDING];
	s->dropout_hidden = (float)v->number[ATTEND_KEY_DROPOUT_HIDDEN];
	s->dropout_attention = (float)v->number[ATTEND_KEY_DROPOUT_ATTENTION];
	s->dropout_activation = (float)v->number[ATTEND_KEY_DROPOUT_ACTIVATION];
	s->dropout_final = (float)v->number[ATTEND_KEY_DROPOUT_FINAL];
	return ATTEND_OK;
}

static void fill_head(attend_head_arch *out, const attend_family_head *h, const attend_stack_arch *s,
                      const attend_key_values *v, size_t labels)
{
	*out = (attend_head_arch){.kind = h->kind, .pooling = h->pooling, .after_pooler = h->after_pooler, .norm = h->norm};
	if (h->pooling_by_config) out->pooling = (attend_pooling)v->number[ATTEND_KEY_HEAD_POOLING];
	const bool dense =
		h->dense_width != ATTEND_KEY_NONE && (h->dense_when == ATTEND_KEY_NONE || flag_of(v, h->dense_when));
	out->dense = !dense ? 0 : h->dense_width == ATTEND_KEY_EMBEDDING ? s->embedding : s->hidden;
	out->activation =
		h->activation_key == ATTEND_KEY_NONE ? h->activation : (attend_activation)v->number[h->activation_key];
	out->norm_eps = h->norm_eps != 0 ? h->norm_eps : s->norm_eps;
	switch (h->outputs) {
	case ATTEND_OUTPUTS_LABELS: out->outputs = labels; break;
	case ATTEND_OUTPUTS_VOCAB: out->outputs = s->vocab; break;
	case ATTEND_OUTPUTS_ONE: out->outputs = 1; break;
	case ATTEND_OUTPUTS_TWO: out->outputs = 2; break;
	}
	out->tied = h->tied && flag_of(v, ATTEND_KEY_TIE);
	out->scale = h->kind == ATTEND_HEAD_SEQ2SEQ && flag_of(v, ATTEND_KEY_SCALE_LOGITS)
	                 ? (float)(1.0 / sqrt((double)s->hidden))
	                 : 1.0f;
	out->shift_labels = h->shift_labels;
	out->sentence_order = h->sentence_order;
	out->dropout = h->dropout == ATTEND_KEY_NONE ? 0 : (float)v->number[h->dropout];
	out->dropout_before_dense = h->dropout_before_dense;
}

static bool has_role(const attend_family *model, attend_role role)
{
	for (const attend_family_name *n = model->names; n != NULL && n->role != ATTEND_ROLE_NONE; n++)
		if (n->role == role) return true;
	for (const attend_family_name *n = model->shared_names; n != NULL && n->role != ATTEND_ROLE_NONE; n++)
		if (n->role == role) return true;
	return false;
}

/* Of an encoder-decoder family: does the head belong to what is there of the two stacks? */
static bool head_belongs(const attend_config *config, const attend_family_head *h)
{
	const attend_arch *arch = &config->arch;
	if (config->family->shape == ATTEND_SHAPE_COMPOSITE) return h->kind == ATTEND_HEAD_LM; /* as its seq2seq head */
	if (config->family->shape != ATTEND_SHAPE_ENCODER_DECODER) return true;
	if (!arch->has_decoder) return h->on_encoder;
	return arch->has_encoder ? h->kind != ATTEND_HEAD_LM : h->kind == ATTEND_HEAD_LM;
}

static void fill_heads(attend_config *config)
{
	attend_arch *arch = &config->arch;
	const int reads = arch->has_decoder ? 1 : 0;
	const attend_family *model = config->model[reads];
	const bool composite = config->family->shape == ATTEND_SHAPE_COMPOSITE;
	arch->shifted_pads_hidden = composite;
	for (const attend_family_head *h = model->heads; h->kind != ATTEND_HEAD_BASE && arch->head_count < ATTEND_MAX_HEADS;
	     h++) {
		if (!head_belongs(config, h)) continue;
		attend_head_arch *out = &arch->heads[arch->head_count++];
		const bool on_encoder = reads == 1 && h->on_encoder && arch->has_encoder;
		fill_head(out, h, reads == 1 && !on_encoder ? &arch->decoder : &arch->encoder, &config->values[reads],
		          config->label_count);
		out->on_encoder = on_encoder;
		if (composite) {
			out->kind = ATTEND_HEAD_SEQ2SEQ;
			out->shift_labels = false;
		}
	}
	if (composite || !has_role(model, ATTEND_ROLE_POOLER_W)) return;
	const attend_stack_arch *s = reads == 1 ? &arch->decoder : &arch->encoder;
	arch->pooler = (attend_head_arch){.kind = ATTEND_HEAD_BASE,
	                                  .pooling = ATTEND_POOL_FIRST,
	                                  .dense = s->hidden,
	                                  .activation = ATTEND_ACT_TANH,
	                                  .scale = 1};
}

static const attend_family_class *find_class(const attend_config *config)
{
	if (config->architecture == NULL) return NULL;
	for (const attend_family_class *c = config->family->classes; c->name != NULL; c++)
		if (strcmp(c->name, config->architecture) == 0) return c;
	return NULL;
}

static void choose_stacks(attend_config *config, const attend_family_class *class)
{
	attend_arch *arch = &config->arch;
	const attend_key_values *v = &config->values[0];
	switch (config->family->shape) {
	case ATTEND_SHAPE_COLUMN:
		arch->has_decoder =
			flag_of(v, ATTEND_KEY_IS_DECODER) || (class != NULL && class->shape == ATTEND_SHAPE_DECODER);
		arch->has_encoder = !arch->has_decoder;
		break;
	case ATTEND_SHAPE_DECODER: arch->has_decoder = true; break;
	case ATTEND_SHAPE_ENCODER: arch->has_encoder = true; break;
	case ATTEND_SHAPE_COMPOSITE: arch->has_encoder = arch->has_decoder = true; break;
	case ATTEND_SHAPE_ENCODER_DECODER:
		arch->has_encoder = arch->has_decoder = true;
		if (class != NULL && class->shape != ATTEND_SHAPE_COLUMN) {
			arch->has_decoder = class->shape == ATTEND_SHAPE_DECODER;
			arch->has_encoder = !arch->has_decoder;
		} else if (class == NULL && !flag_of(v, ATTEND_KEY_ENCODER_DECODER)) {
			arch->has_decoder = flag_of(v, ATTEND_KEY_IS_DECODER);
			arch->has_encoder = !arch->has_decoder;
		}
		break;
	}
}

/* Position types that have left the library, and pruned heads: well formed, not run. */
static attend_status refuse(const attend_json *json)
{
	const attend_json *type = attend_json_get(json, "position_embedding_type");
	if (type != NULL && attend_json_type(type) == ATTEND_JSON_STRING) {
		const char *text = "";
		ATTEND_TRY(attend_json_as_string(&text, NULL, type));
		if (strcmp(text, "absolute") != 0) {
			attend_json_fail(type, "expected \"absolute\", found \"%s\": relative_key positions are not supported",
			                 text);
			return ATTEND_ERR_UNSUPPORTED;
		}
	}
	const attend_json *pruned = attend_json_get(json, "pruned_heads");
	if (pruned != NULL && attend_json_count(pruned) > 0) {
		attend_json_fail(pruned, "pruned heads are not supported");
		return ATTEND_ERR_UNSUPPORTED;
	}
	return ATTEND_OK;
}

attend_status attend_config_arch(attend_config *config, const attend_json *const json[2])
{
	attend_arch *arch = &config->arch;
	const attend_family *family = config->family;
	const bool composite = family->shape == ATTEND_SHAPE_COMPOSITE;
	const attend_family_class *class = find_class(config);
	config->architecture_known = class != NULL;
	arch->default_head = class != NULL ? class->head : ATTEND_HEAD_BASE;
	choose_stacks(config, class);

	size_t layers = 0;
	for (int i = 0; i < 2; i++) {
		if (!(i == 0 ? arch->has_encoder : arch->has_decoder)) continue;
		const attend_key_values *v = &config->values[i];
		ATTEND_TRY(refuse(json[i]));
		const bool both = arch->has_encoder && arch->has_decoder;
		const bool cross =
			i == 1 &&
			(both || (family->shape != ATTEND_SHAPE_ENCODER_DECODER && flag_of(v, ATTEND_KEY_CROSS_ATTENTION)));
		attend_stack_arch *s = i == 0 ? &arch->encoder : &arch->decoder;
		ATTEND_TRY(fill_stack(s, config->model[i], v, i, cross, json[i]));
		if (cross && !both) {
			attend_json_fail(json[i],
			                 "cross-attention without an encoder: the folder is one half of an encoder-decoder");
			return ATTEND_ERR_UNSUPPORTED;
		}
		layers += s->layers;
	}
	arch->layers = attend_alloc_array(layers, sizeof *arch->layers);
	if (arch->layers == NULL) return attend_fail_memory(layers * sizeof *arch->layers, "layers");
	attend_layer_arch *next = arch->layers;
	for (int i = 0; i < 2; i++) {
		if (!(i == 0 ? arch->has_encoder : arch->has_decoder)) continue;
		attend_stack_arch *s = i == 0 ? &arch->encoder : &arch->decoder;
		ATTEND_TRY(attend_config_layers(next, s, config->model[i], &config->values[i], json[i]));
		s->layer = next;
		next += s->layers;
	}

	const attend_key_values *v = &config->values[arch->has_decoder ? 1 : 0];
	const bool both = arch->has_encoder && arch->has_decoder;
	arch->shared_embedding = both && !composite && flag_of(v, ATTEND_KEY_SHARE_EMBEDDING);
	if (arch->shared_embedding && arch->encoder.vocab != arch->decoder.vocab)
		return attend_json_fail(json[1], "encoder and decoder share their embedding, but have %zu and %zu tokens",
		                        arch->encoder.vocab, arch->decoder.vocab);
	arch->tie_word_embeddings = flag_of(v, ATTEND_KEY_TIE);
	arch->bridge = composite && arch->encoder.hidden != arch->decoder.hidden;
	if (both && !composite && arch->encoder.hidden != arch->decoder.hidden)
		return attend_json_fail(json[1], "encoder and decoder differ in hidden size");
	arch->shift = family->shift;
	fill_heads(config);
	return ATTEND_OK;
}
