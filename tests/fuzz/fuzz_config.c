/* fuzz_config.c: any bytes as config.json; the architecture that comes out of what is accepted is sound, and is bound to the
 * tensors of a small BERT as far as they go. */
#include "lib/nn/network.h"
#include "loaders/bind.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const attend_stack_arch *s)
{
	if (s->layers == 0 || s->hidden == 0 || s->heads == 0 || s->head_dim == 0 || s->vocab == 0 || s->embedding == 0)
		abort();
	if (s->groups == 0 || s->inner_layers == 0 || s->groups > s->layers) abort();
	if (!(s->norm_eps >= 0) || !(s->score_scale > 0)) abort();
	for (size_t i = 0; i < s->layers; i++)
		if (!(s->layer[i].score_factor > 0)) abort();
}

static void bind(attend_config *config)
{
	static attend_weights *weights;
	const attend_bind_options options = {.lenient = true};
	attend_network network = {0};
	attend_bind_report report = {0};
	if (weights == NULL && attend_weights_open(&weights, "tests/golden/checkpoints/bert_seqcls_single") != ATTEND_OK)
		return; /* run elsewhere */
	(void)attend_bind(&network, &report, config, weights, &options);
	attend_network_free(&network);
	attend_bind_report_free(&report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	attend_config config;
	if (attend_config_parse(&config, (const char *)data, size, "fuzz") != ATTEND_OK) return 0;
	if (!config.arch.has_encoder && !config.arch.has_decoder) abort();
	if (config.arch.has_encoder) check(&config.arch.encoder);
	if (config.arch.has_decoder) check(&config.arch.decoder);
	if (config.arch.head_count > ATTEND_MAX_HEADS) abort();
	bind(&config);
	attend_config_free(&config);
	return 0;
}
