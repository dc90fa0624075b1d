/* test_golden_forward.c: every case of tests/golden/checkpoints, and of ../shared/checkpoints when that is there, against the
 * reference's outputs: |difference| <= abs + rel |expected| on every element, with the tolerance that expected.json gives
 * (1e-4, 1e-5: another order of f32 sums and a fast exp, tanh, erf).
 *
 * ctest-timeout: 600 */
#include <dirent.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/attend.h"
#include "lib/core/file.h"
#include "lib/core/json.h"
#include "loaders/safetensors.h"
#include "tests/support/check.h"

typedef struct names {
	char *items[1024];
	size_t count;
} names;

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Folders in a folder, sorted; none when it is not there. */
static void folders(names *out, const char *dir)
{
	DIR *d = opendir(dir);
	out->count = 0;
	for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
		char path[1024];
		snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
		if (e->d_name[0] != '.' && attend_folder_exists(path) && out->count < 1024)
			out->items[out->count++] = strdup(e->d_name);
	}
	if (d != NULL) closedir(d);
	qsort(out->items, out->count, sizeof *out->items, by_text);
}

static void free_names(names *list)
{
	for (size_t i = 0; i < list->count; i++) free(list->items[i]);
}

/* Largest excess of one tensor over the tolerance, as text into `why`; false: differs. */
static bool same_tensor(char *why, size_t size, const char *name, const attend_tensor *expected,
                        const attend_tensor *found, double abs, double rel)
{
	size_t n = 0, m = 0;
	const bool scalar = expected->rank == 0; /* a loss may also be [1] */
	assert_true(attend_tensor_numel(&n, expected) && attend_tensor_numel(&m, found));
	if (n != m || (!scalar && (expected->rank != found->rank ||
	                           memcmp(expected->shape, found->shape, expected->rank * sizeof *expected->shape) != 0))) {
		char a[128], b[128];
		snprintf(why, size, "%s: expected %s, found %s", name, attend_tensor_describe(a, sizeof a, expected),
		         attend_tensor_describe(b, sizeof b, found));
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		float e, f;
		attend_to_f32(&e, (const unsigned char *)expected->data + i * 4, expected->dtype, 1);
		attend_to_f32(&f, (const unsigned char *)found->data + i * 4, found->dtype, 1);
		if (isnan(e) && isnan(f)) continue;
		if (fabs((double)e - (double)f) <= abs + rel * fabs((double)e)) continue;
		snprintf(why, size, "%s[%zu]: expected %.8g, found %.8g", name, i, (double)e, (double)f);
		return false;
	}
	return true;
}

static bool same_outputs(char *why, size_t size, const char *expected_path, const char *found_path, double abs,
                         double rel)
{
	attend_safetensors *expected, *found;
	bool same = true;
	assert_ok(attend_safetensors_open(&expected, expected_path));
	assert_ok(attend_safetensors_open(&found, found_path));
	assert_true(attend_safetensors_count(expected) > 0);
	for (size_t i = 0; i < attend_safetensors_count(expected) && same; i++) {
		const char *name = attend_safetensors_name(expected, i);
		size_t at;
		if (!attend_safetensors_find(&at, found, name)) {
			snprintf(why, size, "%s: no such output", name);
			same = false;
		} else
			same = same_tensor(why, size, name, attend_safetensors_tensor(expected, i),
			                   attend_safetensors_tensor(found, at), abs, rel);
	}
	attend_safetensors_free(expected);
	attend_safetensors_free(found);
	return same;
}

/* One case; false and the reason on stderr when it fails. */
static bool run_case(const char *model, const char *dir, const char *out)
{
	char in[1100], expected[1100], rules[1100], why[512] = "";
	attend_json *json;
	const char *head = NULL;
	double abs = 0, rel = 0;
	snprintf(in, sizeof in, "%s/inputs.safetensors", dir);
	snprintf(expected, sizeof expected, "%s/expected.safetensors", dir);
	snprintf(rules, sizeof rules, "%s/expected.json", dir);
	assert_ok(attend_json_read(&json, rules));
	assert_ok(attend_json_get_string(&head, json, "head_flag"));
	const attend_json *tolerance = attend_json_get(json, "tolerance");
	assert_ok(attend_json_get_double(&abs, tolerance, "abs"));
	assert_ok(attend_json_get_double(&rel, tolerance, "rel"));
	assert_true(abs > 0 && abs <= 1e-3 && rel <= 1e-4);
	const attend_forward_options options = {.head = head, .hidden_states = true, .attentions = true};
	unlink(out);
	bool passed = false;
	if (attend_forward_file(model, in, out, &options) != ATTEND_OK) snprintf(why, sizeof why, "%s", attend_error());
	else passed = same_outputs(why, sizeof why, expected, out, abs, rel);
	if (!passed) fprintf(stderr, "%s: %s\n", dir, why);
	attend_json_free(json);
	return passed;
}

/* All cases below `root`; returns how many ran. */
static size_t run_root(const char *root)
{
	char out[] = "/tmp/attend_golden_XXXXXX";
	const int fd = mkstemp(out);
	size_t ran = 0, failed = 0;
	names models;
	assert_true(fd >= 0);
	close(fd);
	folders(&models, root);
	for (size_t i = 0; i < models.count; i++) {
		char model[600], cases[620];
		names list;
		snprintf(model, sizeof model, "%s/%s", root, models.items[i]);
		snprintf(cases, sizeof cases, "%s/cases", model);
		folders(&list, cases);
		for (size_t k = 0; k < list.count; k++) {
			char dir[1000];
			snprintf(dir, sizeof dir, "%s/%s", cases, list.items[k]);
			ran++;
			failed += !run_case(model, dir, out);
		}
		free_names(&list);
	}
	free_names(&models);
	unlink(out);
	if (failed > 0) fail_msg("%zu of %zu cases of %s differ", failed, ran, root);
	return ran;
}

static void test_own(void **state)
{
	(void)state;
	assert_true(run_root("tests/golden/checkpoints") >= 28);
}

static void test_shared(void **state)
{
	(void)state;
	if (!attend_folder_exists("../shared/checkpoints")) skip();
	assert_true(run_root("../shared/checkpoints") >= 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_own), cmocka_unit_test(test_shared)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
