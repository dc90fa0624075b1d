/* inspect_print.c: the two forms of `attend inspect`: JSON with everything, and a page to read. */
#include <string.h>

#include "lib/tasks/inspect.h"

static const char *position_name(attend_position_kind kind)
{
	switch (kind) {
	case ATTEND_POSITION_NONE: break;
	case ATTEND_POSITION_LEARNED: return "learned";
	case ATTEND_POSITION_SINUSOID: return "sinusoidal";
	case ATTEND_POSITION_ROTARY: return "rotary";
	}
	return "none";
}

static const char *relative_name(attend_relative_kind kind)
{
	static const char *const names[] = {"none", "buckets", "buckets per layer", "sinusoids and biases per layer"};
	return (size_t)kind < sizeof names / sizeof names[0] ? names[kind] : "unknown";
}

static size_t windowed_layers(const attend_stack_arch *s)
{
	size_t n = 0;
	for (size_t i = 0; i < s->layers; i++) n += s->layer[i].windowed;
	return n;
}

static const char *head_state(const attend_network *n, size_t i)
{
	return n->heads[i].present ? n->arch.heads[i].tied ? "tied" : "own" : "absent";
}

/* ---- JSON ---------------------------------------------------------------------------------------------------------------- */

static void json_text(attend_buffer *out, const char *text)
{
	if (text == NULL) attend_buffer_text(out, "null");
	else attend_buffer_json_string(out, text, strlen(text));
}

static void json_list(attend_buffer *out, const char *key, const attend_name_list *list)
{
	attend_buffer_printf(out, ", \"%s\": [", key);
	for (size_t i = 0; i < list->count; i++) {
		if (i > 0) attend_buffer_text(out, ", ");
		json_text(out, list->items[i]);
	}
	attend_buffer_text(out, "]");
}

static void json_stack(attend_buffer *out, const char *key, const attend_stack_arch *s)
{
	attend_buffer_printf(out,
	                     ", \"%s\": {\"layers\": %zu, \"hidden_size\": %zu, \"heads\": %zu, \"head_dim\": %zu, "
	                     "\"intermediate_size\": %zu, \"vocab_size\": %zu, \"embedding_size\": %zu, \"blocks\": %zu",
	                     key, s->layers, s->hidden, s->heads, s->head_dim, s->intermediate, s->vocab, s->embedding,
	                     s->groups * s->inner_layers);
	attend_buffer_printf(out, ", \"positions\": \"%s\", \"max_length\": ", position_name(s->positions));
	if (s->max_positions == 0) attend_buffer_text(out, "null");
	else attend_buffer_printf(out, "%zu", s->max_positions);
	attend_buffer_printf(
		out, ", \"relative\": \"%s\", \"token_types\": %zu, \"norm\": \"%s\", \"norm_place\": \"%s\", \"norm_eps\": ",
		relative_name(s->relative), s->types, s->norm == ATTEND_NORM_RMS ? "rms" : "layer",
		s->norm_place == ATTEND_NORM_PRE ? "pre" : "post");
	attend_buffer_json_f32(out, s->norm_eps);
	attend_buffer_printf(
		out,
		", \"activation\": \"%s\", \"gated\": %s, \"causal\": %s, \"cross_attention\": %s, \"windowed_layers\": %zu}",
		attend_config_activation_name(s->activation), s->gated ? "true" : "false", s->causal ? "true" : "false",
		s->cross_attention ? "true" : "false", windowed_layers(s));
}

static void json_heads(attend_buffer *out, const attend_network *n)
{
	attend_buffer_printf(out, ", \"default_head\": \"%s\", \"heads\": [", attend_head_kind_name(n->arch.default_head));
	for (size_t i = 0; i < n->arch.head_count; i++)
		attend_buffer_printf(out, "%s{\"head\": \"%s\", \"found\": %s, \"outputs\": %zu, \"weights\": \"%s\"}",
		                     i == 0 ? "" : ", ", attend_head_kind_name(n->arch.heads[i].kind),
		                     n->heads[i].present ? "true" : "false", n->arch.heads[i].outputs, head_state(n, i));
	attend_buffer_printf(out, "], \"pooler\": %s", n->pooler.present ? "true" : "false");
}

