/* trainer.c: setting a run up: data, labels, model, memory; all checks come before the first step. */
#include "lib/train/trainer.h"

#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/core/arena.h"
#include "lib/core/file.h"
#include "lib/train/text_task.h"

/* ---- Data ---------------------------------------------------------------------------------------------------------------- */

/* Does the model already know all labels of the data? Then its numbering stays. */
static bool model_knows(const attend_config *config, const attend_dataset *d)
{
	if (!config->labels_named || d->kind == ATTEND_LABELS_REGRESSION) return false;
	for (size_t i = 0; i < d->label_count; i++)
		if (attend_config_find_label(config, d->label_names[i]) < 0) return false;
	return true;
}

static attend_status open_train(attend_trainer *t, const char *model_dir)
{
	attend_dataset_options options;
	ATTEND_TRY(attend_recipe_data(&options, t->recipe));
	ATTEND_TRY(attend_dataset_open(&t->train, t->recipe->train_file, &options));
	char *path = NULL;
	attend_config config = {0};
	ATTEND_TRY(attend_path_join(&path, model_dir, "config.json"));
	const attend_status status = attend_config_read(&config, path);
	free(path);
	ATTEND_TRY(status);
	attend_status result = ATTEND_OK;
	if (model_knows(&config, t->train))
		result = attend_dataset_renumber(t->train, (const char *const *)config.labels, config.label_count);
	attend_config_free(&config);
	ATTEND_TRY(result);
	t->regression = t->train->kind == ATTEND_LABELS_REGRESSION;
	t->multi = t->train->kind == ATTEND_LABELS_MULTI;
	if (!t->regression && t->train->label_count < 2)
		return attend_fail(ATTEND_ERR_DATA, "%s: only one label, '%s': there is nothing to learn", t->train->path,
		                   t->train->label_count ? t->train->label_names[0] : "");
	return ATTEND_OK;
}

static attend_status open_validation(attend_trainer *t)
{
	attend_dataset_options options;
	if (!*t->recipe->validation_file) return ATTEND_OK;
	ATTEND_TRY(attend_recipe_data(&options, t->recipe));
	options.labels = t->train->kind;
	options.label_names = t->regression ? NULL : (const char *const *)t->train->label_names;
	options.label_count = t->train->label_count;
	return attend_dataset_open(&t->validation, t->recipe->validation_file, &options);
}

static attend_status split(attend_trainer *t)
{
	const size_t n = t->train->count;
	uint8_t *held = calloc(n + 1, 1);
	t->members = attend_alloc_array(n + 1, sizeof *t->members);
	t->held = attend_alloc_array((t->validation ? t->validation->count : n) + 1, sizeof *t->held);
	if (!held || !t->members || !t->held) {
		free(held);
		return attend_fail_memory(n * sizeof *t->members, "split");
	}
	if (t->recipe->validation_split > 0)
		attend_dataset_split(t->train, t->recipe->validation_split, (uint64_t)t->recipe->seed, held);
	for (size_t i = 0; i < n; i++) {
		if (held[i]) t->held[t->held_count++] = i;
		else t->members[t->member_count++] = i;
	}
	for (size_t i = 0; t->validation && i < t->validation->count; i++) t->held[t->held_count++] = i;
	free(held);
	return ATTEND_OK;
}

/* ---- Model ---------------------------------------------------------------------------------------------------------------- */

