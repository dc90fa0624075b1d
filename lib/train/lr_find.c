/* lr_find.c: the learning rate range test: L. N. Smith, "Cyclical Learning Rates for Training Neural Networks"
 * (arXiv:1506.01186), section 3.3, with the exponential sweep, the smoothing and the stop of fastai's lr_find. */
#include "lib/train/lr_find.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/core/arena.h"
#include "lib/core/file.h"
#include "lib/train/svg.h"
#include "lib/train/trainer.h"

static const double decay = 0.98, too_much = 4;

void attend_lr_sweep_judge(attend_lr_sweep *sweep)
{
	attend_lr_sweep *s = sweep;
	const size_t skip = s->count / 10;
	size_t lowest = skip;
	double slope = 0;
	s->steepest = s->minimum = s->suggestion = NAN;
	for (size_t i = skip; i < s->count; i++)
		if (s->smoothed[i] < s->smoothed[lowest]) lowest = i;
	for (size_t i = skip + 1; i <= lowest && lowest < s->count; i++) {
		const double fall = (s->smoothed[i] - s->smoothed[i - 1]) / log10(s->rates[i] / s->rates[i - 1]);
		if (fall >= slope) continue;
		slope = fall;
		s->steepest = s->rates[i];
	}
	if (isnan(s->steepest)) return;
	s->minimum = s->rates[lowest];
	s->suggestion = fmin(s->steepest, s->minimum / 10);
}

/* The run's recipe, with the sweep's steps and rates. */
static attend_status sweep_recipe(attend_recipe **out, const attend_recipe *recipe, const attend_lr_find_options *o)
{
	static const char *const fixed[][2] = {{"validation_file", ""},
	                                       {"validation_split", "0"},
	                                       {"resume", "false"},
	                                       {"load_best_model_at_end", "false"},
	                                       {"early_stopping_patience", "0"},
	                                       {"gradual_unfreeze", "false"},
	                                       {"warmup_ratio", "0"},
	                                       {"warmup_steps", "0"},
	                                       {"on_nan", "skip"},
	                                       {"lr_scheduler_type", "exponential"}};
	char gamma[64], first[64], steps[64];
	attend_recipe *r = NULL;
	snprintf(gamma, sizeof gamma, "{\"gamma\": %.17g}", pow(o->last / o->first, 1 / (double)(o->steps - 1)));
	snprintf(first, sizeof first, "%.17g", o->first);
	snprintf(steps, sizeof steps, "%zu", o->steps);
	ATTEND_TRY(attend_recipe_copy(&r, recipe));
	attend_status status = ATTEND_OK;
	for (size_t i = 0; i < sizeof fixed / sizeof *fixed && status == ATTEND_OK; i++)
		status = attend_recipe_set(r, fixed[i][0], fixed[i][1]);
	if (status == ATTEND_OK) status = attend_recipe_set(r, "lr_scheduler_kwargs", gamma);
	if (status == ATTEND_OK) status = attend_recipe_set(r, "learning_rate", first);
	if (status == ATTEND_OK) status = attend_recipe_set(r, "max_steps", steps);
	if (status == ATTEND_OK) *out = r;
	else attend_recipe_free(r);
	return status;
}

static attend_status run_sweep(attend_lr_sweep *s, attend_trainer *t, const attend_lr_find_options *o,
                               const attend_train_hooks *hooks)
{
	double average = 0, best = INFINITY;
	bool done = false;
	while (!done && !s->diverged) {
		attend_train_progress p;
		ATTEND_TRY(attend_trainer_step(t, &p, &done));
		if (hooks && hooks->step) hooks->step(hooks->payload, &p);
		s->diverged = !isfinite(p.loss) || !isfinite(p.grad_norm);
		if (!isfinite(p.loss)) break;
		const size_t i = s->count++;
		average = decay * average + (1 - decay) * p.loss;
		s->rates[i] = o->first * pow(o->last / o->first, (double)i / (double)(o->steps - 1));
		s->losses[i] = p.loss;
		s->smoothed[i] = average / (1 - pow(decay, (double)(i + 1)));
		best = fmin(best, s->smoothed[i]);
		s->diverged |= s->smoothed[i] > too_much * best;
	}
	attend_lr_sweep_judge(s);
	return ATTEND_OK;
}

