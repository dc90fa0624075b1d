/* small_network.c: see small_network.h. */
#include "tests/support/small_network.h"

#include <math.h>

#include "lib/core/arena.h"
#include "lib/core/rng.h"
#include "tests/support/check.h"

enum { PARAMS = 512, NUMBERS = 1 << 16 };

typedef struct builder {
	small_network *small;
	attend_network *network;
	attend_rng rng;
	size_t used, room;
	int stack, block;
	bool in_out;
} builder;

static attend_param *param(builder *b, const char *what, size_t rows, size_t columns, float mean, float spread)
{
	attend_network *n = b->network;
	attend_param *p = &n->params[n->param_count++];
	assert_true(n->param_count <= PARAMS);
	char name[96];
	snprintf(name, sizeof name, "stack%d.block%d.%s", b->stack, b->block, what);
	p->name = strdup(name);
	p->stack = b->stack;
	p->block = b->block;
	p->count = rows * (columns ? columns : 1);
	float *data = b->small->data + b->used;
	b->used += p->count;
	assert_true(b->used <= b->room);
	for (size_t i = 0; i < p->count; i++) data[i] = mean + spread * (float)attend_rng_normal(&b->rng);
	p->stored = (attend_tensor){ATTEND_DTYPE_F32, columns ? 2u : 1u, {rows, columns}, data};
	return p;
}

static attend_vector vector(builder *b, const char *what, size_t n, float mean)
{
	return (attend_vector){.param = param(b, what, n, 0, mean, 0.2f), .n = n};
}

static attend_table table(builder *b, const char *what, size_t rows, size_t width)
{
	return (attend_table){.param = param(b, what, rows, width, 0.0f, 0.5f), .rows = rows, .width = width};
}

static void add_part(builder *b, attend_linear *linear, const char *what, size_t out, size_t in, bool bias)
{
	const float spread = 1.0f / sqrtf((float)in);
	const size_t i = linear->part_count++;
	attend_param *w = b->in_out ? param(b, what, in, out, 0.0f, spread) : param(b, what, out, in, 0.0f, spread);
	linear->parts[i] = (attend_linear_part){.param = w, .rows = out, .in_out = b->in_out};
	char name[64];
	snprintf(name, sizeof name, "%s.bias", what);
	if (bias) linear->bias_parts[i] = vector(b, name, out, 0.0f);
	linear->out += out;
	linear->in = in;
}

static attend_norm norm(builder *b, const char *what, size_t n, bool bias)
{
	attend_norm out = {.weight = vector(b, what, n, 1.0f)};
	if (bias) out.bias = vector(b, "norm_bias", n, 0.0f);
	return out;
}

static void make_block(builder *b, const attend_stack_arch *a, attend_block_params *p, size_t memory)
{
	const size_t d = a->hidden, inner = a->heads * a->head_dim, f = a->intermediate;
	const bool rms = a->norm == ATTEND_NORM_RMS, biases = !rms && a->relative != ATTEND_RELATIVE_XLNET;
	if (b->in_out) {
		add_part(b, &p->qkv, "qkv", 3 * inner, d, biases);
	} else {
		add_part(b, &p->qkv, "q", inner, d, biases);
		add_part(b, &p->qkv, "k", inner, d, biases);
		add_part(b, &p->qkv, "v", inner, d, biases);
	}
	add_part(b, &p->attention_out, "o", d, inner, biases);
	p->attention_norm = norm(b, "attention_norm", d, !rms);
	if (a->cross_attention) {
		add_part(b, &p->cross_q, "cross_q", inner, d, biases);
		add_part(b, &p->cross_kv, "cross_k", inner, memory, biases);
		add_part(b, &p->cross_kv, "cross_v", inner, memory, biases);
		add_part(b, &p->cross_out, "cross_o", d, inner, biases);
		p->cross_norm = norm(b, "cross_norm", d, !rms);
	}
	if (a->gated) add_part(b, &p->gate, "gate", f, d, biases);
	add_part(b, &p->up, "up", f, d, !rms);
	add_part(b, &p->down, "down", d, f, !rms);
	p->ffn_norm = norm(b, "ffn_norm", d, !rms);
	if (a->relative == ATTEND_RELATIVE_BUCKETS_LAYER)
		p->relative_bias = table(b, "bias", a->relative_buckets, a->heads);
	if (a->relative != ATTEND_RELATIVE_XLNET) return;
	add_part(b, &p->xlnet_r, "r", inner, d, false);
	p->xlnet_r_w_bias = vector(b, "r_w_bias", inner, 0.0f);
	p->xlnet_r_r_bias = vector(b, "r_r_bias", inner, 0.0f);
	p->xlnet_r_s_bias = vector(b, "r_s_bias", inner, 0.0f);
	p->xlnet_seg_embed = vector(b, "seg_embed", 2 * inner, 0.0f);
}

