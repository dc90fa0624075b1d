/* bind_stack.c: the tensors of one stack: embeddings, blocks, final norm; the bridge between two; the pooler. */
#include <stdlib.h>

#include "lib/core/arena.h"
#include "loaders/bind_internal.h"

/* ---- Roles -------------------------------------------------------------------------------------------------------------- */

static bool flag(const attend_place *place, attend_key key)
{
	return key == ATTEND_KEY_NONE || place->values->number[key] != 0;
}

static const attend_family_name *line_in(const attend_family_name *n, const attend_place *place, attend_role role,
                                         bool *bias)
{
	for (; n != NULL && n->role != ATTEND_ROLE_NONE; n++) {
		const bool second = n->form == ATTEND_NAME_PAIR && (int)n->role + 1 == (int)role;
		if (n->role != role && !second) continue;
		if (n->stacks != ATTEND_STACK_BOTH &&
		    n->stacks != (place->stack == 1 ? ATTEND_STACK_DECODER : ATTEND_STACK_ENCODER))
			continue;
		if (!flag(place, n->when) || (second && !flag(place, n->bias_when))) continue;
		*bias = second;
		return n;
	}
	return NULL;
}

const attend_family_name *attend_family_line(const attend_place *place, attend_role role, bool *bias)
{
	const attend_family_name *n = line_in(place->model->names, place, role, bias);
	return n != NULL ? n : line_in(place->model->shared_names, place, role, bias);
}

/* The want of a role, or false where the model has no such tensor. rows x cols as the product sees it (out x in). */
static bool want_of(attend_want *want, const attend_place *place, attend_role role, size_t rows, size_t cols,
                    bool *in_out)
{
	bool bias;
	const attend_family_name *n = attend_family_line(place, role, &bias);
	if (n == NULL) return false;
	const bool turned = n->in_out && cols != 0;
	*want = (attend_want){.role = role,
	                      .pattern = n->pattern,
	                      .suffix = n->form == ATTEND_NAME_RAW ? ""
	                                : bias                     ? ".bias"
	                                                           : ".weight",
	                      .rows = turned ? cols : rows,
	                      .cols = turned ? rows : cols,
	                      .loose = n->loose,
	                      .turned = turned};
	if (in_out != NULL) *in_out = turned;
	return true;
}

/* tie_encoder_decoder: what the decoder lacks is the encoder's under the encoder's name. */
static attend_status get_role(attend_binder *b, attend_param **out, const attend_place *place, const attend_want *want)
{
	if (b->config->tie_stacks && place->stack == 1 &&
	    attend_binder_find(b, place, want->pattern, want->suffix) == ATTEND_NO_TENSOR) {
		attend_place other = *place;
		bool bias;
		other.stack = 0;
		other.model = b->config->model[0];
		other.values = &b->config->values[0];
		other.prefix = b->config->prefix[0];
		const attend_family_name *n = attend_family_line(&other, want->role, &bias);
		const ptrdiff_t found = n == NULL ? ATTEND_NO_TENSOR : attend_binder_find(b, &other, n->pattern, want->suffix);
		if (found != ATTEND_NO_TENSOR) return attend_binder_take(b, out, place, want, (size_t)found);
	}
	return attend_binder_get(b, out, place, want);
}

static attend_status vector(attend_binder *b, attend_vector *out, const attend_place *place, attend_role role, size_t n)
{
	attend_want want;
	if (!want_of(&want, place, role, n, 0, NULL)) return ATTEND_OK;
	if (!b->config->tie_stacks) return attend_binder_vector(b, out, place, &want);
	attend_param *p;
	ATTEND_TRY(get_role(b, &p, place, &want));
	if (p == NULL) return ATTEND_OK;
	*out = (attend_vector){.param = p, .n = p->count};
	return attend_binder_finite(b, p);
}

static attend_status norm(attend_binder *b, attend_norm *out, const attend_place *place, attend_role role, size_t n)
{
	ATTEND_TRY(vector(b, &out->weight, place, role, n));
	return vector(b, &out->bias, place, (attend_role)(role + 1), n);
}

