/* convert.c: a folder in another type, with all that belongs to it: written under another name, then renamed. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/attend.h"
#include "lib/core/buffer.h"
#include "lib/core/file.h"
#include "lib/core/json.h"
#include "loaders/checkpoint_files.h"
#include "loaders/checkpoint_store.h"

/* Files of a sentence-transformers folder that stand beside modules.json or in the Transformer's folder. */
static const char *const sentence_files[] = {"modules.json", "config_sentence_transformers.json",
                                             "sentence_bert_config.json", NULL};

/* ---- Folders -------------------------------------------------------------------------------------------------------------- */

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* What this file has made: files, and folders of them. */
static void remove_folder(const char *path)
{
	DIR *dir = opendir(path);
	if (dir == NULL) return;
	for (struct dirent *e; (e = readdir(dir)) != NULL;) {
		char *inner = NULL;
		if (is_dots(e->d_name)) continue;
		if (attend_path_join(&inner, path, e->d_name) == ATTEND_OK && unlink(inner) != 0) remove_folder(inner);
		free(inner);
	}
	closedir(dir);
	rmdir(path);
}

static attend_status check_out(const char *out)
{
	if (attend_file_exists(out))
		return attend_fail(ATTEND_ERR_ARG, "%s: a file stands where the new folder should be", out);
	DIR *dir = opendir(out);
	bool empty = true;
	for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) empty &= is_dots(e->d_name);
	if (dir != NULL) closedir(dir);
	return empty ? ATTEND_OK : attend_fail(ATTEND_ERR_ARG, "%s: the folder is not empty", out);
}

/* A path below the folder: no absolute one, nothing that climbs out. */
static bool stays_below(const char *path)
{
	if (*path == '/') return false;
	for (const char *p = path; *p != 0; p += strcspn(p, "/"), p += *p == '/')
		if (strcspn(p, "/") == 2 && strncmp(p, "..", 2) == 0) return false;
	return true;
}

/* Every folder on the way to dir/path. */
static attend_status make_path(const char *dir, const char *path)
{
	char *whole;
	ATTEND_TRY(attend_path_join(&whole, dir, path));
	attend_status status = ATTEND_OK;
	for (char *p = whole + strlen(dir) + 1; status == ATTEND_OK;) {
		p += strcspn(p, "/");
		const char end = *p;
		*p = 0;
		status = attend_folder_make(whole);
		*p = end;
		if (end == 0) break;
		p++;
	}
	free(whole);
	return status;
}

/* ---- sentence-transformers ------------------------------------------------------------------------------------------------ */

/* All files of a module's folder (Pooling, Dense), which are small. */
static attend_status copy_module(const char *from, const char *to, const char *path)
{
	char *source = NULL, *target = NULL;
	attend_status status = attend_path_join(&source, from, path);
	if (status == ATTEND_OK) status = make_path(to, path);
	if (status == ATTEND_OK) status = attend_path_join(&target, to, path);
	DIR *dir = status == ATTEND_OK ? opendir(source) : NULL;
	for (struct dirent *e; dir != NULL && status == ATTEND_OK && (e = readdir(dir)) != NULL;)
		if (!is_dots(e->d_name)) status = attend_copy_file(source, target, e->d_name);
	if (dir != NULL) closedir(dir);
	free(source);
	free(target);
	return status;
}

/* modules.json's folders; *inner: the Transformer's own ("" is the outer folder), malloc'ed. */
static attend_status copy_modules(char **inner, const char *from, const char *to)
{
	char *path;
	attend_json *list = NULL;
	*inner = NULL;
	ATTEND_TRY(attend_path_join(&path, from, "modules.json"));
	attend_status status = attend_file_exists(path) ? attend_json_read(&list, path) : ATTEND_OK;
	free(path);
	for (size_t i = 0; sentence_files[i] != NULL && list != NULL && status == ATTEND_OK; i++)
		status = attend_copy_file(from, to, sentence_files[i]);
	const attend_json *entry = list != NULL ? attend_json_first(list) : NULL;
	for (bool first = true; entry != NULL && status == ATTEND_OK; entry = attend_json_next(entry), first = false) {
		const char *folder = "";
		status = attend_json_get_string(&folder, entry, "path");
		if (status == ATTEND_OK && !stays_below(folder))
			status = attend_json_fail(entry, "expected a path below the folder, found \"%s\"", folder);
		if (status != ATTEND_OK || *folder == 0) continue;
		if (!first) {
			status = copy_module(from, to, folder);
			continue;
		}
		status = make_path(to, folder);
		if (status == ATTEND_OK && (*inner = strdup(folder)) == NULL)
			status = attend_fail_memory(strlen(folder), "path");
	}
	attend_json_free(list);
	return status;
}