static void make_stack(builder *b, int stack, size_t memory)
{
	const attend_arch *arch = &b->network->arch;
	const attend_stack_arch *a = attend_arch_stack(arch, stack);
	attend_stack_params *p = &b->network->stacks[stack];
	const bool rms = a->norm == ATTEND_NORM_RMS;
	b->stack = stack;
	b->block = -1;
	if (stack == 1 && arch->has_encoder && arch->shared_embedding) p->word = b->network->stacks[0].word;
	else p->word = table(b, "word", a->vocab, a->embedding);
	if (a->positions == ATTEND_POSITION_LEARNED)
		p->position = table(b, "position", a->max_positions + a->position_offset, a->embedding);
	if (a->types) p->type = table(b, "type", a->types, a->embedding);
	if (a->embedding_norm) p->embedding_norm = norm(b, "embedding_norm", a->embedding, !rms);
	if (a->embedding != a->hidden) {
		const bool in_out = b->in_out;
		b->in_out = false;
		add_part(b, &p->embedding_projection, "projection", a->hidden, a->embedding, true);
		b->in_out = in_out;
	}
	if (a->relative == ATTEND_RELATIVE_BUCKETS_STACK)
		p->relative_bias = table(b, "bias", a->relative_buckets, a->heads);
	p->block_count = a->groups * a->inner_layers;
	p->blocks = calloc(p->block_count, sizeof *p->blocks);
	for (size_t i = 0; i < p->block_count; i++) {
		b->block = (int)i;
		make_block(b, a, &p->blocks[i], memory);
	}
	b->block = -1;
	if (a->final_norm) p->final_norm = norm(b, "final_norm", a->hidden, !rms);
}

static void make_heads(builder *b)
{
	attend_network *n = b->network;
	b->stack = -1;
	b->in_out = false;
	if (n->arch.pooler.dense) {
		add_part(b, &n->pooler.dense, "pooler", n->arch.pooler.dense, n->arch.encoder.hidden, true);
		n->pooler.present = true;
	}
	for (size_t i = 0; i < n->arch.head_count; i++) {
		const attend_head_arch *h = &n->arch.heads[i];
		attend_head_params *p = &n->heads[i];
		const int stack = attend_head_stack(&n->arch, h);
		const attend_stack_arch *a = attend_arch_stack(&n->arch, stack);
		size_t width = h->after_pooler ? n->arch.pooler.dense : a->hidden;
		b->block = (int)i;
		if (h->dense) {
			add_part(b, &p->dense, "head_dense", h->dense, width, true);
			width = h->dense;
		}
		if (h->norm) p->norm = norm(b, "head_norm", width, a->norm == ATTEND_NORM_LAYER);
		if (h->tied) {
			p->out = (attend_linear){.out = h->outputs, .in = width, .part_count = 1};
			p->out.parts[0] = (attend_linear_part){.param = n->stacks[stack].word.param, .rows = h->outputs};
			p->out.bias_parts[0] = vector(b, "head_bias", h->outputs, 0.0f);
		} else {
			add_part(b, &p->out, "head_out", h->outputs, width, true);
		}
		p->present = true;
	}
}