static attend_status table(attend_binder *b, attend_table *out, const attend_place *place, attend_role role,
                           size_t rows, size_t width, bool optional)
{
	attend_want want;
	attend_param *p;
	if (!want_of(&want, place, role, rows, width, NULL)) return ATTEND_OK;
	want.optional = optional;
	ATTEND_TRY(get_role(b, &p, place, &want));
	if (p == NULL) return ATTEND_OK;
	*out = (attend_table){.param = p, .rows = rows, .width = width, .dtype = p->stored.dtype};
	return role == ATTEND_ROLE_WORD_EMBEDDING ? ATTEND_OK : attend_binder_finite(b, p);
}

/* Append `role` (rows x in) and its bias as a part of `out`. */
static attend_status part(attend_binder *b, attend_linear *out, const attend_place *place, attend_role role,
                          size_t rows, size_t in)
{
	attend_want want;
	attend_param *p;
	attend_vector bias = {0};
	bool in_out;
	if (!want_of(&want, place, role, rows, in, &in_out)) return ATTEND_OK;
	ATTEND_TRY(get_role(b, &p, place, &want));
	ATTEND_TRY(vector(b, &bias, place, (attend_role)(role + 1), rows));
	if (p == NULL) return ATTEND_OK;
	out->parts[out->part_count] = (attend_linear_part){.param = p, .rows = rows, .in_out = in_out};
	out->bias_parts[out->part_count] = bias;
	out->part_count++;
	out->out += rows;
	out->in = in;
	return ATTEND_OK;
}

/* `count` equal products in one: from a fused tensor where the model has one, else from its parts. */
static attend_status fused(attend_binder *b, attend_linear *out, const attend_place *place, attend_role whole,
                           const attend_role *roles, size_t count, size_t rows, size_t in)
{
	bool bias;
	if (attend_family_line(place, whole, &bias) != NULL) return part(b, out, place, whole, count * rows, in);
	for (size_t i = 0; i < count; i++) ATTEND_TRY(part(b, out, place, roles[i], rows, in));
	return ATTEND_OK;
}

/* Half of a fused gate-and-up tensor (gate rows first) as a product of its own. */
static void half(attend_linear *out, const attend_linear *whole, size_t row0, size_t rows)
{
	*out = (attend_linear){.out = rows, .in = whole->in, .part_count = 1};
	out->parts[0] = whole->parts[0];
	out->parts[0].row0 = row0;
	out->parts[0].rows = rows;
	out->bias_parts[0] = whole->bias_parts[0];
	if (out->bias_parts[0].param != NULL) {
		out->bias_parts[0].offset = row0;
		out->bias_parts[0].n = rows;
	}
}

/* ---- Blocks -------------------------------------------------------------------------------------------------------------- */

static attend_status ffn(attend_binder *b, attend_block_params *out, const attend_place *place,
                         const attend_stack_arch *s)
{
	bool bias;
	if (s->gated && attend_family_line(place, ATTEND_ROLE_GATE_UP_W, &bias) != NULL) {
		attend_linear whole = {0};
		ATTEND_TRY(part(b, &whole, place, ATTEND_ROLE_GATE_UP_W, 2 * s->intermediate, s->hidden));
		if (whole.part_count == 1) {
			half(&out->gate, &whole, 0, s->intermediate);
			half(&out->up, &whole, s->intermediate, s->intermediate);
		}
	} else {
		if (s->gated) ATTEND_TRY(part(b, &out->gate, place, ATTEND_ROLE_GATE_W, s->intermediate, s->hidden));
		ATTEND_TRY(part(b, &out->up, place, ATTEND_ROLE_UP_W, s->intermediate, s->hidden));
	}
	ATTEND_TRY(part(b, &out->down, place, ATTEND_ROLE_DOWN_W, s->hidden, s->intermediate));
	return norm(b, &out->ffn_norm, place, ATTEND_ROLE_FFN_NORM_W, s->hidden);
}