attend_status attend_lr_find(attend_lr_sweep *out, const attend_recipe *recipe, const attend_lr_find_options *options,
                             const attend_train_hooks *hooks)
{
	if (!out || !recipe || !options) return attend_fail(ATTEND_ERR_ARG, "attend_lr_find: a NULL argument");
	if (!(options->first > 0) || !(options->last > options->first) || !(options->last <= 1000))
		return attend_fail(ATTEND_ERR_ARG, "learning rates: expected 0 < first < last <= 1000, found %g and %g",
		                   options->first, options->last);
	if (options->steps < 10 || options->steps > 1000000)
		return attend_fail(ATTEND_ERR_ARG, "steps: expected 10 to 1000000, found %zu", options->steps);
	*out = (attend_lr_sweep){.rates = attend_alloc_array(options->steps, sizeof(double)),
	                         .losses = attend_alloc_array(options->steps, sizeof(double)),
	                         .smoothed = attend_alloc_array(options->steps, sizeof(double))};
	attend_recipe *own = NULL;
	attend_trainer *trainer = NULL;
	attend_status status = out->rates && out->losses && out->smoothed
	                           ? ATTEND_OK
	                           : attend_fail_memory(options->steps * sizeof(double), "learning rates");
	if (status == ATTEND_OK) status = sweep_recipe(&own, recipe, options);
	if (status == ATTEND_OK) status = attend_trainer_make(&trainer, own, NULL, false);
	if (status == ATTEND_OK) status = run_sweep(out, trainer, options, hooks);
	attend_trainer_free(trainer);
	attend_recipe_free(own);
	if (status != ATTEND_OK) attend_lr_sweep_free(out);
	return status;
}

void attend_lr_sweep_free(attend_lr_sweep *sweep)
{
	free(sweep->rates);
	free(sweep->losses);
	free(sweep->smoothed);
	*sweep = (attend_lr_sweep){0};
}

static attend_status write_and_free(const char *path, attend_buffer *text)
{
	attend_status status = attend_buffer_status(text);
	if (status == ATTEND_OK) status = attend_file_write(path, text->data, text->size);
	attend_buffer_free(text);
	return status;
}

attend_status attend_lr_sweep_write_csv(const attend_lr_sweep *sweep, const char *path)
{
	attend_buffer text = {0};
	attend_buffer_text(&text, "learning_rate,loss,smoothed_loss\n");
	for (size_t i = 0; i < sweep->count; i++)
		attend_buffer_printf(&text, "%.9g,%.9g,%.9g\n", sweep->rates[i], sweep->losses[i], sweep->smoothed[i]);
	return write_and_free(path, &text);
}

attend_status attend_lr_sweep_write_svg(const attend_lr_sweep *sweep, const char *path)
{
	const attend_lr_sweep *s = sweep;
	const double at[2] = {s->suggestion, s->suggestion};
	double range[2] = {INFINITY, -INFINITY};
	for (size_t i = 0; i < s->count; i++) {
		range[0] = fmin(range[0], s->smoothed[i]);
		range[1] = fmax(range[1], s->smoothed[i]);
	}
	/* The slope is what is looked for: a loss that diverges would press it flat. */
	const double top = s->count ? 1.5 * s->smoothed[0] : 0;
	if (top > range[0]) range[1] = fmin(range[1], top);
	char name[64];
	snprintf(name, sizeof name, "suggestion %.2g", s->suggestion);
	const attend_curve curves[3] = {{"smoothed loss", s->rates, s->smoothed, s->count},
	                                {"loss", s->rates, s->losses, s->count},
	                                {name, at, range, 2}};
	attend_buffer text = {0};
	attend_curves_svg(&text, curves, isnan(s->suggestion) ? 2 : 3,
	                  &(attend_plot){.title = "Learning rate range test",
	                                 .x_name = "learning rate",
	                                 .y_name = "loss (higher ones at the upper edge)",
	                                 .log_x = true,
	                                 .y_top = top});
	return write_and_free(path, &text);
}
