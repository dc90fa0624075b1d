/* file.c: whole files: read, mapped, written atomically. */
#include "lib/core/file.h"

#include "lib/core/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static attend_status fail_errno(const char *path, const char *what)
{
	const int error = errno;
	char text[128];
	if (strerror_r(error, text, sizeof text) != 0) snprintf(text, sizeof text, "error %d", error);
	const bool missing = error == ENOENT || error == ENOTDIR;
	return attend_fail(missing ? ATTEND_ERR_NOTFOUND : ATTEND_ERR_IO, "%s: %s: %s", path, what, text);
}

/* What cannot be opened for reading is not found, whatever the reason; IO is left to disks that fail. */
static attend_status fail_open(const char *path, const char *what)
{
	const attend_status status = fail_errno(path, what);
	return status == ATTEND_ERR_IO ? ATTEND_ERR_NOTFOUND : status;
}

/* Open a regular file, or a pipe or device when `any` is set. */
static attend_status open_file(int *fd, struct stat *info, const char *path, bool any)
{
	const int opened = open(path, O_RDONLY | O_CLOEXEC);
	if (opened < 0) return fail_open(path, "cannot open");
	attend_status status = ATTEND_OK;
	if (fstat(opened, info) != 0) {
		status = fail_errno(path, "cannot stat");
	} else if (S_ISDIR(info->st_mode)) {
		status = attend_fail(ATTEND_ERR_NOTFOUND, "%s: is a folder, expected a file", path);
	} else if (!any && !S_ISREG(info->st_mode)) {
		status = attend_fail(ATTEND_ERR_NOTFOUND, "%s: cannot be mapped: not a regular file", path);
	}
	if (status != ATTEND_OK) {
		close(opened);
		return status;
	}
	*fd = opened;
	return ATTEND_OK;
}

static ssize_t read_retry(int fd, void *into, size_t size)
{
	ssize_t got;
	do got = read(fd, into, size);
	while (got < 0 && errno == EINTR);
	return got;
}

attend_status attend_file_open(int *fd, const char *path)
{
	struct stat info;
	return open_file(fd, &info, path, true);
}

attend_status attend_file_next(int fd, const char *path, void *into, size_t room, size_t *got)
{
	const ssize_t n = read_retry(fd, into, room);
	if (n < 0) return fail_errno(path, "cannot read");
	*got = (size_t)n;
	return ATTEND_OK;
}

void attend_file_close(int fd)
{
	close(fd);
}

attend_status attend_file_read(char **out, size_t *size, const char *path, size_t limit)
{
	int fd;
	struct stat info;
	ATTEND_TRY(open_file(&fd, &info, path, true));
	if (limit == 0) limit = SIZE_MAX - 1;
	char *data = NULL;
	size_t used = 0, capacity = 0;
	size_t guess = S_ISREG(info.st_mode) && info.st_size > 0 ? (size_t)info.st_size : 4096;
	attend_status status = ATTEND_OK;
	if (S_ISREG(info.st_mode) && guess > limit) guess = 0; /* too large: said below, without reading it */
	else status = attend_grow(&data, &capacity, guess + 2, 1, path);
	while (status == ATTEND_OK) {
		if (guess == 0 || used > limit) {
			status = attend_fail(ATTEND_ERR_FORMAT, "%s: larger than the limit of %zu bytes", path, limit);
			break;
		}
		/* One byte more than expected is asked for: the file may have grown, or may not tell its size. */
		const ssize_t got = read_retry(fd, data + used, capacity - used - 1);
		if (got < 0) {
			status = fail_errno(path, "cannot read");
			break;
		}
		if (got == 0) break;
		used += (size_t)got;
		if (used + 1 == capacity) status = attend_grow(&data, &capacity, capacity + 1, 1, path);
	}
	close(fd);
	if (status != ATTEND_OK) {
		free(data);
		return status;
	}
	data[used] = 0;
	*out = data;
	*size = used;
	return ATTEND_OK;
}