static attend_status load_model(attend_trainer *t, const char *dir)
{
	static const char *const one[] = {"LABEL_0"};
	const attend_head_kind kind = t->text_task ? t->text_task->head : ATTEND_HEAD_SEQUENCE;
	attend_bind_options bind = {.has_head = true, .head = kind, .new_head = true, .seed = (uint64_t)t->recipe->seed};
	if (!t->text_task) {
		bind.labels = t->regression ? one : (const char *const *)t->train->label_names;
		bind.label_count = t->regression ? 1 : t->train->label_count;
	}
	bind.from_scratch = t->recipe->from_scratch && !t->recipe->resume;
	if (strcmp(t->recipe->dtype, "stored") != 0 && strcmp(t->recipe->dtype, "f32") != 0)
		return attend_fail(ATTEND_ERR_ARG, "dtype: %s is for evaluation; training has bf16", t->recipe->dtype);
	ATTEND_TRY(attend_checkpoint_load(&t->checkpoint, dir, &bind));
	t->network = &t->checkpoint->network;
	if (t->recipe->bf16) t->network->pack_type = ATTEND_PACK_BF16;
	if (t->recipe->bf16 && !attend_bf16_pays())
		attend_log(ATTEND_LOG_WARNING, "bf16: this CPU multiplies bf16 no faster than f32");
	if (!t->text_task)
		t->checkpoint->config.problem = t->regression ? ATTEND_PROBLEM_REGRESSION
		                                : t->multi    ? ATTEND_PROBLEM_MULTI_LABEL
		                                              : ATTEND_PROBLEM_SINGLE_LABEL;
	const int head = attend_network_find_head(t->network, t->text_task ? t->text_task->words : kind);
	if (head < 0)
		return attend_fail(ATTEND_ERR_UNSUPPORTED, "%s: this architecture has no '%s' head to train", dir,
		                   attend_head_kind_name(kind));
	attend_arch *arch = &t->network->arch;
	t->head = (size_t)head;
	t->outputs = t->text_task ? 1 : arch->heads[head].outputs; /* of a vocabulary no logits are kept here */
	t->pair_head = t->head;
	if (attend_text_task_paired(t)) {
		const int pairs = attend_network_find_head(t->network, ATTEND_HEAD_NSP);
		if (pairs < 0 || arch->heads[pairs].outputs != 2)
			return attend_fail(ATTEND_ERR_UNSUPPORTED, "%s: this architecture has no head for sentence pairs", dir);
		t->pair_head = (size_t)pairs;
		t->outputs = 2;
	}
	for (size_t i = 0; i < arch->head_count; i++) /* others that the checkpoint has take no memory */
		if (i != t->head && i != t->pair_head) t->network->heads[i].present = false;
	if (t->recipe->dropout >= 0) arch->heads[head].dropout = (float)t->recipe->dropout;
	const bool only_head = strcmp(t->recipe->freeze, "base") == 0;
	if (t->recipe->dropout >= 0 || only_head) { /* a frozen base gives what it gives in use: no dropout */
		const float p = only_head ? 0 : (float)t->recipe->dropout;
		attend_stack_arch *stacks[] = {&arch->encoder, &arch->decoder};
		for (int i = 0; i < 2; i++) {
			stacks[i]->dropout_embedding = stacks[i]->dropout_hidden = stacks[i]->dropout_attention = p;
			if (stacks[i]->dropout_activation > 0) stacks[i]->dropout_activation = p; /* places that few models have */
			if (stacks[i]->dropout_final > 0) stacks[i]->dropout_final = p;
		}
	}
	t->uses_features = only_head && !t->text_task && arch->heads[head].pooling != ATTEND_POOL_ALL;
	return attend_tokenizer_load(&t->tokenizer, dir);
}

static attend_status encode(attend_trainer *t)
{
	const attend_arch *arch = &t->network->arch;
	const attend_stack_arch *reads = arch->has_encoder ? &arch->encoder : &arch->decoder;
	attend_fitting fitting;
	ATTEND_TRY(attend_fitting_read(&fitting, t->recipe, reads->max_positions, t->tokenizer));
	ATTEND_TRY(attend_examples_encode(&t->train_examples, t->train, t->tokenizer, &fitting, reads->vocab));
	if (!t->validation) return ATTEND_OK;
	return attend_examples_encode(&t->validation_examples, t->validation, t->tokenizer, &fitting, reads->vocab);
}

/* From texts to sequences: every window of a training text is an example with the label of its text. */
static attend_status spread_windows(attend_trainer *t)
{
	const attend_examples *x = &t->train_examples;
	t->text_count = t->member_count;
	if (!x->firsts) return ATTEND_OK;
	size_t *sequences = attend_alloc_array(x->count + 1, sizeof *sequences), n = 0;
	if (!sequences) return attend_fail_memory(x->count * sizeof *sequences, "windows");
	for (size_t i = 0; i < t->member_count; i++) {
		size_t first;
		const size_t windows = attend_examples_windows(x, t->members[i], &first);
		for (size_t w = 0; w < windows; w++) sequences[n++] = first + w;
	}
	free(t->members);
	t->members = sequences;
	t->member_count = n;
	return ATTEND_OK;
}

