/* replay.c: runs a libFuzzer target without libFuzzer: on every file of the folders given, and on mutations of each: cut at
 * some length, a byte changed, a piece repeated or removed. Deterministic, so that what ctest finds can be found again.
 *
 *     fuzz_json [--mutations N] FOLDER|FILE...
 */
#include "lib/core/file.h"
#include "lib/core/rng.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An exact block of its own, so that a sanitizer sees a read past the end. */
static void run(const uint8_t *data, size_t size)
{
	uint8_t *const copy = malloc(size ? size : 1);
	if (!copy) exit(1);
	if (size) memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static size_t mutate(uint8_t *out, const uint8_t *data, size_t size, attend_rng *rng)
{
	memcpy(out, data, size);
	if (size == 0) return 0;
	const size_t at = attend_rng_below(rng, size), length = attend_rng_below(rng, size - at < 64 ? size - at : 64) + 1;
	static const uint8_t interesting[] = {0, 1, 0x7f, 0x80, 0xff, '"', '{', '[', '9', '-', '\\'};
	switch (attend_rng_below(rng, 6)) {
	case 0: return at; /* cut short */
	case 1: out[at] = (uint8_t)attend_rng_u32(rng); return size;
	case 2: out[at] = interesting[attend_rng_below(rng, sizeof interesting)]; return size;
	case 3: out[at] ^= (uint8_t)(1u << attend_rng_below(rng, 8)); return size;
	case 4: memmove(out + at, out + at + length, size - at - length); return size - length;
	default: /* repeat a piece */ memmove(out + at + length, out + at, size - at); return size + length;
	}
}

static int replay_file(const char *path, size_t mutations)
{
	char *text;
	size_t size;
	if (attend_file_read(&text, &size, path, 0) != ATTEND_OK) {
		fprintf(stderr, "%s\n", attend_error());
		return 1;
	}
	run((const uint8_t *)text, size);
	uint8_t *const changed = malloc(2 * size + 128), *const again = malloc(4 * size + 256);
	if (!changed || !again) exit(1);
	attend_rng rng = {1, size, 0};
	for (size_t i = 0; i < mutations; i++) {
		size_t now = mutate(changed, (const uint8_t *)text, size, &rng);
		run(changed, now);
		now = mutate(again, changed, now, &rng);
		run(again, now);
	}
	free(changed);
	free(again);
	free(text);
	return 0;
}

static int replay_folder(const char *path, size_t mutations)
{
	DIR *const folder = opendir(path);
	if (!folder) return replay_file(path, mutations);
	int status = 0, files = 0;
	for (const struct dirent *entry; (entry = readdir(folder));) {
		char *file;
		if (entry->d_name[0] == '.') continue;
		if (attend_path_join(&file, path, entry->d_name) != ATTEND_OK) exit(1);
		status |= replay_file(file, mutations);
		files++;
		free(file);
	}
	closedir(folder);
	if (files == 0) fprintf(stderr, "%s: no files\n", path);
	return status | (files == 0);
}

int main(int argc, char **argv)
{
	int first = 1, status = argc < 2;
	size_t mutations = 0;
	if (argc > 2 && strcmp(argv[1], "--mutations") == 0) {
		mutations = strtoul(argv[2], NULL, 10);
		first = 3;
	}
	for (int i = first; i < argc; i++) status |= replay_folder(argv[i], mutations);
	return status;
}
