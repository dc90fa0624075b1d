/* test_config_json.c: config.json through the key tables: defaults, aliases, labels, ids, what differs between layers, composites,
 * and hostile values, each with the place that its message names. */
#include "loaders/config_json.h"

#include <math.h>

#include "models/registry.h"
#include "tests/support/check.h"

static attend_config parse(const char *text)
{
	attend_config config;
	assert_ok(attend_config_parse(&config, text, strlen(text), "config.json"));
	return config;
}

static void bad(attend_status status, const char *text, const char *message)
{
	attend_config config;
	memset(&config, 0x5a, sizeof config);
	assert_fails(status, message, attend_config_parse(&config, text, strlen(text), "config.json"));
	assert_memory_equal(attend_error(), "config.json: ", 13);
}

static void test_defaults(void **state)
{
	(void)state;
	attend_config c = parse("{\"model_type\": \"bert\"}");
	assert_true(c.arch.has_encoder && !c.arch.has_decoder);
	assert_int_equal(c.arch.encoder.vocab, 30522);
	assert_int_equal(c.arch.encoder.layers, 12);
	assert_int_equal(c.arch.encoder.head_dim, 64);
	assert_int_equal(c.arch.encoder.types, 2);
	assert_true(c.arch.encoder.norm_eps == 1e-12f);
	assert_true(c.arch.encoder.score_scale == 0.125f);
	assert_int_equal(c.arch.pad_id, 0);
	assert_int_equal(c.arch.bos_id, -1);
	assert_int_equal(c.label_count, 2);
	assert_string_equal(c.labels[1], "LABEL_1");
	assert_false(c.labels_named);
	assert_int_equal(c.arch.default_head, ATTEND_HEAD_BASE);
	assert_false(c.architecture_known);
	attend_config_free(&c);
	attend_config_free(&c); /* a zeroed one is fine */

	/* no model_type: the class tells */
	c = parse("{\"architectures\": [\"RobertaForMaskedLM\"]}");
	assert_string_equal(c.model_type, "roberta");
	attend_config_free(&c);

	/* null is absent */
	c = parse("{\"model_type\": \"gpt2\", \"n_inner\": null, \"pad_token_id\": null, \"n_embd\": 24, \"n_head\": 4}");
	assert_int_equal(c.arch.decoder.intermediate, 96);
	assert_int_equal(c.arch.pad_id, -1);
	assert_int_equal(c.arch.eos_id, 50256);
	assert_int_equal(c.eos_count, 1);
	attend_config_free(&c);

	for (size_t i = 0; attend_family_at(i) != NULL; i++) { /* every family stands on its defaults */
		char text[100];
		const attend_family *f = attend_family_at(i);
		if (f->shape == ATTEND_SHAPE_COMPOSITE) continue;
		snprintf(text, sizeof text, "{\"model_type\": \"%s\"}", f->model_type);
		c = parse(text);
		assert_true(c.arch.has_encoder || c.arch.has_decoder);
		assert_true(c.arch.head_count > 0);
		attend_config_free(&c);
	}
}

static void test_aliases(void **state)
{
	(void)state;
	attend_config a =
		parse("{\"model_type\": \"gpt2\", \"n_embd\": 20, \"n_layer\": 3, \"n_head\": 5, \"n_positions\": 33}");
	attend_config b = parse("{\"model_type\": \"gpt2\", \"hidden_size\": 20, \"num_hidden_layers\": 3, "
	                        "\"num_attention_heads\": 5, \"max_position_embeddings\": 33}");
	assert_int_equal(a.arch.decoder.hidden, b.arch.decoder.hidden);
	assert_int_equal(a.arch.decoder.layers, b.arch.decoder.layers);
	assert_int_equal(a.arch.decoder.heads, b.arch.decoder.heads);
	assert_int_equal(b.arch.decoder.max_positions, 33);
	attend_config_free(&a);
	attend_config_free(&b);
	a = parse("{\"model_type\": \"distilbert\", \"dim\": 20, \"n_heads\": 2, \"hidden_dim\": 7, \"n_layers\": 1}");
	assert_int_equal(a.arch.encoder.intermediate, 7);
	attend_config_free(&a);
	a = parse("{\"model_type\": \"xlnet\", \"n_token\": 99, \"d_model\": 12, \"n_head\": 3}");
	assert_int_equal(a.arch.encoder.vocab, 99);
	assert_int_equal(a.arch.encoder.head_dim, 4);
	attend_config_free(&a);
}