/* "balanced", or "LABEL=W,LABEL=W". Balanced as scikit-learn's: n / (classes * count). */
static attend_status read_class_weights(attend_trainer *t)
{
	const char *text = t->recipe->class_weights;
	if (!*text) return ATTEND_OK;
	if (t->regression || t->multi) return attend_fail(ATTEND_ERR_ARG, "class_weights need a single label per example");
	const size_t n = t->train->label_count;
	if (!(t->class_weights = attend_alloc_array(n, sizeof *t->class_weights)))
		return attend_fail_memory(n, "class weights");
	for (size_t i = 0; i < n; i++) {
		t->class_weights[i] = 1;
		if (strcmp(text, "balanced") != 0) continue;
		if (t->label_examples[i] == 0)
			return attend_fail(ATTEND_ERR_DATA, "class_weights balanced: no training example has the label '%s'",
			                   t->train->label_names[i]);
		t->class_weights[i] = (float)t->member_count / ((float)n * (float)t->label_examples[i]);
	}
	while (strcmp(t->recipe->class_weights, "balanced") != 0 && *text) {
		const size_t size = strcspn(text, ",");
		const char *equals = memchr(text, '=', size);
		char *end = NULL;
		const int32_t label = equals ? attend_dataset_label(t->train, text, (size_t)(equals - text)) : -1;
		const double weight = equals ? strtod(equals + 1, &end) : 0;
		if (label < 0 || end != text + size || !(weight >= 0) || !isfinite(weight))
			return attend_fail(ATTEND_ERR_ARG, "class_weights: expected balanced or LABEL=WEIGHT,..., found \"%.*s\"",
			                   (int)size, text);
		t->class_weights[label] = (float)weight;
		text += size + (text[size] == ',');
	}
	return ATTEND_OK;
}

/* ---- Plan ------------------------------------------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
	const size_t x = *(const size_t *)a, y = *(const size_t *)b;
	return x < y ? -1 : x > y;
}

/* Tokens of the training examples, rising; malloc'ed. */
static attend_status sorted_lengths(size_t **out, const attend_trainer *t)
{
	size_t *lengths = attend_alloc_array(t->member_count + 1, sizeof *lengths);
	if (!lengths) return attend_fail_memory(t->member_count * sizeof *lengths, "lengths");
	for (size_t i = 0; i < t->member_count; i++) lengths[i] = attend_examples_length(&t->train_examples, t->members[i]);
	qsort(lengths, t->member_count, sizeof *lengths, by_size);
	*out = lengths;
	return ATTEND_OK;
}

static attend_status describe_lengths(attend_trainer *t)
{
	size_t *lengths = NULL;
	ATTEND_TRY(sorted_lengths(&lengths, t));
	t->plan.shortest = lengths[0];
	t->plan.median = lengths[t->member_count / 2];
	t->plan.longest = lengths[t->member_count - 1];
	free(lengths);
	return ATTEND_OK;
}

static attend_status count_labels(attend_trainer *t)
{
	if (t->regression || t->text_task) return ATTEND_OK;
	if (!(t->label_examples = calloc(t->train->label_count + 1, sizeof *t->label_examples)))
		return attend_fail_memory(t->train->label_count, "labels");
	for (size_t i = 0; i < t->member_count; i++) {
		const attend_example *e = &t->train->examples[t->members[i]];
		if (!t->multi) t->label_examples[e->label]++;
		for (size_t j = 0; j < e->label_count; j++) t->label_examples[e->labels[j]]++;
	}
	return ATTEND_OK;
}

/* Updates of epoch `e`: its batches, in groups of gradient_accumulation_steps. */
static size_t epoch_steps(attend_trainer *t, uint64_t e)
{
	const size_t group = (size_t)t->recipe->gradient_accumulation_steps;
	const size_t batches =
		attend_batches_plan(t->order, t->ends, &t->train_examples, t->members, t->member_count, &t->batching, e);
	return (batches + group - 1) / group;
}

/* A token budget gives every epoch its own number of batches: count them until `epochs` or `max_steps` are reached. */
static attend_status plan_uneven(attend_trainer *t, double epochs, size_t max_steps)
{
	size_t capacity = 0, total = 0;
	for (size_t e = 0; max_steps ? total < max_steps : (double)e < epochs; e++) {
		const size_t steps = epoch_steps(t, e);
		ATTEND_TRY(attend_grow(&t->epoch_ends, &capacity, e + 1, sizeof *t->epoch_ends, "epochs"));
		const double share = max_steps || epochs - (double)e >= 1 ? 1 : epochs - (double)e;
		t->plan.steps = total + (size_t)ceil(share * (double)steps);
		total += steps;
		t->epoch_ends[t->epoch_count++] = total;
	}
	if (max_steps) t->plan.steps = max_steps;
	return ATTEND_OK;
}