static void json_config(attend_buffer *out, const attend_inspection *x)
{
	const attend_arch *arch = x->bound ? &x->network.arch : &x->config.arch;
	attend_buffer_text(out, ", \"architecture\": ");
	json_text(out, x->config.architecture);
	/* after binding the layers belong to the network */
	if (arch->has_encoder) json_stack(out, "encoder", &arch->encoder);
	if (arch->has_decoder) json_stack(out, "decoder", &arch->decoder);
	attend_buffer_printf(
		out, ", \"pad_token_id\": %d, \"bos_token_id\": %d, \"eos_token_id\": %d, \"decoder_start_token_id\": %d",
		(int)arch->pad_id, (int)arch->bos_id, (int)arch->eos_id, (int)arch->decoder_start_id);
	attend_buffer_text(out, ", \"labels\": [");
	for (size_t i = 0; i < x->config.label_count; i++) {
		if (i > 0) attend_buffer_text(out, ", ");
		json_text(out, x->config.labels[i]);
	}
	attend_buffer_text(out, "]");
}

static void json_tensors(attend_buffer *out, const attend_inspection *x)
{
	attend_buffer_text(out, ", \"tensors\": [");
	for (size_t i = 0; i < attend_weights_count(x->weights); i++) {
		const attend_tensor *t = attend_weights_tensor(x->weights, i);
		const char *name = attend_weights_name(x->weights, i);
		size_t bytes = 0;
		(void)attend_tensor_bytes(&bytes, t);
		attend_buffer_text(out, i == 0 ? "{\"name\": " : ", {\"name\": ");
		json_text(out, name);
		attend_buffer_printf(out, ", \"dtype\": \"%s\", \"shape\": [", attend_dtype_name(t->dtype));
		for (unsigned d = 0; d < t->rank; d++) attend_buffer_printf(out, "%s%zu", d == 0 ? "" : ", ", t->shape[d]);
		attend_buffer_printf(out, "], \"bytes\": %zu, \"use\": \"%s\"}", bytes, attend_inspection_use(x, name));
	}
	attend_buffer_text(out, "]");
}

void attend_inspection_json(attend_buffer *out, const attend_inspection *x)
{
	attend_buffer_text(out, "{\"path\": ");
	json_text(out, x->path);
	attend_buffer_text(out, ", \"model_type\": ");
	json_text(out, x->model_type);
	attend_buffer_printf(out, ", \"runs\": %s, \"problem\": ", x->problem == NULL ? "true" : "false");
	json_text(out, x->problem);
	if (x->has_config) json_config(out, x);
	if (x->bound) {
		json_heads(out, &x->network);
		json_list(out, "missing", &x->report.missing);
		json_list(out, "missing_head", &x->report.missing_head);
		json_list(out, "unused", &x->report.unused);
		json_list(out, "ignored", &x->report.ignored);
		attend_buffer_printf(out, ", \"parameters\": %zu", x->memory.parameters);
		attend_buffer_printf(
			out, ", \"memory\": {\"mapped\": %zu, \"packed\": %zu, \"session\": %zu, \"session_tokens\": %zu}",
			x->memory.stored, x->memory.packed, x->session_bytes, x->session_tokens);
	}
	attend_buffer_text(out, ", \"tokenizer\": ");
	if (x->tokenizer != NULL)
		attend_buffer_printf(out, "{\"kind\": \"%s\", \"vocab_size\": %zu}", attend_tokenizer_kind(x->tokenizer),
		                     attend_tokenizer_vocab_size(x->tokenizer));
	else attend_buffer_text(out, "null");
	attend_buffer_text(out, ", \"tokenizer_problem\": ");
	json_text(out, x->tokenizer_problem);
	attend_buffer_printf(out, ", \"generation_config\": %s, \"sentence_transformers\": %s",
	                     x->has_generation_config ? "true" : "false", x->has_modules ? "true" : "false");
	attend_buffer_printf(out, ", \"weight_files\": %zu, \"bytes\": %zu",
	                     x->weights ? attend_weights_file_count(x->weights) : 0,
	                     x->weights ? attend_weights_file_bytes(x->weights) : 0);
	if (x->weights != NULL) json_tensors(out, x);
	attend_buffer_text(out, "}\n");
}

