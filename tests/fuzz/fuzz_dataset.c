/* fuzz_dataset.c: any bytes as a labelled file. The first byte says how it is read; what is taken must hold what its header promises:
 * texts and labels that end where they say, ids that are there, a split that leaves every label something. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/train/dataset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char path[] = "/tmp/attend-fuzz-XXXXXX";

static void clean(void)
{
	unlink(path);
}

static void check(bool holds)
{
	if (!holds) abort();
}

static void check_dataset(const attend_dataset *d)
{
	check(d->count > 0 && d->columns);
	for (size_t i = 0; i < d->count; i++) {
		const attend_example *e = &d->examples[i];
		check(e->text_size > 0 && strlen(e->text) == e->text_size);
		check(!e->pair || strlen(e->pair) == e->pair_size);
		check(e->line > 0 && (i == 0 || e->line > d->examples[i - 1].line));
		if (d->kind == ATTEND_LABELS_SINGLE) check(e->label >= 0 && (size_t)e->label < d->label_count);
		for (size_t j = 0; j < e->label_count; j++)
			check(e->labels[j] >= 0 && (size_t)e->labels[j] < d->label_count &&
			      (j == 0 || e->labels[j] > e->labels[j - 1]));
	}
	for (size_t i = 0; i < d->label_count; i++)
		check(attend_dataset_label(d, d->label_names[i], strlen(d->label_names[i])) == (int32_t)i);
	uint8_t *held = malloc(d->count);
	check(held != NULL);
	check(attend_dataset_split(d, 0.5, 7, held) < d->count);
	free(held);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const encodings[] = {NULL, "utf-8", "utf-16", "utf-16be", "latin-1", "windows-1252", NULL, NULL};
	static bool made;
	if (size == 0) return 0;
	if (!made) {
		const int fd = mkstemp(path);
		check(fd >= 0 && close(fd) == 0);
		atexit(clean);
		made = true;
	}
	FILE *const file = fopen(path, "wb");
	check(file && fwrite(data + 1, 1, size - 1, file) == size - 1);
	check(fclose(file) == 0);
	const unsigned how = data[0];
	const attend_dataset_options options = {.format = (attend_data_format)(how % 7),
	                                        .encoding = encodings[how / 7 % 8],
	                                        .labels = (attend_label_kind)((how ^ how >> 3) % 5),
	                                        .skip_bad = how % 2 == 0};
	attend_dataset *d = NULL;
	if (attend_dataset_open(&d, path, &options) != ATTEND_OK) {
		check(attend_error()[0] != 0);
		return 0;
	}
	check_dataset(d);
	attend_dataset_free(d);
	return 0;
}