static void test_shapes(void **state)
{
	(void)state;
	attend_config c =
		parse("{\"model_type\": \"bert\", \"is_decoder\": true, \"architectures\": [\"BertLMHeadModel\"]}");
	assert_true(c.arch.has_decoder && !c.arch.has_encoder && c.arch.decoder.causal && !c.arch.decoder.cross_attention);
	assert_int_equal(c.arch.default_head, ATTEND_HEAD_LM);
	attend_config_free(&c);

	c = parse(
		"{\"model_type\": \"t5\", \"num_layers\": 3, \"num_decoder_layers\": 2, \"feed_forward_proj\": \"gated-gelu\", "
		"\"architectures\": [\"T5ForConditionalGeneration\"]}");
	assert_true(c.arch.has_decoder && c.arch.has_encoder && c.arch.decoder.cross_attention && c.arch.shared_embedding);
	assert_int_equal(c.arch.decoder.layers, 2);
	assert_true(c.arch.encoder.gated);
	assert_int_equal(c.arch.encoder.activation, ATTEND_ACT_GELU_NEW);
	assert_true(c.arch.encoder.score_scale == 1.0f);
	assert_true(c.arch.encoder.relative_bidirectional && !c.arch.decoder.relative_bidirectional);
	assert_true(fabsf(c.arch.heads[0].scale - 1.0f / sqrtf(512)) < 1e-7f);
	assert_int_equal(c.arch.decoder_start_id, -1);
	attend_config_free(&c);

	/* scale_decoder_outputs outweighs the tie flag; mT5 never scales */
	c = parse("{\"model_type\": \"t5\", \"tie_word_embeddings\": true, \"scale_decoder_outputs\": false}");
	assert_true(c.arch.heads[0].scale == 1.0f);
	attend_config_free(&c);
	c = parse("{\"model_type\": \"mt5\", \"tie_word_embeddings\": true}");
	assert_true(c.arch.heads[0].scale == 1.0f && c.arch.encoder.gated);
	assert_int_equal(c.arch.decoder_start_id, 0);
	attend_config_free(&c);

	c = parse("{\"model_type\": \"t5\", \"architectures\": [\"T5EncoderModel\"]}");
	assert_true(c.arch.has_encoder && !c.arch.has_decoder);
	attend_config_free(&c);
	c = parse("{\"model_type\": \"bart\", \"architectures\": [\"BartForCausalLM\"], \"is_encoder_decoder\": false}");
	assert_true(c.arch.has_decoder && !c.arch.has_encoder && !c.arch.decoder.cross_attention);
	assert_int_equal(c.arch.decoder.position_offset, 2);
	attend_config_free(&c);

	c = parse("{\"model_type\": \"roberta\", \"max_position_embeddings\": 514}");
	assert_int_equal(c.arch.encoder.max_positions, 512);
	assert_int_equal(c.arch.encoder.pad_id, 1);
	attend_config_free(&c);
	c = parse("{\"model_type\": \"mpnet\", \"pad_token_id\": 7, \"max_position_embeddings\": 20}");
	assert_int_equal(c.arch.encoder.pad_id, 1); /* positions count from 1 all the same */
	assert_int_equal(c.arch.encoder.max_positions, 18);
	assert_int_equal(c.arch.pad_id, 7);
	attend_config_free(&c);

	c = parse("{\"model_type\": \"openai-gpt\", \"afn\": \"gelu\", \"n_embd\": 20, \"n_head\": 2}");
	assert_int_equal(c.arch.decoder.activation, ATTEND_ACT_GELU_NEW);
	assert_int_equal(c.arch.decoder.intermediate, 80);
	attend_config_free(&c);
	c = parse("{\"model_type\": \"xlnet\", \"attn_type\": \"uni\"}");
	assert_true(c.arch.encoder.causal);
	attend_config_free(&c);
}