/* ---- Shapes ------------------------------------------------------------------------------------------------------------- */
static attend_stack_arch stack_of(size_t layers, size_t hidden, size_t heads, size_t head_dim, size_t f, size_t vocab)
{
	return (attend_stack_arch){
		.layers = layers,
		.hidden = hidden,
		.heads = heads,
		.head_dim = head_dim,
		.intermediate = f,
		.vocab = vocab,
		.embedding = hidden,
		.groups = layers,
		.inner_layers = 1,
		.max_positions = 300,
		.pad_id = -1,
		.embedding_scale = 1.0f,
		.norm = ATTEND_NORM_LAYER,
		.norm_eps = 1e-5f,
		.score_scale = 1.0f / sqrtf((float)head_dim),
		.activation = ATTEND_ACT_GELU,
	};
}

static void add_head(attend_arch *arch, attend_head_arch head)
{
	if (head.scale == 0.0f) head.scale = 1.0f;
	head.norm_eps = 1e-5f;
	arch->heads[arch->head_count++] = head;
}

static void relative(attend_stack_arch *a, attend_relative_kind kind, bool both)
{
	a->relative = kind;
	a->relative_buckets = 8;
	a->relative_max_distance = 20;
	a->relative_bidirectional = both;
}

static void encoder_shape(attend_arch *arch, small_shape shape)
{
	attend_stack_arch *e = &arch->encoder;
	arch->has_encoder = true;
	*e = stack_of(2, 12, 2, 6, 20, 40);
	e->positions = ATTEND_POSITION_LEARNED;
	e->types = 2;
	e->embedding_norm = true;
	arch->pooler =
		(attend_head_arch){.dense = 12, .activation = ATTEND_ACT_TANH, .pooling = ATTEND_POOL_FIRST, .scale = 1.0f};
	add_head(arch, (attend_head_arch){.kind = ATTEND_HEAD_MLM,
	                                  .dense = e->embedding,
	                                  .activation = ATTEND_ACT_GELU,
	                                  .norm = true,
	                                  .outputs = 40,
	                                  .tied = true});
	if (shape == SMALL_ALBERT) {
		*e = stack_of(4, 12, 2, 6, 20, 40);
		e->positions = ATTEND_POSITION_LEARNED;
		e->types = 2;
		e->embedding_norm = true;
		e->embedding = 7;
		e->groups = 2;
		e->inner_layers = 2;
		arch->heads[0].dense = 7;
	} else if (shape == SMALL_MPNET) {
		e->types = 0;
		e->position_source = ATTEND_POSITION_FROM_IDS;
		e->pad_id = 1;
		e->pad_row_frozen = true;
		relative(e, ATTEND_RELATIVE_BUCKETS_STACK, true);
	} else if (shape == SMALL_MODERN) {
		e->types = 0;
		e->positions = ATTEND_POSITION_ROTARY;
		e->norm_place = ATTEND_NORM_PRE;
		e->gated = true;
		e->final_norm = true;
		arch->pooler.dense = 0;
	} else if (shape == SMALL_XLNET) {
		e->types = 0;
		e->positions = ATTEND_POSITION_NONE;
		e->embedding_norm = false;
		e->relative = ATTEND_RELATIVE_XLNET;
		arch->pooler.dense = 0;
		arch->heads[0] = (attend_head_arch){.kind = ATTEND_HEAD_LM, .outputs = 40, .tied = true, .scale = 1.0f};
	}
	const bool pooler = arch->pooler.dense != 0, modern = shape == SMALL_MODERN;
	const attend_pooling pooling = modern                 ? ATTEND_POOL_MEAN
	                               : shape == SMALL_XLNET ? ATTEND_POOL_LAST
	                                                      : ATTEND_POOL_FIRST;
	add_head(arch, (attend_head_arch){.kind = ATTEND_HEAD_SEQUENCE,
	                                  .pooling = pooling,
	                                  .after_pooler = pooler,
	                                  .outputs = 3,
	                                  .dense = pooler ? 0 : 12,
	                                  .activation = ATTEND_ACT_TANH,
	                                  .norm = modern});
	add_head(arch, (attend_head_arch){.kind = ATTEND_HEAD_TOKEN, .outputs = 5});
	add_head(arch, (attend_head_arch){.kind = ATTEND_HEAD_QA, .outputs = 2});
	add_head(arch,
	         (attend_head_arch){.kind = ATTEND_HEAD_CHOICE, .pooling = pooling, .after_pooler = pooler, .outputs = 1});
	add_head(arch,
	         (attend_head_arch){.kind = ATTEND_HEAD_NSP, .pooling = pooling, .after_pooler = pooler, .outputs = 2});
	add_head(arch, (attend_head_arch){
					   .kind = ATTEND_HEAD_DISCRIMINATOR, .dense = 12, .activation = ATTEND_ACT_GELU, .outputs = 1});
}