/* ---- The whole ------------------------------------------------------------------------------------------------------------ */

/* dir/inner, or dir itself. malloc'ed. */
static attend_status below(char **out, const char *dir, const char *inner)
{
	if (inner != NULL) return attend_path_join(out, dir, inner);
	*out = strdup(dir);
	return *out != NULL ? ATTEND_OK : attend_fail_memory(strlen(dir), "path");
}

static attend_status store(const char *from, const char *to, const char *inner, const attend_store_options *options)
{
	const attend_bind_options bind = {.has_head = true, .head = ATTEND_HEAD_BASE};
	char *source = NULL, *target = NULL;
	attend_checkpoint *checkpoint = NULL;
	attend_status status = below(&source, from, inner);
	if (status == ATTEND_OK) status = below(&target, to, inner);
	if (status == ATTEND_OK && inner != NULL) status = attend_copy_file(source, target, "sentence_bert_config.json");
	if (status == ATTEND_OK) status = attend_checkpoint_load(&checkpoint, source, &bind);
	if (status == ATTEND_OK) status = attend_checkpoint_store(checkpoint, target, options);
	attend_checkpoint_free(checkpoint);
	free(source);
	free(target);
	return status;
}

static attend_status fill(const char *from, const char *to, const attend_store_options *options)
{
	char *inner;
	attend_status status = copy_modules(&inner, from, to);
	if (status == ATTEND_OK) status = store(from, to, inner, options);
	free(inner);
	return status;
}

/* The name of the folder above. malloc'ed. */
static char *folder_above(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash == NULL ? strdup(".") : slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

static attend_status write_beside(const char *from, const char *out, const attend_store_options *options)
{
	attend_buffer beside = {0};
	attend_buffer_printf(&beside, "%s.tmp-%ld", out, (long)getpid());
	attend_status status = attend_buffer_status(&beside);
	char *above = status == ATTEND_OK ? folder_above(out) : NULL;
	if (status == ATTEND_OK && above == NULL) status = attend_fail_memory(strlen(out), "path");
	if (status == ATTEND_OK) {
		remove_folder(beside.data); /* of a run that was killed and had the same number */
		status = attend_folder_make(beside.data);
	}
	if (status == ATTEND_OK) {
		status = fill(from, beside.data, options);
		if (status == ATTEND_OK) status = attend_folder_sync(beside.data);
		if (status == ATTEND_OK && rename(beside.data, out) != 0)
			status = attend_fail(ATTEND_ERR_IO, "%s: cannot rename to it: %s", out, strerror(errno));
		if (status != ATTEND_OK) remove_folder(beside.data);
		else status = attend_folder_sync(above);
	}
	attend_buffer_free(&beside);
	free(above);
	return status;
}

attend_status attend_convert(const char *path, const char *out, const attend_convert_options *options)
{
	static const attend_convert_options defaults = {0};
	static const attend_dtype dtypes[] = {ATTEND_DTYPE_COUNT, ATTEND_DTYPE_F32,   ATTEND_DTYPE_F16,
	                                      ATTEND_DTYPE_BF16,  ATTEND_DTYPE_COUNT, ATTEND_DTYPE_COUNT};
	if (options == NULL) options = &defaults;
	if (path == NULL || out == NULL || *out == 0 || (unsigned)options->type > ATTEND_STORE_INT4)
		return attend_fail(ATTEND_ERR_ARG, "attend_convert: path, out and a type are needed");
	const attend_store_options store_options = {.codes = options->type == ATTEND_STORE_INT8   ? ATTEND_PACK_INT8
	                                                     : options->type == ATTEND_STORE_INT4 ? ATTEND_PACK_INT4
	                                                                                          : ATTEND_PACK_F32,
	                                            .dtype = dtypes[options->type],
	                                            .max_shard_bytes = options->max_shard_bytes};
	char *located = NULL, *target = strdup(out);
	if (target == NULL) return attend_fail_memory(strlen(out), "path");
	for (size_t n = strlen(target); n > 1 && target[n - 1] == '/';) target[--n] = 0;
	attend_status status = attend_checkpoint_locate(&located, path);
	if (status == ATTEND_OK) status = check_out(target);
	if (status == ATTEND_OK) status = write_beside(located, target, &store_options);
	free(located);
	free(target);
	return status;
}