static void test_layers(void **state)
{
	(void)state;
	attend_config c = parse("{\"model_type\": \"gpt_neo\", \"num_layers\": 5, \"window_size\": 3, "
	                        "\"attention_types\": [[[\"global\", \"local\"], 2], [[\"local\"], 1]]}");
	const attend_layer_arch *layer = c.arch.decoder.layer;
	assert_true(!layer[0].windowed && layer[1].windowed && !layer[2].windowed && layer[3].windowed &&
	            layer[4].windowed);
	assert_int_equal(layer[1].window_left, 2); /* i - 3 < j */
	assert_int_equal(layer[1].window_right, 0);
	attend_config_free(&c);

	c = parse(
		"{\"model_type\": \"modernbert\", \"num_hidden_layers\": 4, \"local_attention\": 7, \"global_rope_theta\": 99}");
	layer = c.arch.encoder.layer;
	assert_true(!layer[0].windowed && layer[1].windowed && layer[2].windowed && !layer[3].windowed);
	assert_true(layer[0].skip_attention_norm && !layer[1].skip_attention_norm);
	assert_int_equal(layer[1].window_left, 3);
	assert_int_equal(layer[1].window_right, 3);
	assert_true(layer[0].rotary_theta == 99 && layer[1].rotary_theta == 10000);
	attend_config_free(&c);
	c = parse("{\"model_type\": \"modernbert\", \"num_hidden_layers\": 2, \"layer_types\": [\"sliding_attention\", "
	          "\"full_attention\"], \"rope_parameters\": {\"sliding_attention\": {\"rope_theta\": 5}}}");
	assert_true(c.arch.encoder.layer[0].windowed && c.arch.encoder.layer[0].rotary_theta == 5);
	attend_config_free(&c);

	c = parse("{\"model_type\": \"gpt2\", \"n_layer\": 3, \"scale_attn_by_inverse_layer_idx\": true}");
	assert_true(c.arch.decoder.layer[2].score_factor == 1.0f / 3);
	attend_config_free(&c);

	bad(ATTEND_ERR_FORMAT, "{\"model_type\": \"gpt_neo\", \"num_layers\": 3, \"attention_types\": [[[\"global\"], 2]]}",
	    "$.attention_types: expected types for 3 layers, found 2");
	bad(ATTEND_ERR_FORMAT,
	    "{\"model_type\": \"gpt_neo\", \"num_layers\": 1, \"attention_types\": [[[\"global\", \"local\"], 1]]}",
	    "expected types for 1 layers, found more");
	bad(ATTEND_ERR_FORMAT, "{\"model_type\": \"gpt_neo\", \"num_layers\": 1, \"attention_layers\": [\"other\"]}",
	    "$.attention_layers[0]: expected \"global\" or \"local\", found \"other\"");
	bad(ATTEND_ERR_FORMAT, "{\"model_type\": \"modernbert\", \"layer_types\": []}",
	    "$.layer_types: expected an array of 22");
	bad(ATTEND_ERR_UNSUPPORTED,
	    "{\"model_type\": \"modernbert\", \"rope_parameters\": {\"full_attention\": {\"rope_type\": \"yarn\"}}}",
	    "\"yarn\"");
}