static void decoder_shape(attend_arch *arch)
{
	attend_stack_arch *d = &arch->decoder;
	arch->has_decoder = true;
	*d = stack_of(3, 12, 3, 4, 24, 40);
	d->positions = ATTEND_POSITION_LEARNED;
	d->types_use_words = true;
	d->norm_place = ATTEND_NORM_PRE;
	d->final_norm = true;
	d->causal = true;
	d->activation = ATTEND_ACT_GELU_NEW;
	add_head(arch, (attend_head_arch){.kind = ATTEND_HEAD_LM, .outputs = 40, .tied = true, .shift_labels = true});
	add_head(arch, (attend_head_arch){.kind = ATTEND_HEAD_SEQUENCE, .pooling = ATTEND_POOL_LAST_REAL, .outputs = 3});
}

static void both_shape(attend_arch *arch, small_shape shape)
{
	attend_stack_arch *e = &arch->encoder, *d = &arch->decoder;
	arch->has_encoder = arch->has_decoder = true;
	*e = stack_of(2, 12, 3, 5, 18, 40);
	arch->shared_embedding = true;
	if (shape == SMALL_T5 || shape == SMALL_UMT5) {
		e->norm = ATTEND_NORM_RMS;
		e->norm_place = ATTEND_NORM_PRE;
		e->final_norm = true;
		e->gated = true;
		e->activation = ATTEND_ACT_GELU_NEW;
		e->score_scale = 1.0f;
		relative(e, shape == SMALL_T5 ? ATTEND_RELATIVE_BUCKETS_STACK : ATTEND_RELATIVE_BUCKETS_LAYER, true);
	} else {
		e->positions = shape == SMALL_BART ? ATTEND_POSITION_LEARNED : ATTEND_POSITION_SINUSOID;
		e->position_offset = shape == SMALL_BART ? 2 : 0;
		e->embedding_norm = shape == SMALL_BART;
		e->embedding_scale = 2.0f;
		e->activation = ATTEND_ACT_SILU;
	}
	*d = *e;
	d->layers = d->groups = 3;
	d->causal = true;
	d->cross_attention = true;
	d->relative_bidirectional = false;
	if (shape == SMALL_BRIDGE) {
		d->hidden = d->embedding = 10;
		arch->shared_embedding = false;
		arch->bridge = true;
	}
	arch->decoder_start_id = 0;
	arch->pad_id = 0;
	arch->eos_id = 1;
	add_head(arch, (attend_head_arch){.kind = ATTEND_HEAD_SEQ2SEQ,
	                                  .outputs = 40,
	                                  .tied = shape != SMALL_UMT5,
	                                  .scale = shape == SMALL_T5 ? 0.25f : 1.0f});
	add_head(arch, (attend_head_arch){.kind = ATTEND_HEAD_SEQUENCE,
	                                  .pooling = ATTEND_POOL_LAST_EOS,
	                                  .dense = d->hidden,
	                                  .activation = ATTEND_ACT_TANH,
	                                  .outputs = 3,
	                                  .dropout_before_dense = true});
	add_head(arch, (attend_head_arch){.kind = ATTEND_HEAD_TOKEN, .on_encoder = true, .outputs = 4});
}

