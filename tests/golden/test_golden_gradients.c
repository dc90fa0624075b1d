/* test_golden_gradients.c: loss and gradients of every case of tests/golden/gradients, and of ../shared/training/gradients when
 * that is there, against the reference's: per tensor, max |difference| <= relative * max |expected| + absolute, with the numbers
 * of the case's expected.json (20 times the reference's own float32 error). Buffers and frozen tensors must have none.
 *
 * ctest-timeout: 600 */
#include <dirent.h>
#include <math.h>
#include <unistd.h>

#include "lib/attend.h"
#include "lib/core/file.h"
#include "lib/core/json.h"
#include "loaders/safetensors.h"
#include "tests/support/check.h"

typedef struct tolerance {
	double relative, absolute;
} tolerance;

static double element(const attend_tensor *t, size_t i)
{
	float x;
	attend_to_f32(&x, (const unsigned char *)t->data + i * (attend_dtype_bits(t->dtype) / 8), t->dtype, 1);
	return (double)x;
}

/* One tensor; false and the reason on stderr. */
static bool same(const char *dir, const char *name, const attend_tensor *want, const attend_tensor *got,
                 tolerance allowed)
{
	size_t n, m;
	double largest = 0.0, worst = 0.0;
	if (!attend_tensor_numel(&n, want) || !attend_tensor_numel(&m, got) || n != m) {
		fprintf(stderr, "%s: %s: another shape\n", dir, name);
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		const double difference = fabs(element(want, i) - element(got, i));
		largest = fmax(largest, fabs(element(want, i)));
		worst = difference <= worst ? worst : difference; /* a NaN wins */
	}
	if (worst <= allowed.relative * largest + allowed.absolute) return true;
	fprintf(stderr, "%s: %s: off by %.3g, largest value %.3g\n", dir, name, worst, largest);
	return false;
}

/* Tensors that must have no gradient. */
static bool none(const char *dir, const attend_json *list, const attend_safetensors *got)
{
	bool passed = true;
	for (const attend_json *at = attend_json_first(list); at != NULL; at = attend_json_next(at)) {
		const char *text;
		char name[512];
		size_t i, n;
		assert_ok(attend_json_as_string(&text, NULL, at));
		snprintf(name, sizeof name, "grad.%s", text);
		if (!attend_safetensors_find(&i, got, name)) continue;
		const attend_tensor *t = attend_safetensors_tensor(got, i);
		assert_true(attend_tensor_numel(&n, t));
		for (size_t k = 0; k < n; k++) {
			if (element(t, k) == 0.0) continue;
			fprintf(stderr, "%s: %s[%zu] is %g, but it has no gradient\n", dir, name, k, element(t, k));
			passed = false;
			break;
		}
	}
	return passed;
}

static bool compare(const char *dir, const attend_json *rules, const char *expected, const char *found)
{
	attend_safetensors *want, *got;
	tolerance loss = {0}, grad = {0};
	const attend_json *t = attend_json_get(rules, "tolerance");
	assert_ok(attend_json_get_double(&loss.absolute, attend_json_get(t, "loss"), "absolute"));
	assert_ok(attend_json_get_double(&grad.absolute, attend_json_get(t, "grad"), "absolute"));
	assert_ok(attend_json_get_double(&grad.relative, attend_json_get(t, "grad"), "relative"));
	assert_true(grad.relative > 0.0 && grad.relative < 1e-3);
	assert_ok(attend_safetensors_open(&want, expected));
	assert_ok(attend_safetensors_open(&got, found));
	size_t compared = 0;
	bool passed = none(dir, attend_json_get(rules, "no_gradient"), got);
	passed &= none(dir, attend_json_get(rules, "frozen"), got);
	for (size_t i = 0; i < attend_safetensors_count(want); i++) {
		const char *name = attend_safetensors_name(want, i);
		const bool gradient = strncmp(name, "grad.", 5) == 0;
		size_t at;
		if (!gradient && strcmp(name, "loss") != 0) continue;
		compared++;
		if (!attend_safetensors_find(&at, got, name)) {
			fprintf(stderr, "%s: %s is missing\n", dir, name);
			passed = false;
			continue;
		}
		passed &= same(dir, name, attend_safetensors_tensor(want, i), attend_safetensors_tensor(got, at),
		               gradient ? grad : loss);
	}
	assert_true(compared > 3);
	attend_safetensors_free(want);
	attend_safetensors_free(got);
	return passed;
}

static bool run_case(const char *dir, const char *out)
{
	char in[700], expected[700], rules[700];
	attend_json *json;
	snprintf(in, sizeof in, "%s/inputs.safetensors", dir);
	snprintf(expected, sizeof expected, "%s/expected.safetensors", dir);
	snprintf(rules, sizeof rules, "%s/expected.json", dir);
	assert_ok(attend_json_read(&json, rules));
	const attend_forward_options options = {.gradients = true};
	bool passed = false;
	if (attend_forward_file(dir, in, out, &options) != ATTEND_OK) fprintf(stderr, "%s: %s\n", dir, attend_error());
	else passed = compare(dir, json, expected, out);
	attend_json_free(json);
	return passed;
}

static size_t run_root(const char *root)
{
	char out[] = "/tmp/attend_gradients_XXXXXX";
	const int fd = mkstemp(out);
	assert_true(fd >= 0);
	close(fd);
	size_t ran = 0, failed = 0;
	DIR *d = opendir(root);
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		char dir[600];
		snprintf(dir, sizeof dir, "%s/%s", root, e->d_name);
		if (e->d_name[0] == '.' || !attend_folder_exists(dir)) continue;
		ran++;
		failed += !run_case(dir, out);
	}
	closedir(d);
	unlink(out);
	if (failed > 0) fail_msg("%zu of %zu cases of %s differ", failed, ran, root);
	return ran;
}

static void test_own(void **state)
{
	(void)state;
	assert_true(run_root("tests/golden/gradients") >= 7);
}

static void test_shared(void **state)
{
	(void)state;
	if (!attend_folder_exists("../shared/training/gradients")) skip();
	assert_true(run_root("../shared/training/gradients") >= 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_own), cmocka_unit_test(test_shared)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