static void test_labels(void **state)
{
	(void)state;
	attend_config c =
		parse("{\"model_type\": \"bert\", \"num_labels\": 9, \"problem_type\": \"multi_label_classification\", "
	          "\"id2label\": {\"2\": \"c\", \"0\": \"a\", \"1\": \"b\"}, "
	          "\"architectures\": [\"BertForTokenClassification\"]}");
	assert_int_equal(c.label_count, 3); /* id2label outweighs num_labels */
	assert_string_equal(c.labels[0], "a");
	assert_string_equal(c.labels[2], "c");
	assert_true(c.labels_named);
	assert_int_equal(attend_config_find_label(&c, "b"), 1);
	assert_int_equal(attend_config_find_label(&c, "z"), -1);
	assert_int_equal(c.problem, ATTEND_PROBLEM_MULTI_LABEL);
	const char *const names[] = {"x", "y"};
	assert_ok(attend_config_set_labels(&c, names, 2));
	assert_int_equal(c.label_count, 2);
	for (size_t i = 0; i < c.arch.head_count; i++)
		if (c.arch.heads[i].kind == ATTEND_HEAD_TOKEN || c.arch.heads[i].kind == ATTEND_HEAD_SEQUENCE)
			assert_int_equal(c.arch.heads[i].outputs, 2);
	attend_config_free(&c);

	c = parse("{\"model_type\": \"bert\", \"num_labels\": 5}");
	assert_int_equal(c.label_count, 5);
	attend_config_free(&c);
	c = parse("{\"model_type\": \"bart\"}");
	assert_int_equal(c.label_count, 3);
	attend_config_free(&c);
	c = parse("{\"model_type\": \"bert\", \"id2label\": {\"0\": 7}}"); /* numbers as names */
	assert_string_equal(c.labels[0], "7");
	attend_config_free(&c);

	bad(ATTEND_ERR_FORMAT, "{\"model_type\": \"bert\", \"id2label\": {\"x\": \"a\"}}",
	    "$.id2label.x: expected a number >= 0");
	bad(ATTEND_ERR_FORMAT, "{\"model_type\": \"bert\", \"id2label\": {\"0\": \"a\", \"00\": \"b\"}}", "twice");
	bad(ATTEND_ERR_FORMAT, "{\"model_type\": \"bert\", \"id2label\": [\"a\"]}", "$.id2label: expected an object");
	bad(ATTEND_ERR_FORMAT, "{\"model_type\": \"bert\", \"num_labels\": 1000000000}",
	    "$.num_labels: expected an integer");
	bad(ATTEND_ERR_FORMAT, "{\"model_type\": \"bert\", \"problem_type\": \"guess\"}",
	    "$.problem_type: expected regression");
}

static void test_ids(void **state)
{
	(void)state;
	attend_config c =
		parse("{\"model_type\": \"gpt2\", \"eos_token_id\": [7, 9], \"bos_token_id\": 3, \"sep_token_id\": 4}");
	assert_int_equal(c.arch.eos_id, 7);
	assert_int_equal(c.eos_count, 2);
	assert_int_equal(c.eos[1], 9);
	assert_int_equal(c.sep_id, 4);
	attend_config_free(&c);
	c = parse(
		"{\"model_type\": \"gpt2\", \"pad_token_id\": -1, \"torch_dtype\": \"float16\", \"tokenizer_class\": \"X\"}");
	assert_int_equal(c.arch.pad_id, -1);
	assert_string_equal(c.dtype, "float16");
	assert_string_equal(c.tokenizer_class, "X");
	attend_config_free(&c);
	bad(ATTEND_ERR_FORMAT, "{\"model_type\": \"gpt2\", \"eos_token_id\": \"</s>\"}",
	    "$.eos_token_id: expected an integer");
	bad(ATTEND_ERR_FORMAT, "{\"model_type\": \"gpt2\", \"pad_token_id\": 4294967296}", "$.pad_token_id");
}