static attend_status plan_steps(attend_trainer *t)
{
	const attend_recipe *r = t->recipe;
	t->order = attend_alloc_array(t->member_count + 1, sizeof *t->order);
	t->ends = attend_alloc_array(t->member_count + 1, sizeof *t->ends);
	if (!t->order || !t->ends) return attend_fail_memory(t->member_count * sizeof *t->order, "batches");
	t->batching = (attend_batching){.batch_size = (size_t)r->per_device_train_batch_size,
	                                .max_tokens = (size_t)r->max_tokens_per_batch,
	                                .by_length = r->group_by_length,
	                                .seed = (uint64_t)r->seed};
	const size_t max_steps = r->max_steps > 0 ? (size_t)r->max_steps : 0;
	t->plan.steps_per_epoch = epoch_steps(t, 0);
	t->plan.steps = max_steps ? max_steps : (size_t)ceil(r->num_train_epochs * (double)t->plan.steps_per_epoch);
	if (t->batching.max_tokens) ATTEND_TRY(plan_uneven(t, r->num_train_epochs, max_steps));
	if (t->plan.steps == 0)
		return attend_fail(ATTEND_ERR_ARG, "num_train_epochs %g: nothing to do", r->num_train_epochs);
	ATTEND_TRY(attend_recipe_schedule(&t->schedule, r, t->plan.steps));
	return attend_recipe_optimizer(&t->optimizer_options, &t->grouping, r);
}

size_t attend_trainer_epoch(const attend_trainer *trainer, size_t step, size_t *within)
{
	const size_t even = trainer->plan.steps_per_epoch;
	size_t e = 0;
	if (!trainer->epoch_ends) {
		*within = step % even;
		return step / even;
	}
	while (e < trainer->epoch_count && trainer->epoch_ends[e] <= step) e++;
	*within = step - (e ? trainer->epoch_ends[e - 1] : 0);
	return e;
}

double attend_trainer_epochs(const attend_trainer *trainer, size_t done)
{
	size_t within;
	const size_t e = attend_trainer_epoch(trainer, done, &within);
	if (!trainer->epoch_ends) return (double)done / (double)trainer->plan.steps_per_epoch;
	if (e >= trainer->epoch_count) return (double)trainer->epoch_count;
	const size_t start = e ? trainer->epoch_ends[e - 1] : 0;
	return (double)e + (double)within / (double)(trainer->epoch_ends[e] - start);
}

/* Tokens of the largest batch of all epochs. Where counting them out would take too long: those of the longest examples, which no
 * batch can exceed. */
static attend_status largest_batch(attend_trainer *t, size_t *out)
{
	enum { ENOUGH = 20000000 }; /* examples to look at: a second or two */
	const size_t batch = (size_t)t->recipe->per_device_train_batch_size;
	size_t within, longest = 0;
	const size_t epochs = attend_trainer_epoch(t, t->plan.steps - 1, &within) + 1;
	if (epochs <= ENOUGH / (t->member_count + 1)) {
		for (size_t e = 0; e < epochs; e++) {
			const size_t batches = attend_batches_plan(t->order, t->ends, &t->train_examples, t->members,
			                                           t->member_count, &t->batching, e);
			for (size_t b = 0; b < batches; b++) {
				size_t tokens = 0;
				for (size_t i = b ? t->ends[b - 1] : 0; i < t->ends[b]; i++)
					tokens += attend_examples_length(&t->train_examples, t->order[i]);
				if (tokens > longest) longest = tokens;
			}
		}
		*out = longest;
		return ATTEND_OK;
	}
	size_t *lengths = NULL;
	ATTEND_TRY(sorted_lengths(&lengths, t));
	for (size_t i = 0; i < batch && i < t->member_count; i++) longest += lengths[t->member_count - 1 - i];
	free(lengths);
	const size_t budget = t->batching.max_tokens, one = t->train_examples.longest;
	*out = budget && budget < longest ? (budget > one ? budget : one) : longest;
	return ATTEND_OK;
}

