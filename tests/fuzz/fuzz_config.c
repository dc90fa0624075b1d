/* fuzz_config.c: any bytes as a config.json beside the weights of three tiny checkpoints: read, bound, and run on a few tokens
 * when everything fits. */
#include "lib/nn/session.h"
#include "loaders/bind.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILES = 3 };
static attend_weights *weights[FILES];

static void load(void)
{
	static const char *const names[FILES] = {"bert", "gpt2", "t5"};
	for (size_t i = 0; i < FILES; i++) {
		char path[1024];
		snprintf(path, sizeof path, "%s/tests/fuzz/weights/%s.safetensors", ATTEND_SOURCE_DIR, names[i]);
		if (attend_weights_open_file(&weights[i], path) != ATTEND_OK) {
			fprintf(stderr, "%s\n", attend_error());
			abort();
		}
	}
}

static void run(attend_network *network)
{
	static const size_t offsets[] = {0, 3, 4};
	static const int32_t ids[] = {1, 2, 3, 1};
	const attend_batch batch = {.sequences = 2, .offsets = offsets, .ids = ids};
	const attend_session_options options = {.max_tokens = 4, .max_sequences = 2};
	attend_session *session;
	size_t bytes;
	const float *hidden;
	if (attend_session_measure(&bytes, network, &options) != ATTEND_OK || bytes > (size_t)1 << 28) return;
	if (attend_session_new(&session, network, &options) != ATTEND_OK) return;
	(void)attend_session_encode(session, &batch, &hidden);
	(void)attend_session_decode(session, &batch, NULL, &hidden);
	attend_session_free(session);
}

static void bind(const uint8_t *data, size_t size, const attend_weights *from, bool lenient)
{
	attend_config config;
	attend_network network = {0};
	attend_bind_report report = {0};
	const attend_bind_options options = {.lenient = lenient};
	if (attend_config_parse(&config, (const char *)data, size, "fuzz") != ATTEND_OK) return;
	if (attend_bind(&network, &report, &config, from, &options) == ATTEND_OK && !lenient) run(&network);
	attend_network_free(&network);
	attend_bind_report_free(&report);
	attend_config_free(&config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!weights[0]) load();
	attend_config config;
	if (attend_config_parse(&config, (const char *)data, size, "fuzz") != ATTEND_OK) return 0;
	attend_config_free(&config);
	for (size_t i = 0; i < FILES; i++) {
		bind(data, size, weights[i], false);
		bind(data, size, weights[i], true);
	}
	return 0;
}
