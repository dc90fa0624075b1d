/* test_train_numbers.c: schedules, optimisers, clipping and metrics against torch, transformers, scikit-learn and scipy
 * (tests/golden/training: schedules 1e-9, metrics 1e-9, optimisers 1e-5 relative + 1e-6: float32 against float64). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/train/metrics.h"
#include "lib/train/optimizer.h"

#define GOLDEN(name) ATTEND_SOURCE_DIR "/tests/golden/training/" name

static attend_json *load(const char *path)
{
	attend_json *document = NULL;
	if (attend_json_read(&document, path) != ATTEND_OK) fail_msg("%s", attend_error());
	return document;
}

static double number(const attend_json *value)
{
	double x = NAN;
	if (value && attend_json_type(value) != ATTEND_JSON_NULL)
		assert_int_equal(attend_json_as_double(&x, value), ATTEND_OK);
	return x;
}

static double member(const attend_json *object, const char *key)
{
	return number(attend_json_get(object, key));
}

static void close_to(double found, double expected, double relative, double absolute, const char *what, size_t i)
{
	if (isnan(expected) ? isnan(found) : fabs(found - expected) <= relative * fabs(expected) + absolute) return;
	fail_msg("%s [%zu]: expected %.12g, found %.12g", what, i, expected, found);
}

static void test_schedules(void **state)
{
	(void)state;
	attend_json *document = load(GOLDEN("schedules.json"));
	size_t cases = 0;
	for (const attend_json *c = attend_json_first(attend_json_get(document, "schedules")); c;
	     c = attend_json_next(c), cases++) {
		const attend_json *scheduler = attend_json_get(c, "scheduler");
		attend_schedule schedule;
		if (attend_schedule_read(&schedule, scheduler) != ATTEND_OK) fail_msg("%s", attend_error());
		assert_int_equal(attend_schedule_check(&schedule), ATTEND_OK);
		const double lr = attend_json_get(scheduler, "lr") ? member(scheduler, "lr") : 1e-3;
		uint64_t k = 0;
		for (const attend_json *v = attend_json_first(attend_json_get(c, "lr")); v; v = attend_json_next(v), k++)
			close_to(attend_schedule_lr(&schedule, lr, k), number(v), 1e-9, 1e-15,
			         attend_schedule_kind_name(schedule.kind), k);
		k = 0;
		for (const attend_json *v = attend_json_first(attend_json_get(c, "momentum")); v; v = attend_json_next(v), k++)
			close_to(attend_schedule_momentum(&schedule, 0.9, k), number(v), 1e-9, 0, "momentum", k);
	}
	assert_int_equal(cases, 32);
	attend_json_free(document);
}

/* Numbers of nested lists, in order. */
static size_t flatten(float *out, const attend_json *value)
{
	if (attend_json_type(value) == ATTEND_JSON_NUMBER) {
		*out = (float)number(value);
		return 1;
	}
	size_t n = 0;
	for (const attend_json *v = attend_json_first(value); v; v = attend_json_next(v)) n += flatten(out + n, v);
	return n;
}

static void check_optimizer(const attend_json *c)
{
	enum { MAX = 64 };
	float values[MAX], grad[MAX], expected[MAX];
	const attend_json *hyper = attend_json_get(c, "hyper");
	const char *name = "?";
	attend_json_get_string(&name, c, "optimizer");
	attend_optimizer_options o;
	attend_optimizer_kind kind;
	assert_int_equal(attend_optimizer_kind_parse(&kind, name), ATTEND_OK);
	attend_optimizer_defaults(&o, kind);
	attend_json_get_double(&o.beta1, hyper, "beta1");
	attend_json_get_double(&o.beta2, hyper, "beta2");
	attend_json_get_double(&o.epsilon, hyper, "epsilon");
	attend_json_get_double(&o.momentum, hyper, "momentum");
	attend_json_get_bool(&o.nesterov, hyper, "nesterov");
	attend_json_get_double(&o.clip_threshold, hyper, "clip_threshold");
	attend_json_get_bool(&o.scale_parameter, hyper, "scale_parameter");
	attend_json_get_bool(&o.relative_step, hyper, "relative_step");
	attend_json_get_bool(&o.warmup_init, hyper, "warmup_init");
	o.max_grad_norm = 0;
	attend_grouping grouping = {.rule = ATTEND_GROUPS_SINGLE};
	attend_json_get_double(&grouping.lr, hyper, "lr");
	attend_json_get_double(&grouping.weight_decay, hyper, "weight_decay");

	char weight[] = "weight";
	attend_param param = {.name = weight, .stack = -1, .block = -1, .values = values, .grad = grad};
	for (const attend_json *d = attend_json_first(attend_json_get(c, "shape")); d; d = attend_json_next(d))
		param.stored.shape[param.stored.rank++] = (size_t)number(d);
	param.count = flatten(values, attend_json_get(c, "p"));
	attend_network network = {.params = &param, .param_count = 1};
	attend_optimizer *optimizer = NULL;
	assert_int_equal(attend_optimizer_new(&optimizer, &network, &o, &grouping), ATTEND_OK);
	attend_schedule schedule;
	attend_schedule_init(&schedule, ATTEND_SCHEDULE_CONSTANT);
	const attend_json *after = attend_json_first(attend_json_get(c, "after"));
	uint64_t k = 0;
	for (const attend_json *g = attend_json_first(attend_json_get(c, "g")); g;
	     g = attend_json_next(g), after = attend_json_next(after), k++) {
		attend_step_report report;
		assert_int_equal(flatten(grad, g), param.count);
		assert_int_equal(attend_optimizer_step(optimizer, &schedule, k, &report), ATTEND_OK);
		assert_int_equal(flatten(expected, after), param.count);
		for (size_t i = 0; i < param.count; i++)
			close_to((double)values[i], (double)expected[i], 1e-5, 1e-6, name, k * 100 + i);
	}
	assert_int_equal(k, 5);
	attend_optimizer_free(optimizer);
}