/* Room for the largest batch. Measuring has to do with the tokens that training needs, and takes smaller batches for that. */
static attend_status plan_batch(attend_trainer *t)
{
	const size_t train = (size_t)t->recipe->per_device_train_batch_size,
				 evaluation = (size_t)t->recipe->per_device_eval_batch_size;
	const size_t held = !t->held_count ? 0 : t->validation ? t->validation_examples.longest : t->train_examples.longest;
	ATTEND_TRY(largest_batch(t, &t->max_tokens));
	if (held > t->max_tokens) t->max_tokens = held;
	t->max_length = held > t->train_examples.longest ? held : t->train_examples.longest;
	t->max_sequences = t->held_count && evaluation > train ? evaluation : train;
	if (t->max_sequences > t->max_tokens) t->max_sequences = t->max_tokens;
	const size_t outputs = t->outputs * t->max_sequences;
	t->labels = attend_alloc_array(t->text_task ? t->max_tokens : t->max_sequences, sizeof *t->labels);
	t->values = attend_alloc_array(outputs, sizeof *t->values);
	t->logits = attend_alloc_array(outputs, sizeof *t->logits);
	t->pair_labels = attend_alloc_array(t->max_sequences, sizeof *t->pair_labels);
	if (!t->labels || !t->values || !t->logits || !t->pair_labels)
		return attend_fail_memory(outputs * sizeof *t->values, "batch");
	ATTEND_TRY(attend_example_batch_init(&t->batch, t->max_sequences, t->max_tokens));
	if (!t->uses_features) return ATTEND_OK;
	ATTEND_TRY(attend_features_init(&t->features[0], t->network, t->head, t->train_examples.count, t->max_sequences));
	return attend_features_init(&t->features[1], t->network, t->head, t->validation_examples.count, t->max_sequences);
}

static attend_status describe(attend_trainer *t)
{
	attend_train_plan *p = &t->plan;
	p->train_examples = t->text_count;
	p->validation_examples = t->held_count;
	p->skipped = t->train->skipped + (t->validation ? t->validation->skipped : 0);
	p->first_problem = t->train->first_problem ? t->train->first_problem
	                   : t->validation         ? t->validation->first_problem
	                                           : NULL;
	p->columns = t->train->columns;
	p->label_count = t->regression ? 0 : t->train->label_count;
	p->labels = (const char *const *)t->train->label_names;
	p->label_examples = t->label_examples;
	p->too_long = t->train_examples.too_long + t->validation_examples.too_long;
	p->windowed = t->train_examples.windowed + t->validation_examples.windowed;
	p->windows = p->windowed ? t->member_count : 0;
	attend_buffer made = {0};
	const bool all = t->recipe->from_scratch && !t->recipe->resume;
	if (all) attend_buffer_text(&made, "all weights");
	for (size_t i = 0; i < t->checkpoint->report.missing_head.count && !all; i++)
		attend_buffer_printf(&made, "%s%s", i ? ", " : "", t->checkpoint->report.missing_head.items[i]);
	ATTEND_TRY(attend_buffer_status(&made));
	t->new_tensors = made.data;
	p->new_tensors = made.data;
	return describe_lengths(t);
}

/* A checkpoint may be rotated away while the run that it began still saves: the files that are copied come from the model. */
static attend_status copy_from(attend_trainer *t, const char *model_dir)
{
	char *dir = strdup(model_dir);
	if (!dir) return attend_fail_memory(strlen(model_dir), "checkpoint");
	free(t->checkpoint->dir);
	t->checkpoint->dir = dir;
	return ATTEND_OK;
}

static attend_status read_labelled(attend_trainer *t, const char *model_dir)
{
	ATTEND_TRY(open_train(t, model_dir));
	ATTEND_TRY(open_validation(t));
	ATTEND_TRY(split(t));
	ATTEND_TRY(load_model(t, model_dir));
	return encode(t);
}

static attend_status read_text(attend_trainer *t, const char *model_dir)
{
	ATTEND_TRY(load_model(t, model_dir));
	ATTEND_TRY(attend_text_task_read(t));
	return split(t);
}