static attend_status cross(attend_binder *b, attend_block_params *out, const attend_place *place,
                           const attend_stack_arch *s)
{
	static const attend_role kv[2] = {ATTEND_ROLE_CROSS_K_W, ATTEND_ROLE_CROSS_V_W};
	const attend_arch *arch = &b->network->arch;
	const size_t inner = s->heads * s->head_dim, in = arch->bridge ? s->hidden : arch->encoder.hidden;
	ATTEND_TRY(part(b, &out->cross_q, place, ATTEND_ROLE_CROSS_Q_W, inner, s->hidden));
	ATTEND_TRY(fused(b, &out->cross_kv, place, ATTEND_ROLE_CROSS_KV_W, kv, 2, inner, in));
	ATTEND_TRY(part(b, &out->cross_out, place, ATTEND_ROLE_CROSS_OUT_W, s->hidden, inner));
	return norm(b, &out->cross_norm, place, ATTEND_ROLE_CROSS_NORM_W, s->hidden);
}

static attend_status block(attend_binder *b, attend_block_params *out, const attend_place *place,
                           const attend_stack_arch *s)
{
	static const attend_role qkv[3] = {ATTEND_ROLE_Q_W, ATTEND_ROLE_K_W, ATTEND_ROLE_V_W};
	const size_t inner = s->heads * s->head_dim;
	ATTEND_TRY(fused(b, &out->qkv, place, ATTEND_ROLE_QKV_W, qkv, 3, inner, s->hidden));
	ATTEND_TRY(part(b, &out->attention_out, place, ATTEND_ROLE_ATTENTION_OUT_W, s->hidden, inner));
	if ((size_t)place->block >= s->layers || !s->layer[place->block].skip_attention_norm)
		ATTEND_TRY(norm(b, &out->attention_norm, place, ATTEND_ROLE_ATTENTION_NORM_W, s->hidden));
	if (s->cross_attention) ATTEND_TRY(cross(b, out, place, s));
	if (s->relative == ATTEND_RELATIVE_BUCKETS_LAYER)
		ATTEND_TRY(
			table(b, &out->relative_bias, place, ATTEND_ROLE_RELATIVE_BIAS, s->relative_buckets, s->heads, false));
	if (s->relative == ATTEND_RELATIVE_XLNET) {
		ATTEND_TRY(part(b, &out->xlnet_r, place, ATTEND_ROLE_XLNET_R, inner, s->hidden));
		ATTEND_TRY(vector(b, &out->xlnet_r_w_bias, place, ATTEND_ROLE_XLNET_R_W_BIAS, inner));
		ATTEND_TRY(vector(b, &out->xlnet_r_r_bias, place, ATTEND_ROLE_XLNET_R_R_BIAS, inner));
		ATTEND_TRY(vector(b, &out->xlnet_r_s_bias, place, ATTEND_ROLE_XLNET_R_S_BIAS, inner));
		ATTEND_TRY(vector(b, &out->xlnet_seg_embed, place, ATTEND_ROLE_XLNET_SEG_EMBED, 2 * inner));
	}
	return ffn(b, out, place, s);
}

/* ---- Embeddings ------------------------------------------------------------------------------------------------------------ */

/* The word table under its own names, or (tied) under that of an output matrix. */
static attend_status word(attend_binder *b, attend_table *out, const attend_place *place, const attend_stack_arch *s)
{
	attend_want want;
	if (!want_of(&want, place, ATTEND_ROLE_WORD_EMBEDDING, s->vocab, s->embedding, NULL)) return ATTEND_OK;
	if (b->network->arch.tie_word_embeddings &&
	    attend_binder_find(b, place, want.pattern, want.suffix) == ATTEND_NO_TENSOR) {
		attend_place head = *place;
		head.head = true;
		for (const attend_family_head *h = place->model->heads; h->kind != ATTEND_HEAD_BASE; h++) {
			const ptrdiff_t found = h->tied ? attend_binder_find(b, &head, h->out, ".weight") : ATTEND_NO_TENSOR;
			if (found == ATTEND_NO_TENSOR) continue;
			attend_param *p;
			ATTEND_TRY(attend_binder_take(b, &p, place, &want, (size_t)found));
			if (p != NULL)
				*out = (attend_table){.param = p, .rows = s->vocab, .width = s->embedding, .dtype = p->stored.dtype};
			return ATTEND_OK;
		}
	}
	return table(b, out, place, ATTEND_ROLE_WORD_EMBEDDING, s->vocab, s->embedding, false);
}

