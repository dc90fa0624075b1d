/* cmd_forward.c: `attend forward`: tensors in, tensors out. */
#include "apps/console.h"
#include "apps/open_model.h"
#include "lib/attend.h"

static const attend_option options[] = {
	{"in", 0, ATTEND_OPTION_FILE, "FILE", "safetensors file with input_ids, attention_mask, labels ...", 0, 0, false,
     NULL},
	{"out", 0, ATTEND_OPTION_FILE, "FILE", "safetensors file to write", 0, 0, false, NULL},
	{"head", 0, ATTEND_OPTION_TEXT, "NAME",
     "mlm, pretraining, nsp, sequence, token, qa, multiple-choice, lm, seq2seq, discriminator or base [as config.json says]",
     0, 0, false, NULL},
	{"hidden-states", 0, ATTEND_OPTION_FLAG, NULL, "write hidden_states.N too", 0, 0, false, NULL},
	{"attentions", 0, ATTEND_OPTION_FLAG, NULL, "write attentions.N too", 0, 0, false, NULL},
	{"gradients", 0, ATTEND_OPTION_FLAG, NULL, "write grad.NAME of every parameter too; needs labels", 0, 0, false,
     NULL},
	{0},
};

static const attend_option *const groups[] = {attend_options_model, NULL};

static int run(const attend_args *args)
{
	const attend_command *command = attend_args_command(args);
	const char *model = attend_args_text(args, "model", NULL);
	const char *in = attend_args_text(args, "in", NULL), *out = attend_args_text(args, "out", NULL);
	if (model == NULL) return attend_usage(command, "no model: give a checkpoint folder with -m");
	if (in == NULL || out == NULL) return attend_usage(command, "both --in and --out are needed");
	const attend_forward_options forward = {
		.head = attend_args_text(args, "head", NULL),
		.weights = attend_weights_of(args),
		.hidden_states = attend_args_flag(args, "hidden-states"),
		.attentions = attend_args_flag(args, "attentions"),
		.gradients = attend_args_flag(args, "gradients"),
	};
	const attend_status status = attend_forward_file(model, in, out, &forward);
	return status == ATTEND_OK ? ATTEND_EXIT_DONE : attend_report(status);
}

const attend_command attend_command_forward = {
	.name = "forward",
	.summary = "run a model on tensors: ids in, logits, hidden states and gradients out",
	.details = "Inputs and outputs have the names of the reference's forward(): input_ids,\n"
			   "attention_mask, token_type_ids, position_ids, decoder_input_ids, labels ...\n"
			   "give logits, loss, last_hidden_state, pooler_output, hidden_states.N ... What\n"
			   "stands at a padded position is zero.",
	.example = "attend forward -m bert-mini --in inputs.safetensors --out outputs.safetensors",
	.groups = groups,
	.options = options,
	.run = run,
};
