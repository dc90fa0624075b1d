/* test_from_scratch.c: new weights as HF's _init_weights draws them: initializer_range; GPT-2's residual projections narrower; the
 * pad's row of an embedding with padding_idx zero. */
#include "tests/support/check.h"

#include <math.h>

#include "loaders/checkpoint.h"

static const attend_param *find(const attend_checkpoint *c, const char *name)
{
	for (size_t i = 0; i < c->network.param_count; i++)
		if (strcmp(c->network.params[i].name, name) == 0) return &c->network.params[i];
	fail_msg("no '%s'", name);
	return NULL;
}

static double deviation(const attend_param *p)
{
	double squares = 0;
	for (size_t i = 0; i < p->count; i++) squares += (double)p->values[i] * (double)p->values[i];
	return sqrt(squares / (double)p->count);
}

static attend_checkpoint *load(const char *dir, attend_head_kind head)
{
	attend_checkpoint *c = NULL;
	const attend_bind_options bind = {
		.has_head = true, .head = head, .new_head = true, .from_scratch = true, .seed = 7};
	assert_ok(attend_checkpoint_load(&c, dir, &bind));
	return c;
}

/* 65536 numbers and more: their deviation lies within 2 % of the law's (seven standard errors). */
static void near(const attend_checkpoint *c, const char *name, double wanted)
{
	const double found = deviation(find(c, name));
	if (fabs(found / wanted - 1) > 0.02) fail_msg("%s: %g, expected %g", name, found, wanted);
}

static void test_gpt2(void **state)
{
	(void)state;
	attend_checkpoint *c = load("models/pretrained/gpt2-mini", ATTEND_HEAD_LM);
	const double narrow = 0.02 / sqrt(2.0 * (double)c->network.arch.decoder.layers);
	near(c, "transformer.h.0.attn.c_attn.weight", 0.02);
	near(c, "transformer.h.0.mlp.c_fc.weight", 0.02);
	near(c, "transformer.h.0.attn.c_proj.weight", narrow);
	near(c, "transformer.h.1.mlp.c_proj.weight", narrow);
	assert_true(deviation(find(c, "transformer.ln_f.weight")) == 1);
	attend_checkpoint_free(c);
}

static void test_bert(void **state)
{
	(void)state;
	attend_checkpoint *c = load("models/pretrained/bert-mini", ATTEND_HEAD_MLM);
	const attend_param *words = find(c, "bert.embeddings.word_embeddings.weight");
	const size_t width = c->network.arch.encoder.hidden;
	near(c, "bert.encoder.layer.0.attention.output.dense.weight", 0.02);
	near(c, "bert.encoder.layer.0.output.dense.weight", 0.02);
	for (size_t i = 0; i < width; i++) assert_true(!(fabsf(words->values[i]) > 0)); /* [PAD] is 0 */
	assert_true(fabsf(words->values[width]) > 0);
	attend_checkpoint_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_gpt2), cmocka_unit_test(test_bert)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
