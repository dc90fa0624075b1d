/* checkpoint.c: a folder, or a name in the hub's cache, as a loaded checkpoint (huggingface.md 1.5). */
#include "loaders/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/buffer.h"
#include "lib/core/file.h"
#include "lib/nn/network.h"

/* ---- Where ------------------------------------------------------------------------------------------------------------- */

/* "owner/name" or "name": what huggingface_hub takes as a repository; no dots in front, no further slash. */
static bool hub_name(const char *name)
{
	size_t slashes = 0;
	if (*name == 0 || *name == '/' || *name == '.') return false;
	for (const char *p = name; *p != 0; p++) {
		if (*p == '/' && (p[1] == 0 || p[1] == '/' || p[1] == '.')) return false;
		slashes += *p == '/';
	}
	return slashes <= 1;
}

/* The hub's cache folder: $HF_HUB_CACHE, $HF_HOME/hub, $XDG_CACHE_HOME/huggingface/hub, ~/.cache/huggingface/hub. */
static bool cache_folder(attend_buffer *out)
{
	const char *value;
	if ((value = getenv("HF_HUB_CACHE")) != NULL && *value != 0) attend_buffer_text(out, value);
	else if ((value = getenv("HF_HOME")) != NULL && *value != 0) attend_buffer_printf(out, "%s/hub", value);
	else if ((value = getenv("XDG_CACHE_HOME")) != NULL && *value != 0)
		attend_buffer_printf(out, "%s/huggingface/hub", value);
	else if ((value = getenv("HOME")) != NULL && *value != 0)
		attend_buffer_printf(out, "%s/.cache/huggingface/hub", value);
	else return false;
	return true;
}

/* CACHE/models--owner--name/snapshots/<the commit in refs/main> */
static attend_status snapshot(attend_buffer *path, const char *name)
{
	attend_buffer_text(path, "/models--");
	for (const char *p = name; *p != 0; p++) attend_buffer_text(path, *p == '/' ? "--" : (const char[2]){*p, 0});
	const size_t root = path->size;
	attend_buffer_text(path, "/refs/main");
	ATTEND_TRY(attend_buffer_status(path));
	char *commit;
	size_t size;
	ATTEND_TRY(attend_file_read(&commit, &size, path->data, 4096));
	path->size = root;
	/* a commit is hexadecimal digits: nothing that leaves the folder */
	const size_t digits = strspn(commit, "0123456789abcdef");
	if (digits > 0) attend_buffer_printf(path, "/snapshots/%.*s", (int)digits, commit);
	free(commit);
	if (digits == 0) return ATTEND_ERR_NOTFOUND; /* locate writes the message */
	return attend_buffer_status(path);
}

attend_status attend_checkpoint_locate(char **out, const char *name)
{
	attend_buffer path = {0};
	attend_status status = ATTEND_OK;
	bool found = attend_folder_exists(name);
	if (found) {
		attend_buffer_text(&path, name);
	} else if (hub_name(name) && cache_folder(&path)) {
		status = snapshot(&path, name);
		if (status == ATTEND_OK) found = attend_folder_exists(path.data);
		else if (status == ATTEND_ERR_NOTFOUND) status = ATTEND_OK;
	}
	if (status == ATTEND_OK) status = attend_buffer_status(&path);
	if (status == ATTEND_OK && !found) {
		if (attend_file_exists(name))
			attend_fail(ATTEND_ERR_NOTFOUND, "%s: expected a model folder, found a file", name);
		else if (path.size > 0)
			attend_fail(ATTEND_ERR_NOTFOUND, "%s: no such folder, and not in the hub's cache (%s)", name, path.data);
		else attend_fail(ATTEND_ERR_NOTFOUND, "%s: no such folder", name);
		status = ATTEND_ERR_NOTFOUND;
	}
	if (status == ATTEND_OK) *out = path.data;
	else attend_buffer_free(&path);
	return status;
}

/* ---- Loading ------------------------------------------------------------------------------------------------------------- */

static attend_status load(attend_checkpoint *c, const char *name, const attend_bind_options *options)
{
	char *path;
	ATTEND_TRY(attend_checkpoint_locate(&c->dir, name));
	ATTEND_TRY(attend_path_join(&path, c->dir, "config.json"));
	attend_status status = ATTEND_OK;
	if (!attend_file_exists(path))
		status = attend_fail(ATTEND_ERR_NOTFOUND, "%s: no config.json in this folder", c->dir);
	if (status == ATTEND_OK) status = attend_config_read(&c->config, path);
	free(path);
	ATTEND_TRY(status);
	if (options != NULL && options->labels != NULL)
		ATTEND_TRY(attend_config_set_labels(&c->config, options->labels, options->label_count));
	ATTEND_TRY(options != NULL && options->from_scratch ? attend_weights_none(&c->weights)
	                                                    : attend_weights_open(&c->weights, c->dir));
	const bool codes = attend_weights_metadata(c->weights, ATTEND_STORED_TYPE_KEY) != NULL;
	if (options != NULL && options->in_place && !codes && c->config.arch.has_encoder)
		attend_weights_large_pages(c->weights);
	status = attend_bind(&c->network, &c->report, &c->config, c->weights, options);
	/* the binder's own messages name tensors; the folder stands in front */
	return status == ATTEND_OK ? status : attend_fail_in(status, c->dir);
}

attend_status attend_checkpoint_load(attend_checkpoint **out, const char *dir, const attend_bind_options *options)
{
	attend_checkpoint *c = calloc(1, sizeof *c);
	if (c == NULL) return attend_fail_memory(sizeof *c, dir);
	const attend_status status = load(c, dir, options);
	if (status == ATTEND_OK) *out = c;
	else attend_checkpoint_free(c);
	return status;
}

void attend_checkpoint_free(attend_checkpoint *c)
{
	if (c == NULL) return;
	attend_network_free(&c->network);
	attend_config_free(&c->config);
	attend_bind_report_free(&c->report);
	attend_weights_free(c->weights);
	free(c->dir);
	free(c);
}
