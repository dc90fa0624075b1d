/* bundled.c: where the checkpoints that come with attend lie. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/attend.h"
#include "lib/core/buffer.h"
#include "lib/core/file.h"

/* Take "FOLDER/MIDDLE/NAME" if there is a config.json in it. */
static bool try_folder(char **out, attend_buffer *tried, const char *folder, const char *middle, const char *name)
{
	attend_buffer path = {0};
	attend_buffer_printf(&path, "%s%s/%s", folder, middle, name);
	if (path.failed) return false;
	const size_t size = path.size;
	attend_buffer_text(&path, "/config.json");
	const bool found = !path.failed && attend_file_exists(path.data);
	if (!path.failed) path.data[size] = 0;
	if (found) {
		*out = path.data;
		return true;
	}
	attend_buffer_printf(tried, "%s%s", tried->size == 0 ? "" : ", ", path.data);
	attend_buffer_free(&path);
	return false;
}

/* Beside the program: PREFIX/bin/attend has PREFIX/share/attend; a program in a build tree has models/pretrained above it. */
static bool try_program(char **out, attend_buffer *tried, const char *name)
{
	char path[4096];
	const ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
	if (n <= 0) return false;
	path[n] = 0;
	for (int up = 0; up < 4; up++) {
		char *slash = strrchr(path, '/');
		if (slash == NULL || slash == path) return false;
		*slash = 0;
		if (up == 1 && try_folder(out, tried, path, "/share/attend", name)) return true;
		attend_buffer quiet = {0};
		const bool found = try_folder(out, &quiet, path, "/models/pretrained", name);
		attend_buffer_free(&quiet);
		if (found) return true;
	}
	return false;
}

attend_status attend_bundled_model(char **out, const char *name)
{
	if (out == NULL || name == NULL || *name == 0 || strchr(name, '/') != NULL || *name == '.')
		return attend_fail(ATTEND_ERR_ARG, "attend_bundled_model: a plain name is needed");
	attend_buffer tried = {0};
	const char *data = getenv("ATTEND_DATA");
	const bool found = (data != NULL && *data != 0 && try_folder(out, &tried, data, "", name)) ||
	                   try_program(out, &tried, name) || try_folder(out, &tried, ATTEND_DATA_DIR, "", name);
	if (!found)
		(void)attend_fail(ATTEND_ERR_NOTFOUND, "no bundled checkpoint %s: looked in %s; give a folder with -m", name,
		                  tried.failed || tried.data == NULL ? "the data folder" : tried.data);
	attend_buffer_free(&tried);
	return found ? ATTEND_OK : ATTEND_ERR_NOTFOUND;
}