/* ---- A page -------------------------------------------------------------------------------------------------------------- */

static void label(attend_buffer *out, const char *name)
{
	attend_buffer_printf(out, "%-12s ", name);
}

static void line(attend_buffer *out, const char *name, const char *text)
{
	label(out, name);
	attend_buffer_printf(out, "%s\n", text);
}

static void size_text(attend_buffer *out, size_t bytes)
{
	if (bytes < 10240) attend_buffer_printf(out, "%zu bytes", bytes);
	else if (bytes < (size_t)10 << 20) attend_buffer_printf(out, "%.1f KiB", (double)bytes / 1024);
	else attend_buffer_printf(out, "%.1f MiB", (double)bytes / (1024.0 * 1024.0));
}

static void text_stack(attend_buffer *out, const char *name, const attend_stack_arch *s)
{
	label(out, name);
	attend_buffer_printf(out, "%zu layers, hidden %zu, %zu heads x %zu, FFN %zu %s%s, vocabulary %zu", s->layers,
	                     s->hidden, s->heads, s->head_dim, s->intermediate, s->gated ? "gated " : "",
	                     attend_config_activation_name(s->activation), s->vocab);
	if (s->embedding != s->hidden) attend_buffer_printf(out, " x %zu", s->embedding);
	attend_buffer_text(out, "\n");
	label(out, "");
	attend_buffer_printf(out, "%s-norm %s, eps %g", s->norm_place == ATTEND_NORM_PRE ? "pre" : "post",
	                     s->norm == ATTEND_NORM_RMS ? "RMS" : "LayerNorm", (double)s->norm_eps);
	if (s->positions != ATTEND_POSITION_NONE)
		attend_buffer_printf(out, ", %s positions (%zu tokens)", position_name(s->positions), s->max_positions);
	if (s->relative != ATTEND_RELATIVE_NONE)
		attend_buffer_printf(out, ", relative positions (%s)", relative_name(s->relative));
	if (s->types > 0) attend_buffer_printf(out, ", %zu token types", s->types);
	if (s->groups * s->inner_layers != s->layers)
		attend_buffer_printf(out, ", %zu shared blocks", s->groups * s->inner_layers);
	if (windowed_layers(s) > 0) attend_buffer_printf(out, ", %zu layers with a window", windowed_layers(s));
	attend_buffer_printf(out, "%s%s\n", s->causal ? ", causal" : "", s->cross_attention ? ", cross-attention" : "");
}

static void text_list(attend_buffer *out, const char *name, const attend_name_list *list)
{
	for (size_t i = 0; i < list->count; i++) line(out, i == 0 ? name : "", list->items[i]);
}

static void text_heads(attend_buffer *out, const attend_inspection *x)
{
	const attend_network *n = &x->network;
	label(out, "heads");
	bool any = false;
	for (size_t i = 0; i < n->arch.head_count; i++) {
		if (!n->heads[i].present) continue;
		attend_buffer_printf(out, "%s%s (%zu%s)", any ? ", " : "", attend_head_kind_name(n->arch.heads[i].kind),
		                     n->arch.heads[i].outputs, n->arch.heads[i].tied ? ", tied" : "");
		any = true;
	}
	attend_buffer_printf(out, "%s; default: %s%s\n", any ? "" : "none", attend_head_kind_name(n->arch.default_head),
	                     n->pooler.present ? "; with pooler" : "");
	if (x->config.labels_named) {
		label(out, "labels");
		for (size_t i = 0; i < x->config.label_count; i++)
			attend_buffer_printf(out, "%s%s", i == 0 ? "" : ", ", x->config.labels[i]);
		attend_buffer_text(out, "\n");
	}
}