static void test_optimizers(void **state)
{
	(void)state;
	attend_json *document = load(GOLDEN("optimizers.json"));
	size_t cases = 0;
	for (const attend_json *c = attend_json_first(attend_json_get(document, "optimizers")); c;
	     c = attend_json_next(c), cases++)
		check_optimizer(c);
	assert_int_equal(cases, 18);
	attend_json_free(document);
}

static void check_class(const attend_class_metrics *found, const attend_json *expected, const char *what)
{
	close_to(found->precision, member(expected, "precision"), 0, 1e-9, what, 0);
	close_to(found->recall, member(expected, "recall"), 0, 1e-9, what, 1);
	close_to(found->f1, member(expected, "f1"), 0, 1e-9, what, 2);
}

static void check_classification(const attend_json *c)
{
	enum { MAX = 4096 };
	static int32_t labels[MAX], predictions[MAX];
	static float row[MAX];
	uint64_t confusion[64 * 64] = {0};
	attend_class_metrics per_class[64];
	const size_t count = flatten(row, attend_json_get(c, "labels")), classes = (size_t)member(c, "classes");
	for (size_t i = 0; i < count; i++) labels[i] = (int32_t)row[i];
	assert_int_equal(flatten(row, attend_json_get(c, "predictions")), count);
	for (size_t i = 0; i < count; i++) predictions[i] = (int32_t)row[i];
	attend_confusion_add(confusion, classes, labels, predictions, count);
	const size_t cells = flatten(row, attend_json_get(c, "confusion"));
	assert_int_equal(cells, classes * classes);
	for (size_t i = 0; i < cells; i++) assert_int_equal(confusion[i], (uint64_t)row[i]);
	attend_classification_metrics m;
	attend_classification_measure(&m, per_class, confusion, classes);
	close_to(m.accuracy, member(c, "accuracy"), 0, 1e-9, "accuracy", 0);
	close_to(m.matthews, member(c, "matthews"), 0, 1e-9, "matthews", 0);
	check_class(&m.macro, attend_json_get(c, "macro"), "macro");
	check_class(&m.micro, attend_json_get(c, "micro"), "micro");
	check_class(&m.weighted, attend_json_get(c, "weighted"), "weighted");
	const attend_json *f1 = attend_json_first(attend_json_get(attend_json_get(c, "per_class"), "f1"));
	for (size_t i = 0; i < classes; i++, f1 = attend_json_next(f1))
		close_to(per_class[i].f1, number(f1), 0, 1e-9, "f1", i);
}

static void test_metrics(void **state)
{
	(void)state;
	attend_json *document = load(GOLDEN("metrics.json"));
	for (const attend_json *c = attend_json_first(attend_json_get(document, "classification")); c;
	     c = attend_json_next(c))
		check_classification(c);
	size_t cases = 0;
	for (const attend_json *c = attend_json_first(attend_json_get(document, "regression")); c;
	     c = attend_json_next(c), cases++) {
		static double labels[4096], predictions[4096];
		size_t n = 0, m = 0;
		for (const attend_json *v = attend_json_first(attend_json_get(c, "labels")); v; v = attend_json_next(v))
			labels[n++] = number(v);
		for (const attend_json *v = attend_json_first(attend_json_get(c, "predictions")); v; v = attend_json_next(v))
			predictions[m++] = number(v);
		assert_int_equal(n, m);
		attend_regression_metrics r;
		assert_int_equal(attend_regression_measure(&r, labels, predictions, n), ATTEND_OK);
		close_to(r.pearson, member(c, "pearson"), 0, 1e-9, "pearson", cases);
		close_to(r.spearman, member(c, "spearman"), 0, 1e-9, "spearman", cases);
		close_to(r.mse, member(c, "mse"), 0, 1e-9, "mse", cases);
		close_to(r.mae, member(c, "mae"), 0, 1e-9, "mae", cases);
	}
	assert_true(cases >= 1);
	attend_json_free(document);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_schedules),
		cmocka_unit_test(test_optimizers),
		cmocka_unit_test(test_metrics),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