attend_status attend_file_map(attend_mapping *out, const char *path)
{
	int fd;
	struct stat info;
	ATTEND_TRY(open_file(&fd, &info, path, false));
	attend_status status = ATTEND_OK;
	attend_mapping mapping = {NULL, 0};
	if (info.st_size < 0 || (uintmax_t)info.st_size > SIZE_MAX) {
		status = attend_fail(ATTEND_ERR_IO, "%s: too large for this address space", path);
	} else if (info.st_size > 0) {
		void *const data = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_SHARED, fd, 0);
		if (data != MAP_FAILED) {
			mapping = (attend_mapping){data, (size_t)info.st_size};
		} else if (errno == ENOMEM) {
			status = attend_fail(ATTEND_ERR_NOMEM, "%s: no address space to map %zu bytes", path, (size_t)info.st_size);
		} else {
			status = fail_errno(path, "cannot map");
		}
	}
	close(fd);
	if (status == ATTEND_OK) *out = mapping;
	return status;
}

void attend_file_unmap(attend_mapping *mapping)
{
	if (!mapping) return;
	if (mapping->data) munmap((void *)(uintptr_t)mapping->data, mapping->size);
	*mapping = (attend_mapping){NULL, 0};
}

void attend_file_give_back(const void *data, size_t size)
{
#ifdef MADV_DONTNEED
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = (uintptr_t)data, end = begin + size;
	const uintptr_t first = (begin + page - 1) / page * page, last = end / page * page;
	if (first < last) (void)madvise((void *)first, last - first, MADV_DONTNEED); /* a hint: without it all works */
#else
	(void)data;
	(void)size;
#endif
}

void attend_file_large_pages(const attend_mapping *mapping)
{
#ifdef MADV_HUGEPAGE
	if (mapping->data) (void)madvise((void *)(uintptr_t)mapping->data, mapping->size, MADV_HUGEPAGE); /* a hint */
#else
	(void)mapping;
#endif
}

void attend_file_touch(const void *data, size_t size, const atomic_bool *enough)
{
	enum { BETWEEN = 64 }; /* pages between two looks at *enough */
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const unsigned char *byte = data;
	volatile unsigned char last = 0; /* a value that went nowhere, valgrind would not load */
	size_t looks = 0;
	/* at the first byte, then at the first of each page */
	for (size_t i = 0; i < size; i += page - ((uintptr_t)data + i) % page) {
		if (looks++ % BETWEEN == 0 && atomic_load_explicit(enough, memory_order_relaxed)) return;
		last = byte[i];
	}
	(void)last;
}