static void text_tensors(attend_buffer *out, const attend_inspection *x)
{
	size_t width = 6;
	for (size_t i = 0; i < attend_weights_count(x->weights); i++) {
		const size_t n = strlen(attend_weights_name(x->weights, i));
		if (n > width && n <= 90) width = n;
	}
	attend_buffer_printf(out, "\n%-*s %-5s %s\n", (int)width, "tensor", "dtype", "shape");
	for (size_t i = 0; i < attend_weights_count(x->weights); i++) {
		const attend_tensor *t = attend_weights_tensor(x->weights, i);
		const char *name = attend_weights_name(x->weights, i);
		attend_buffer_printf(out, "%-*s %-5s [", (int)width, name, attend_dtype_name(t->dtype));
		for (unsigned d = 0; d < t->rank; d++) attend_buffer_printf(out, "%s%zu", d == 0 ? "" : ", ", t->shape[d]);
		const char *use = attend_inspection_use(x, name);
		attend_buffer_printf(out, "]%s%s\n", strcmp(use, "used") == 0 || !x->bound ? "" : "  ",
		                     strcmp(use, "used") == 0 || !x->bound ? "" : use);
	}
}

void attend_inspection_text(attend_buffer *out, const attend_inspection *x)
{
	const attend_arch *arch = x->bound ? &x->network.arch : &x->config.arch;
	label(out, "model");
	attend_buffer_printf(out, "%s", x->model_type != NULL ? x->model_type : "unknown");
	if (x->config.architecture != NULL) attend_buffer_printf(out, " (%s)", x->config.architecture);
	attend_buffer_text(out, "\n");
	if (x->problem != NULL) line(out, "cannot run", x->problem);
	if (x->has_config && arch->has_encoder) text_stack(out, "encoder", &arch->encoder);
	if (x->has_config && arch->has_decoder) text_stack(out, "decoder", &arch->decoder);
	if (x->bound) text_heads(out, x);
	label(out, "tokenizer");
	if (x->tokenizer != NULL)
		attend_buffer_printf(out, "%s, %zu tokens\n", attend_tokenizer_kind(x->tokenizer),
		                     attend_tokenizer_vocab_size(x->tokenizer));
	else attend_buffer_printf(out, "none: %s\n", x->tokenizer_problem);
	if (x->weights != NULL) {
		label(out, "on disk");
		size_text(out, attend_weights_file_bytes(x->weights));
		attend_buffer_printf(out, " in %zu file%s, %zu tensors\n", attend_weights_file_count(x->weights),
		                     attend_weights_file_count(x->weights) == 1 ? "" : "s", attend_weights_count(x->weights));
	}
	if (x->session_tokens > 0) {
		label(out, "parameters");
		attend_buffer_printf(out, "%zu\n", x->memory.parameters);
		label(out, "memory");
		size_text(out, x->memory.stored);
		attend_buffer_text(out, " mapped (shared), ");
		size_text(out, x->memory.packed);
		attend_buffer_text(out, " packed, ");
		size_text(out, x->session_bytes);
		attend_buffer_printf(out, " to run %zu tokens\n", x->session_tokens);
	}
	text_list(out, "missing", &x->report.missing);
	text_list(out, "new head", &x->report.missing_head);
	text_list(out, "unused", &x->report.unused);
	text_list(out, "ignored", &x->report.ignored);
	if (x->weights != NULL) text_tensors(out, x);
}
