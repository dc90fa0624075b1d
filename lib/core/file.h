/* file.h: whole files: read, mapped read-only, written so that a crash leaves the old one or the new one. */
#ifndef ATTEND_CORE_FILE_H
#define ATTEND_CORE_FILE_H

#include "lib/core/status.h"

#include <stdatomic.h>

/* Read a whole file: *out is malloc'ed with a NUL after `*size` bytes; the caller frees it. NOTFOUND: it cannot be
 * opened, with errno's text, or is a folder; IO: reading failed; FORMAT: larger than `limit` bytes (0: no limit). */
attend_status attend_file_read(char **out, size_t *size, const char *path, size_t limit);

/* Read piece by piece: at most `room` bytes into `into`, *got 0 at the end. Open fails as attend_file_read does. */
attend_status attend_file_open(int *fd, const char *path);
attend_status attend_file_next(int fd, const char *path, void *into, size_t room, size_t *got);
void attend_file_close(int fd);

/* A read-only mapping shared between processes. size 0 gives data NULL. */
typedef struct attend_mapping {
	const unsigned char *data;
	size_t size;
} attend_mapping;
attend_status attend_file_map(attend_mapping *out, const char *path);
void attend_file_unmap(attend_mapping *mapping);
/* The whole pages in `size` bytes of a mapping need not stay in this process's memory: they come back from the file when they
 * are read again. Never for other memory, which it would clear. */
void attend_file_give_back(const void *data, size_t size);
/* All of a mapping will be read: what is not in memory is read from the disk in pieces of 2 MB and kept and mapped in them, for
 * this process and later ones, where the file system can. Mapping then takes next to no time. */
void attend_file_large_pages(const attend_mapping *mapping);
/* Map the pages of `size` bytes of a mapping, reading from the disk those that are not in memory, until *enough is set. */
void attend_file_touch(const void *data, size_t size, const atomic_bool *enough);

bool attend_file_exists(const char *path); /* a regular file (or a link to one) */
bool attend_folder_exists(const char *path);
/* Make a folder unless it is there. NOTFOUND: the one above it is not; IO. */
attend_status attend_folder_make(const char *path);
/* Make names that were put into a folder durable (fsync); file systems that cannot are left alone. IO. */
attend_status attend_folder_sync(const char *path);

/* Bytes that are appended and then read at random: the first 16 MB in memory, what goes beyond in a file without a name in
 * $TMPDIR (else /var/tmp, /tmp), which ends with the process. Zero-initialise. */
typedef struct attend_spill {
	const void *data; /* all bytes, after attend_spill_finish */
	size_t size;
	size_t on_disk; /* bytes in the file, 0: none */
	/* inside */
	char *piece;
	size_t piece_size, piece_capacity;
	int fd; /* when on_disk */
	bool mapped;
} attend_spill;
/* IO: the file cannot be made, or the disk is full. */
attend_status attend_spill_append(attend_spill *spill, const void *bytes, size_t size);
attend_status attend_spill_finish(attend_spill *spill);
void attend_spill_free(attend_spill *spill);

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
