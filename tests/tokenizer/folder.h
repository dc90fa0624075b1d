/* folder.h: checkpoint folders for tests of the loaders, in a temporary place. */
#ifndef ATTEND_TESTS_FOLDER_H
#define ATTEND_TESTS_FOLDER_H

#include "tests/support/check.h"

#include <dirent.h>
#include <unistd.h>

#include "lib/core/buffer.h"
#include "tokenizer/attend_tokenizer.h"

typedef struct test_folder {
	char path[64];
} test_folder;

static inline test_folder folder_new(void)
{
	test_folder folder = {"/tmp/attend-tokenizer-XXXXXX"};
	assert_non_null(mkdtemp(folder.path));
	return folder;
}

static inline void folder_put_bytes(const test_folder *folder, const char *name, const void *bytes, size_t size)
{
	char path[512];
	snprintf(path, sizeof path, "%s/%s", folder->path, name);
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

static inline void folder_put(const test_folder *folder, const char *name, const char *text)
{
	folder_put_bytes(folder, name, text, strlen(text));
}

static inline void folder_drop(const test_folder *folder, const char *name)
{
	char path[512];
	snprintf(path, sizeof path, "%s/%s", folder->path, name);
	unlink(path);
}

static inline void folder_remove(const test_folder *folder)
{
	DIR *dir = opendir(folder->path);
	assert_non_null(dir);
	for (const struct dirent *entry; (entry = readdir(dir));)
		if (entry->d_name[0] != '.') folder_drop(folder, entry->d_name);
	closedir(dir);
	rmdir(folder->path);
}

static inline attend_tokenizer *folder_load(const test_folder *folder)
{
	attend_tokenizer *tokenizer = NULL;
	assert_ok(attend_tokenizer_load(&tokenizer, folder->path));
	return tokenizer;
}

/* The folder does not load; the message names the place. */
static inline void folder_fails(const test_folder *folder, attend_status status, const char *part)
{
	attend_tokenizer *tokenizer = NULL;
	assert_fails(status, part, attend_tokenizer_load(&tokenizer, folder->path));
	assert_null(tokenizer);
}

/* Tokens of a text, or pair when `pair` is not NULL, as "tok(id) tok(id)". A mask that swallowed a space shows it. */
static inline void folder_gives(const attend_tokenizer *tokenizer, const char *text, const char *pair,
                                const char *expected)
{
	attend_encoding encoding;
	const attend_encode_options options = {.fields = ATTEND_ENCODE_TOKENS};
	if (pair)
		assert_ok(attend_tokenizer_encode_pair(&encoding, tokenizer, text, strlen(text), pair, strlen(pair), &options));
	else assert_ok(attend_tokenizer_encode(&encoding, tokenizer, text, strlen(text), &options));
	attend_buffer out = {0};
	attend_buffer_text(&out, "");
	for (size_t i = 0; i < encoding.count; i++)
		attend_buffer_printf(&out, "%s%.*s(%d)", i ? " " : "", (int)encoding.token_sizes[i], encoding.tokens[i],
		                     encoding.ids[i]);
	assert_string_equal(out.data, expected);
	attend_buffer_free(&out);
	attend_encoding_free(&encoding);
}

#endif