bool attend_file_exists(const char *path)
{
	struct stat info;
	return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

bool attend_folder_exists(const char *path)
{
	struct stat info;
	return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

attend_status attend_path_join(char **out, const char *dir, const char *name)
{
	const size_t length = strlen(dir), bytes = length + strlen(name) + 2;
	char *const path = malloc(bytes);
	if (!path) return attend_fail_memory(bytes, "path");
	snprintf(path, bytes, "%s%s%s", dir, length && dir[length - 1] != '/' ? "/" : "", name);
	*out = path;
	return ATTEND_OK;
}

struct attend_writer {
	int fd;
	int error;       /* errno of the first write that failed */
	char *path;      /* final name, links resolved */
	char *temporary; /* NULL: a device or pipe, written directly */
};

static void writer_free(attend_writer *writer)
{
	if (writer->fd >= 0) close(writer->fd);
	free(writer->path);
	free(writer->temporary);
	free(writer);
}

/* A fresh file beside the target, with the target's mode if it exists. O_EXCL: never follows a planted link. */
static attend_status open_temporary(attend_writer *writer, const struct stat *old)
{
	static atomic_uint serial;
	const size_t bytes = strlen(writer->path) + 48;
	writer->temporary = malloc(bytes);
	if (!writer->temporary) return attend_fail_memory(bytes, "path");
	for (int attempt = 0; attempt < 1000; attempt++) {
		snprintf(writer->temporary, bytes, "%s.tmp-%ld-%u", writer->path, (long)getpid(),
		         atomic_fetch_add(&serial, 1u));
		writer->fd = open(writer->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		if (writer->fd >= 0 || errno != EEXIST) break;
	}
	if (writer->fd < 0) {
		const attend_status status = fail_errno(writer->path, "cannot create");
		free(writer->temporary);
		writer->temporary = NULL;
		return status;
	}
	if (old && fchmod(writer->fd, old->st_mode & 07777) != 0) return fail_errno(writer->path, "cannot set the mode");
	return ATTEND_OK;
}

attend_status attend_writer_open(attend_writer **out, const char *path)
{
	struct stat info;
	const bool exists = stat(path, &info) == 0;
	if (exists && S_ISDIR(info.st_mode)) return attend_fail(ATTEND_ERR_IO, "%s: is a folder, expected a file", path);
	attend_writer *const writer = calloc(1, sizeof *writer);
	if (!writer) return attend_fail_memory(sizeof *writer, "writer");
	writer->fd = -1;
	attend_status status = ATTEND_OK;
	/* Through a link the file behind it is replaced, not the link. */
	writer->path = exists ? realpath(path, NULL) : strdup(path);
	if (!writer->path) {
		status = errno == ENOMEM ? attend_fail_memory(strlen(path), "path") : fail_errno(path, "cannot resolve");
	} else if (exists && !S_ISREG(info.st_mode)) {
		writer->fd = open(path, O_WRONLY | O_CLOEXEC); /* /dev/stdout, a pipe: renaming over it would destroy it */
		if (writer->fd < 0) status = fail_errno(path, "cannot open");
	} else {
		status = open_temporary(writer, exists ? &info : NULL);
	}
	if (status != ATTEND_OK) {
		attend_writer_abort(writer);
		return status;
	}
	*out = writer;
	return ATTEND_OK;
}

attend_status attend_writer_write(attend_writer *writer, const void *bytes, size_t size)
{
	const char *at = bytes;
	while (size > 0 && writer->error == 0) {
		const ssize_t wrote = write(writer->fd, at, size < ((size_t)1 << 30) ? size : (size_t)1 << 30);
		if (wrote >= 0) {
			at += wrote;
			size -= (size_t)wrote;
		} else if (errno != EINTR) {
			writer->error = errno;
		}
	}
	if (writer->error == 0) return ATTEND_OK;
	errno = writer->error;
	return fail_errno(writer->path, "cannot write");
}

attend_status attend_folder_make(const char *path)
{
	if (mkdir(path, 0777) == 0 || (errno == EEXIST && attend_folder_exists(path))) return ATTEND_OK;
	return fail_errno(path, "cannot make the folder");
}

attend_status attend_folder_sync(const char *path)
{
	attend_status status = ATTEND_OK;
	const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		if (fsync(fd) != 0 && errno != EINVAL && errno != ENOTSUP) status = fail_errno(path, "cannot sync");
		close(fd);
	}
	return status;
}

/* The rename is durable once the folder's entry is on disk. */
static attend_status sync_folder_of(const char *path)
{
	const char *const slash = strrchr(path, '/');
	char *const folder = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
	if (!folder) return attend_fail_memory(strlen(path), "path");
	const attend_status status = attend_folder_sync(folder);
	free(folder);
	return status;
}

attend_status attend_writer_commit(attend_writer *writer)
{
	attend_status status = attend_writer_write(writer, NULL, 0); /* an earlier failure */
	if (!writer->temporary) {
		if (status == ATTEND_OK && close(writer->fd) != 0) status = fail_errno(writer->path, "cannot close");
		if (status == ATTEND_OK) writer->fd = -1;
		writer_free(writer);
		return status;
	}
	if (status == ATTEND_OK && fsync(writer->fd) != 0) status = fail_errno(writer->path, "cannot sync");
	if (status == ATTEND_OK) {
		const int fd = writer->fd;
		writer->fd = -1;
		if (close(fd) != 0) status = fail_errno(writer->path, "cannot close");
	}
	if (status == ATTEND_OK && rename(writer->temporary, writer->path) != 0)
		status = fail_errno(writer->path, "cannot replace");
	if (status != ATTEND_OK) {
		attend_writer_abort(writer);
		return status;
	}
	status = sync_folder_of(writer->path);
	writer_free(writer);
	return status;
}

void attend_writer_abort(attend_writer *writer)
{
	if (!writer) return;
	if (writer->temporary) unlink(writer->temporary);
	writer_free(writer);
}

attend_status attend_file_write(const char *path, const void *bytes, size_t size)
{
	attend_writer *writer;
	ATTEND_TRY(attend_writer_open(&writer, path));
	const attend_status status = attend_writer_write(writer, bytes, size);
	if (status == ATTEND_OK) return attend_writer_commit(writer);
	attend_writer_abort(writer);
	return status;
}
