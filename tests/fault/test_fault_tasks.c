/* test_fault_tasks.c: memory, mappings and reading fail anywhere between opening a folder and the answer.
 *
 * ctest-timeout: 600 */
#include "lib/attend.h"
#include "tests/support/check.h"
#include "tests/support/fault.h"

static const attend_text masked = {.text = "Once upon a [MASK] there was a [MASK] boy.", .size = 42};

static attend_status fill_mask(void *arg)
{
	(void)arg;
	attend_model *model = NULL;
	attend_pipeline *pipeline = NULL;
	attend_fill_mask_result result = {0};
	attend_status status = attend_model_load(&model, "models/pretrained/bert-mini", NULL);
	if (status == ATTEND_OK) status = attend_pipeline_new(&pipeline, model);
	if (status == ATTEND_OK) status = attend_fill_mask(&result, pipeline, &masked, 1, NULL);
	if (status == ATTEND_OK) assert_string_equal(result.masks[0].items[0].token_str, "time");
	attend_fill_mask_free(&result);
	attend_pipeline_free(pipeline);
	attend_model_free(model);
	return status;
}

/* The folder and the text to continue; beams share and reorder cached sequences. */
typedef struct writing {
	const char *folder, *prompt, *beams, *answer;
} writing;

static attend_status generate(void *arg)
{
	const writing *const w = arg;
	const attend_text text = {.text = w->prompt, .size = strlen(w->prompt)};
	attend_model *model = NULL;
	attend_pipeline *pipeline = NULL;
	attend_generation *generation = NULL;
	attend_generate_result result = {0};
	attend_status status = attend_model_load(&model, w->folder, NULL);
	if (status == ATTEND_OK) status = attend_pipeline_new(&pipeline, model);
	if (status == ATTEND_OK) status = attend_generation_new(&generation, model);
	if (status == ATTEND_OK) status = attend_generation_set(generation, "num_beams", w->beams);
	if (status == ATTEND_OK) status = attend_generation_set(generation, "max_new_tokens", "6");
	if (status == ATTEND_OK) status = attend_generate(&result, pipeline, &text, 1, generation, NULL);
	if (status == ATTEND_OK) assert_string_equal(result.items[0].continuation, w->answer);
	attend_generate_result_free(&result);
	attend_generation_free(generation);
	attend_pipeline_free(pipeline);
	attend_model_free(model);
	return status;
}

static void sweep(fault_body body, void *arg)
{
	fault_sweep(FAULT_MEMORY, 40, body, arg);
	fault_sweep(FAULT_MAP | FAULT_READ, 40, body, arg);
}

static void test_fill_mask(void **state)
{
	(void)state;
	sweep(fill_mask, NULL);
}

static void test_decoder(void **state)
{
	(void)state;
	writing w = {"models/pretrained/gpt2-mini", "Once upon a time", "3", NULL};
	w.answer = ", there was a little girl";
	sweep(generate, &w);
}

static void test_encoder_decoder(void **state)
{
	(void)state;
	writing w = {"models/pretrained/seq2seq-mini", "digits: three hundred and five", "1", "305"};
	sweep(generate, &w);
}

int main(void)
{
	assert_int_equal(attend_set_threads(2), ATTEND_OK);
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_fill_mask), cmocka_unit_test(test_decoder),
	                                   cmocka_unit_test(test_encoder_decoder)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