static void test_composite(void **state)
{
	(void)state;
	attend_config c =
		parse("{\"model_type\": \"encoder-decoder\", \"architectures\": [\"EncoderDecoderModel\"], "
	          "\"decoder_start_token_id\": 5, \"pad_token_id\": 3, "
	          "\"encoder\": {\"model_type\": \"bert\", \"hidden_size\": 16, \"num_attention_heads\": 2}, "
	          "\"decoder\": {\"model_type\": \"gpt2\", \"n_embd\": 20, \"n_head\": 4, \"eos_token_id\": 8}}");
	assert_true(c.arch.has_encoder && c.arch.has_decoder && c.arch.bridge && c.arch.decoder.cross_attention);
	assert_int_equal(c.arch.default_head, ATTEND_HEAD_SEQ2SEQ);
	assert_int_equal(c.arch.head_count, 1);
	assert_false(c.arch.heads[0].shift_labels);
	assert_int_equal(c.arch.pad_id, 3);
	assert_int_equal(c.arch.decoder_start_id, 5);
	assert_int_equal(c.arch.eos_id, 8); /* the decoder's, as the top has none */
	assert_string_equal(c.prefix[1], "decoder.");
	attend_config_free(&c);
	bad(ATTEND_ERR_FORMAT, "{\"model_type\": \"encoder-decoder\", \"encoder\": {\"model_type\": \"bert\"}}",
	    "decoder is missing");
	bad(ATTEND_ERR_UNSUPPORTED,
	    "{\"model_type\": \"encoder-decoder\", \"encoder\": {\"model_type\": \"vit\"}, \"decoder\": {\"model_type\": \"bert\"}}",
	    "$.encoder.model_type: attend has no model of type \"vit\"");
	bad(ATTEND_ERR_UNSUPPORTED,
	    "{\"model_type\": \"encoder-decoder\", \"encoder\": {\"model_type\": \"t5\"}, \"decoder\": {\"model_type\": \"bert\"}}",
	    "\"t5\" as the encoder");
	bad(ATTEND_ERR_UNSUPPORTED,
	    "{\"model_type\": \"encoder-decoder\", \"encoder\": {\"model_type\": \"encoder-decoder\"}, "
	    "\"decoder\": {\"model_type\": \"bert\"}}",
	    "as the encoder");
}