/* Bytes of this process in memory now; 0 where the system does not tell. */
static size_t resident_bytes(void)
{
	char *text = NULL;
	size_t size, pages = 0;
	if (attend_file_read(&text, &size, "/proc/self/statm", 4096) != ATTEND_OK) return 0;
	if (sscanf(text, "%*u %zu", &pages) != 1) pages = 0;
	free(text);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static bool nothing(const attend_param *param, void *payload)
{
	(void)param;
	(void)payload;
	return false;
}

/* Weights of the trainer's own instead of views into the file; what learns among them gets its gradients in
 * attend_trainer_prepare. */
static attend_status own_weights(attend_trainer *t)
{
	attend_weights_release(t->checkpoint->weights); /* what binding has looked at is counted as weights */
	t->data_bytes = resident_bytes();
	ATTEND_TRY(attend_network_make_trainable(t->network, nothing, NULL));
	attend_weights_release(t->checkpoint->weights);
	return ATTEND_OK;
}

static attend_status set_up(attend_trainer *t)
{
	char *model_dir = NULL, *resumed = NULL;
	ATTEND_TRY(attend_recipe_check(t->recipe));
	if (t->writes && !*t->recipe->output_dir) return attend_fail(ATTEND_ERR_ARG, "no output folder (output_dir)");
	if (t->recipe->resume) ATTEND_TRY(attend_trainer_find_checkpoint(&resumed, t->recipe->output_dir, &t->state.step));
	attend_status status = t->writes ? attend_trainer_check_output(t) : ATTEND_OK;
	if (status == ATTEND_OK) status = attend_checkpoint_locate(&model_dir, t->recipe->model_name_or_path);
	const char *from = resumed ? resumed : model_dir;
	t->text_task = attend_text_task_find(t->recipe->task, t->recipe->sentence_pairs);
	if (status == ATTEND_OK) status = t->text_task ? read_text(t, from) : read_labelled(t, from);
	if (status == ATTEND_OK && resumed) status = copy_from(t, model_dir);
	if (status == ATTEND_OK) status = count_labels(t);
	if (status == ATTEND_OK) status = read_class_weights(t);
	if (status == ATTEND_OK) status = spread_windows(t);
	if (status == ATTEND_OK) status = plan_steps(t);
	if (status == ATTEND_OK) status = plan_batch(t);
	if (status == ATTEND_OK) status = own_weights(t);
	if (status == ATTEND_OK)
		status = attend_optimizer_new(&t->optimizer, t->network, &t->optimizer_options, &t->grouping);
	if (status == ATTEND_OK && resumed) status = attend_trainer_resume(t, resumed);
	if (status == ATTEND_OK) status = describe(t);
	if (status == ATTEND_OK) status = attend_trainer_prepare(t);
	if (status == ATTEND_OK && t->writes) status = attend_trainer_check_disk(t);
	free(model_dir);
	free(resumed);
	return status;
}

attend_status attend_trainer_make(attend_trainer **out, const attend_recipe *recipe, const attend_train_hooks *hooks,
                                  bool writes)
{
	attend_trainer *t = calloc(1, sizeof *t);
	if (!t) return attend_fail_memory(sizeof *t, "trainer");
	if (hooks) t->hooks = *hooks;
	t->writes = writes;
	t->state.best_metric = NAN;
	attend_status status = attend_recipe_copy(&t->recipe, recipe);
	if (status == ATTEND_OK) status = set_up(t);
	if (status != ATTEND_OK) {
		attend_trainer_free(t);
		return status;
	}
	*out = t;
	return ATTEND_OK;
}

attend_status attend_trainer_new(attend_trainer **out, const attend_recipe *recipe, const attend_train_hooks *hooks)
{
	if (!out || !recipe) return attend_fail(ATTEND_ERR_ARG, "attend_trainer_new: a NULL argument");
	return attend_trainer_make(out, recipe, hooks, true);
}

void attend_trainer_free(attend_trainer *trainer)
{
	attend_trainer *t = trainer;
	if (!t) return;
	attend_session_free(t->session);
	attend_optimizer_free(t->optimizer);
	attend_checkpoint_free(t->checkpoint);
	attend_tokenizer_free(t->tokenizer);
	attend_examples_free(&t->train_examples);
	attend_examples_free(&t->validation_examples);
	attend_dataset_free(t->train);
	attend_dataset_free(t->validation);
	attend_recipe_free(t->recipe);
	attend_example_batch_free(&t->batch);
	for (int i = 0; i < 2; i++) attend_features_free(&t->features[i]);
	attend_buffer_free(&t->events);
	void *const owned[] = {t->pair_labels, t->members,   t->held,       t->class_weights, t->labels,
	                       t->values,      t->logits,    t->order,      t->ends,          t->label_examples,
	                       t->new_tensors, t->state.log, t->epoch_ends, t->events_path};
	for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) free(owned[i]);
	free(t);
}

const attend_train_plan *attend_trainer_plan(const attend_trainer *trainer)
{
	return &trainer->plan;
}

void attend_trainer_stop(attend_trainer *trainer)
{
	atomic_store(&trainer->stop, 1);
}
