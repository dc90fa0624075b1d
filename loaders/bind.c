/* bind.c: all names of a checkpoint onto one network, and the account of what is missing and unused (huggingface.md 2.0.2). */
#include "loaders/bind.h"

#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "lib/core/buffer.h"
#include "lib/nn/network.h"
#include "loaders/bind_internal.h"

void attend_bind_report_free(attend_bind_report *report)
{
	attend_name_list_free(&report->missing);
	attend_name_list_free(&report->missing_head);
	attend_name_list_free(&report->unused);
	attend_name_list_free(&report->ignored);
}

/* '*' in front of a pattern stands for anything. */
static bool matches(const char *name, const char *pattern)
{
	if (*pattern != '*') return strcmp(name, pattern) == 0;
	const size_t a = strlen(name), b = strlen(pattern + 1);
	return a >= b && strcmp(name + a - b, pattern + 1) == 0;
}

static bool is_buffer(const attend_config *config, const char *name)
{
	for (int i = 0; i < 2; i++)
		for (const char *const *p = config->model[i]->ignored; p != NULL && *p != NULL; p++)
			if (matches(name, *p)) return true;
	return false;
}

static attend_status account(attend_binder *b)
{
	for (size_t i = 0; i < attend_weights_count(b->weights); i++) {
		const char *name = attend_weights_name(b->weights, i);
		if (b->used[i]) continue;
		ATTEND_TRY(
			attend_name_list_add(is_buffer(b->config, name) ? &b->report->ignored : &b->report->unused, "%s", name));
	}
	return ATTEND_OK;
}

/* "3 tensors are missing: a, b, c": as many as the line takes; the report has them all. */
static attend_status fail_missing(const attend_name_list *list, attend_status code, const char *what)
{
	attend_buffer text = {0};
	for (size_t i = 0; i < list->count && text.size < 700; i++)
		attend_buffer_printf(&text, "%s%s", i == 0 ? "" : ", ", list->items[i]);
	if (attend_buffer_status(&text) == ATTEND_OK)
		attend_fail(code, "%s: %zu tensor%s missing: %s%s", what, list->count, list->count == 1 ? " is" : "s are",
		            text.data, text.size >= 700 ? ", ... (`attend inspect` lists all)" : "");
	attend_buffer_free(&text);
	return code;
}

/* What `attend convert` says of its own files. */
static attend_status read_stored_type(attend_binder *b)
{
	const char *type = attend_weights_metadata(b->weights, ATTEND_STORED_TYPE_KEY);
	b->stored_type = ATTEND_PACK_F32;
	if (type == NULL) return ATTEND_OK;
	if (strcmp(type, "int8") == 0) b->stored_type = ATTEND_PACK_INT8;
	else if (strcmp(type, "int4") == 0) b->stored_type = ATTEND_PACK_INT4;
	else
		return attend_fail(ATTEND_ERR_UNSUPPORTED, "%s: " ATTEND_STORED_TYPE_KEY ": expected int8 or int4, found '%s'",
		                   attend_weights_file(b->weights, 0), type);
	b->network->stored_type = b->network->pack_type = b->stored_type;
	return ATTEND_OK;
}

static attend_status bind_all(attend_binder *b)
{
	attend_network *network = b->network;
	const attend_arch *arch = &network->arch;
	ATTEND_TRY(read_stored_type(b));
	ATTEND_TRY(attend_binder_index(b));
	b->create = b->options->from_scratch;
	b->missing = b->create ? &b->report->missing_head : &b->report->missing;
	if (arch->has_encoder) ATTEND_TRY(attend_binder_stack(b, 0));
	if (arch->has_decoder) ATTEND_TRY(attend_binder_stack(b, 1));
	if (arch->bridge) ATTEND_TRY(attend_binder_bridge(b));
	ATTEND_TRY(attend_binder_heads(b));
	ATTEND_TRY(account(b));
	if (b->options->lenient) return b->report->missing.count == 0 ? attend_network_finish(network) : ATTEND_OK;
	if (b->report->missing.count > 0)
		return fail_missing(&b->report->missing, ATTEND_ERR_FORMAT, "the model cannot run");
	if (b->report->missing_head.count > 0 && !b->options->new_head)
		return fail_missing(&b->report->missing_head, ATTEND_ERR_NOTFOUND, attend_head_kind_name(b->wanted));
	return attend_network_finish(network);
}

attend_status attend_bind(attend_network *network, attend_bind_report *report, attend_config *config,
                          const attend_weights *weights, const attend_bind_options *options)
{
	static const attend_bind_options defaults = {0};
	const size_t count = attend_weights_count(weights);
	attend_binder b = {.network = network,
	                   .report = report,
	                   .config = config,
	                   .weights = weights,
	                   .options = options != NULL ? options : &defaults,
	                   .capacity = count + 16};   /* a new head has fewer than 16 tensors */
	if (options != NULL && options->from_scratch) /* a block has fewer than 48, a stack's embeddings fewer than 16 */
		b.capacity += 32 + 48 * (config->arch.encoder.layers + config->arch.decoder.layers);
	network->arch = config->arch;
	network->mapped = attend_weights_mapped(weights);
	config->arch.layers = NULL;
	b.used = calloc(count + 1, sizeof *b.used);
	b.params = calloc(count + 1, sizeof *b.params);
	network->params = calloc(b.capacity, sizeof *network->params);
	attend_status status = ATTEND_OK;
	if (b.used == NULL || b.params == NULL || network->params == NULL)
		status = attend_fail_memory(b.capacity * sizeof *network->params, "list of tensors");
	if (status == ATTEND_OK) status = bind_all(&b);
	attend_map_free(b.names);
	free(b.used);
	free(b.params);
	return status;
}