attend_status attend_binder_stack(attend_binder *b, int stack)
{
	attend_network *network = b->network;
	const attend_stack_arch *s = stack == 1 ? &network->arch.decoder : &network->arch.encoder;
	attend_stack_params *out = &network->stacks[stack];
	attend_place place = {stack, -1, b->config->model[stack], &b->config->values[stack], b->config->prefix[stack],
	                      false};
	const size_t positions = (size_t)place.values->number[ATTEND_KEY_MAX_POSITIONS];

	if (stack == 1 && network->arch.shared_embedding && network->stacks[0].word.param != NULL)
		out->word = network->stacks[0].word;
	else ATTEND_TRY(word(b, &out->word, &place, s));
	if (s->positions == ATTEND_POSITION_LEARNED || s->positions == ATTEND_POSITION_SINUSOID)
		ATTEND_TRY(table(b, &out->position, &place, ATTEND_ROLE_POSITION_EMBEDDING, positions + s->position_offset,
		                 s->embedding, s->positions == ATTEND_POSITION_SINUSOID));
	if (s->types > 0)
		ATTEND_TRY(table(b, &out->type, &place, ATTEND_ROLE_TYPE_EMBEDDING, s->types, s->embedding, false));
	if (s->embedding_norm)
		ATTEND_TRY(norm(b, &out->embedding_norm, &place, ATTEND_ROLE_EMBEDDING_NORM_W, s->embedding));
	if (s->embedding != s->hidden || place.model->projects_always)
		ATTEND_TRY(
			part(b, &out->embedding_projection, &place, ATTEND_ROLE_EMBEDDING_PROJECTION_W, s->hidden, s->embedding));
	if (s->relative == ATTEND_RELATIVE_BUCKETS_STACK)
		ATTEND_TRY(
			table(b, &out->relative_bias, &place, ATTEND_ROLE_RELATIVE_BIAS, s->relative_buckets, s->heads, false));
	if (s->relative == ATTEND_RELATIVE_XLNET)
		ATTEND_TRY(vector(b, &network->xlnet_mask_emb, &place, ATTEND_ROLE_XLNET_MASK_EMB, s->hidden));

	out->blocks = calloc(s->groups * s->inner_layers, sizeof *out->blocks);
	if (out->blocks == NULL) return attend_fail_memory(s->groups * s->inner_layers * sizeof *out->blocks, "blocks");
	out->block_count = s->groups * s->inner_layers;
	for (size_t i = 0; i < out->block_count; i++) {
		place.block = (int)i;
		ATTEND_TRY(block(b, &out->blocks[i], &place, s));
	}
	place.block = -1;
	if (s->final_norm) ATTEND_TRY(norm(b, &out->final_norm, &place, ATTEND_ROLE_FINAL_NORM_W, s->hidden));
	return ATTEND_OK;
}

attend_status attend_binder_bridge(attend_binder *b)
{
	const attend_arch *arch = &b->network->arch;
	const attend_place place = {-1, -1, b->config->family, &b->config->values[1], "", true};
	return part(b, &b->network->bridge, &place, ATTEND_ROLE_BRIDGE_W, arch->decoder.hidden, arch->encoder.hidden);
}

attend_status attend_binder_pooler(attend_binder *b, bool wanted)
{
	attend_arch *arch = &b->network->arch;
	const int stack = arch->has_decoder ? 1 : 0;
	const attend_place place = {stack, -1, b->config->model[stack], &b->config->values[stack], b->config->prefix[stack],
	                            false};
	attend_want want;
	if (arch->pooler.dense == 0 ||
	    !want_of(&want, &place, ATTEND_ROLE_POOLER_W, arch->pooler.dense, arch->pooler.dense, NULL))
		return ATTEND_OK;
	/* a body without its pooler is common (MLM files): then there is none, unless a head reads it */
	if (!wanted && attend_binder_find(b, &place, want.pattern, want.suffix) == ATTEND_NO_TENSOR) {
		arch->pooler.dense = 0;
		return ATTEND_OK;
	}
	ATTEND_TRY(
		part(b, &b->network->pooler.dense, &place, ATTEND_ROLE_POOLER_W, arch->pooler.dense, arch->pooler.dense));
	b->network->pooler.present = b->network->pooler.dense.out != 0;
	if (!b->network->pooler.present) arch->pooler.dense = 0;
	return ATTEND_OK;
}