static void test_hostile(void **state)
{
	(void)state;
	bad(ATTEND_ERR_FORMAT, "", "expected a JSON value");
	bad(ATTEND_ERR_FORMAT, "{\"model_type\": \"bert\", \"hidden", "line 1");
	bad(ATTEND_ERR_FORMAT, "[]", "expected an object");
	bad(ATTEND_ERR_FORMAT, "{}", "model_type is missing");
	bad(ATTEND_ERR_FORMAT, "{\"architectures\": [\"LlamaModel\"]}", "model_type is missing");
	bad(ATTEND_ERR_FORMAT, "{\"architectures\": [1]}", "model_type is missing");
	bad(ATTEND_ERR_FORMAT, "{\"model_type\": 3}", "$.model_type: expected a string");
	bad(ATTEND_ERR_UNSUPPORTED, "{\"model_type\": \"llama\"}", "$.model_type: attend has no model of type \"llama\"");
	static const struct {
		const char *value, *message;
	} values[] = {
		{"0", "found 0"},
		{"-8", "found -8"},
		{"1099511627776", "found 1099511627776"},
		{"\"big\"", "found \"big\""},
		{"1e400", "$.hidden_size"},
		{"16.5", "$.hidden_size"},
		{"[16]", "$.hidden_size"},
		{"true", "$.hidden_size"},
	};
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
		char text[200];
		snprintf(text, sizeof text, "{\"model_type\": \"bert\", \"hidden_size\": %s}", values[i].value);
		bad(ATTEND_ERR_FORMAT, text, "$.hidden_size: expected an integer");
		bad(ATTEND_ERR_FORMAT, text, values[i].message);
	}
	bad(ATTEND_ERR_FORMAT, "{\"model_type\": \"bert\", \"num_hidden_layers\": 1000000000}",
	    "$.num_hidden_layers: expected an integer");
	bad(ATTEND_ERR_FORMAT, "{\"model_type\": \"bert\", \"num_attention_heads\": 0}", "$.num_attention_heads");
	bad(ATTEND_ERR_FORMAT, "{\"model_type\": \"bert\", \"hidden_size\": 768, \"num_attention_heads\": 7}",
	    "$.num_attention_heads: expected a divisor of the hidden size 768, found 7 heads");
	bad(ATTEND_ERR_FORMAT, "{\"model_type\": \"bert\", \"layer_norm_eps\": -1}",
	    "$.layer_norm_eps: expected a number in 0 .. 1");
	bad(ATTEND_ERR_FORMAT, "{\"model_type\": \"bert\", \"hidden_dropout_prob\": 1.5}", "$.hidden_dropout_prob");
	bad(ATTEND_ERR_FORMAT, "{\"model_type\": \"bert\", \"is_decoder\": 1}", "$.is_decoder: expected true or false");
	bad(ATTEND_ERR_UNSUPPORTED, "{\"model_type\": \"bert\", \"hidden_act\": \"prelu\"}",
	    "$.hidden_act: \"prelu\" is no activation");
	bad(ATTEND_ERR_UNSUPPORTED, "{\"model_type\": \"t5\", \"feed_forward_proj\": \"gated-\"}",
	    "$.feed_forward_proj: expected");
	bad(ATTEND_ERR_UNSUPPORTED, "{\"model_type\": \"bert\", \"position_embedding_type\": \"relative_key\"}",
	    "relative_key");
	bad(ATTEND_ERR_UNSUPPORTED, "{\"model_type\": \"bert\", \"pruned_heads\": {\"1\": [0]}}", "pruned heads");
	bad(ATTEND_ERR_UNSUPPORTED, "{\"model_type\": \"bert\", \"is_decoder\": true, \"add_cross_attention\": true}",
	    "without an encoder");
	bad(ATTEND_ERR_FORMAT, "{\"model_type\": \"roberta\", \"max_position_embeddings\": 2}",
	    "leave none behind pad_token_id");
	bad(ATTEND_ERR_FORMAT, "{\"model_type\": \"roberta\", \"pad_token_id\": -1}", "pad_token_id is missing");
	bad(ATTEND_ERR_FORMAT, "{\"model_type\": \"t5\", \"relative_attention_max_distance\": 4}", "do not go together");
	bad(ATTEND_ERR_FORMAT, "{\"model_type\": \"t5\", \"relative_attention_num_buckets\": 2}", "do not go together");
	bad(ATTEND_ERR_FORMAT, "{\"model_type\": \"albert\", \"num_hidden_groups\": 13}", "13 groups");
	bad(ATTEND_ERR_FORMAT,
	    "{\"model_type\": \"albert\", \"num_hidden_layers\": 900, \"num_hidden_groups\": 900, \"inner_group_num\": 900}",
	    "900 groups of 900 layers");
	bad(ATTEND_ERR_FORMAT, "{\"model_type\": \"xlnet\", \"d_model\": 12, \"n_head\": 3, \"d_head\": 5}",
	    "$.d_head: expected 4 (hidden size 12 / 3 heads), found 5");
	bad(ATTEND_ERR_FORMAT, "{\"model_type\": \"bert\", \"architectures\": \"BertModel\"}",
	    "$.architectures: expected an array");
	bad(ATTEND_ERR_FORMAT, "{\"model_type\": \"marian\", \"decoder_vocab_size\": 7}", "share their embedding");

	char *deep = malloc(40000);
	assert_non_null(deep);
	strcpy(deep, "{\"model_type\": \"bert\", \"x\": ");
	memset(deep + strlen(deep), '[', 10000);
	deep[27 + 10000] = 0;
	bad(ATTEND_ERR_FORMAT, deep, "deep");
	free(deep);

	attend_config config;
	assert_int_equal(attend_config_read(&config, "/nowhere/config.json"), ATTEND_ERR_NOTFOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),  cmocka_unit_test(test_aliases), cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_layers),    cmocka_unit_test(test_labels),  cmocka_unit_test(test_ids),
		cmocka_unit_test(test_composite), cmocka_unit_test(test_hostile),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
