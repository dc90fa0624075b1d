/* outside.c: what a user's program sees of the installed library: fills the mask of a sentence with the model of a folder.
 * Prints the version and the best word. */
#include <attend.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	static const char sentence[] = "Once upon a [MASK] there was a little boy.";
	const attend_text text = {.text = sentence, .size = sizeof sentence - 1};
	attend_model *model = NULL;
	attend_pipeline *pipeline = NULL;
	attend_fill_mask_result result = {0};
	if (argc != 2) return 2;
	if (attend_set_threads(-1) != ATTEND_ERR_ARG || strlen(attend_error()) == 0) return 1;
	attend_status status = attend_model_load(&model, argv[1], NULL);
	if (status == ATTEND_OK) status = attend_pipeline_new(&pipeline, model);
	if (status == ATTEND_OK) status = attend_fill_mask(&result, pipeline, &text, 1, NULL);
	if (status == ATTEND_OK) printf("%s %s\n", attend_version(), result.masks[0].items[0].token_str);
	else fprintf(stderr, "%s\n", attend_error());
	attend_fill_mask_free(&result);
	attend_pipeline_free(pipeline);
	attend_model_free(model);
	return status != ATTEND_OK;
}
