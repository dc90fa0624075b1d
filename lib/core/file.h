/* file.h: whole files: read, mapped read-only, written so that a crash leaves the old one or the new one. */
#ifndef ATTEND_CORE_FILE_H
#define ATTEND_CORE_FILE_H

#include "lib/core/status.h"

/* Read a whole file: *out is malloc'ed with a NUL after `*size` bytes; the caller frees it. NOTFOUND: it cannot be
 * opened, with errno's text, or is a folder; IO: reading failed; FORMAT: larger than `limit` bytes (0: no limit). */
attend_status attend_file_read(char **out, size_t *size, const char *path, size_t limit);

/* A read-only mapping shared between processes. size 0 gives data NULL. */
typedef struct attend_mapping {
	const unsigned char *data;
	size_t size;
} attend_mapping;
attend_status attend_file_map(attend_mapping *out, const char *path);
void attend_file_unmap(attend_mapping *mapping);

bool attend_file_exists(const char *path); /* a regular file (or a link to one) */
bool attend_folder_exists(const char *path);
/* Make a folder unless it is there. NOTFOUND: the one above it is not; IO. */
attend_status attend_folder_make(const char *path);
/* Make names that were put into a folder durable (fsync); file systems that cannot are left alone. IO. */
attend_status attend_folder_sync(const char *path);

/* "dir/name", malloc'ed, caller frees. */
attend_status attend_path_join(char **out, const char *dir, const char *name);

/* Write beside, fsync, rename, fsync the folder. Between open and commit the old file is untouched. */
typedef struct attend_writer attend_writer;
attend_status attend_writer_open(attend_writer **out, const char *path);
attend_status attend_writer_write(attend_writer *writer, const void *bytes, size_t size);
/* Both free the writer and remove the temporary file, commit also when it fails. */
attend_status attend_writer_commit(attend_writer *writer);
void attend_writer_abort(attend_writer *writer);
attend_status attend_file_write(const char *path, const void *bytes, size_t size);

#endif