static void fill_layers(attend_arch *arch, small_shape shape)
{
	const size_t encoder = arch->has_encoder ? arch->encoder.layers : 0,
				 decoder = arch->has_decoder ? arch->decoder.layers : 0;
	arch->layers = calloc(encoder + decoder, sizeof *arch->layers);
	assert_non_null(arch->layers);
	for (size_t i = 0; i < encoder + decoder; i++) arch->layers[i].score_factor = 1.0f;
	arch->encoder.layer = arch->layers;
	arch->decoder.layer = arch->layers + encoder;
	if (shape == SMALL_MODERN) {
		arch->layers[0].skip_attention_norm = true;
		arch->layers[0].rotary_theta = 1000.0f;
		arch->layers[1].rotary_theta = 50.0f;
		arch->layers[1].windowed = true;
		arch->layers[1].window_left = arch->layers[1].window_right = 3;
	} else if (shape == SMALL_GPT2) {
		arch->layers[1].windowed = true;
		arch->layers[1].window_left = 5;
		for (size_t i = 0; i < decoder; i++) arch->layers[i].score_factor = 1.0f / (float)(i + 1);
	}
}

static void widen(attend_arch *arch, size_t times)
{
	for (int i = 0; i < 2; i++) {
		attend_stack_arch *a = i == 0 ? &arch->encoder : &arch->decoder;
		a->hidden *= times;
		a->head_dim *= times;
		a->intermediate *= times;
		a->embedding *= times;
		a->score_scale /= sqrtf((float)times);
	}
	arch->pooler.dense *= times;
	for (size_t i = 0; i < arch->head_count; i++) arch->heads[i].dense *= times;
}

void small_network_make(small_network *out, small_shape shape, uint64_t seed)
{
	small_network_make_wide(out, shape, seed, 1);
}

void small_network_make_wide(small_network *out, small_shape shape, uint64_t seed, size_t times)
{
	const size_t room = NUMBERS * times * times;
	*out = (small_network){0};
	attend_network *n = &out->network;
	attend_arch *arch = &n->arch;
	arch->pad_id = arch->bos_id = arch->eos_id = arch->decoder_start_id = -1;
	if (shape <= SMALL_XLNET) encoder_shape(arch, shape);
	else if (shape == SMALL_GPT2) decoder_shape(arch);
	else both_shape(arch, shape);
	widen(arch, times);
	fill_layers(arch, shape);
	n->params = calloc(PARAMS, sizeof *n->params);
	out->data = attend_alloc_aligned(room * sizeof(float));
	assert_non_null(n->params);
	assert_non_null(out->data);
	builder b = {.small = out, .network = n, .rng = {seed, 1, 0}, .room = room, .in_out = shape == SMALL_GPT2};
	if (arch->has_encoder) make_stack(&b, 0, 0);
	if (arch->has_decoder) make_stack(&b, 1, arch->bridge ? arch->decoder.hidden : arch->encoder.hidden);
	b.stack = b.block = -1;
	if (arch->bridge) add_part(&b, &n->bridge, "bridge", arch->decoder.hidden, arch->encoder.hidden, true);
	if (shape == SMALL_XLNET) n->xlnet_mask_emb = vector(&b, "mask_emb", arch->encoder.hidden, 0.0f);
	make_heads(&b);
	assert_ok(attend_network_finish(n));
}

void small_network_free(small_network *small)
{
	attend_network_free(&small->network);
	free(small->data);
	small->data = NULL;
}

const char *small_shape_name(small_shape shape)
{
	static const char *const names[SMALL_SHAPES] = {"bert", "albert", "mpnet", "modern", "xlnet",
	                                                "gpt2", "t5",     "umt5",  "bart",   "bridge"};
	return names[shape];
}

void small_batch_make(small_batch *out, const attend_stack_arch *arch, const size_t *lengths, size_t sequences,
                      uint64_t seed)
{
	attend_rng rng = {seed, 2, 0};
	*out = (small_batch){0};
	assert_true(sequences <= 16);
	size_t n = 0;
	for (size_t s = 0; s < sequences; s++) {
		out->offsets[s] = n;
		for (size_t i = 0; i < lengths[s]; i++, n++) {
			assert_true(n < 512);
			out->ids[n] = 2 + (int32_t)attend_rng_below(&rng, arch->vocab - 2);
			out->types[n] = i * 2 > lengths[s];
		}
	}
	out->offsets[sequences] = n;
	const bool typed = arch->types || arch->types_use_words || arch->relative == ATTEND_RELATIVE_XLNET;
	out->batch = (attend_batch){.sequences = sequences,
	                            .offsets = out->offsets,
	                            .ids = out->ids,
	                            .types = typed ? out->types : NULL};
}
