/* spill.c: an array that is written once, in memory while it is small, else in an unlinked temporary file that is mapped. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/core/arena.h"
#include "lib/core/file.h"

enum { PIECE = 16 << 20 };

static attend_status fail_file(const char *what)
{
	return attend_fail(ATTEND_ERR_IO, "temporary file: %s: %s (TMPDIR says where it goes)", what, strerror(errno));
}

/* Not /tmp first: it often lies in memory. */
static attend_status make_file(attend_spill *spill)
{
	const char *const dirs[] = {getenv("TMPDIR"), "/var/tmp", "/tmp"};
	for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
		char path[4096];
		if (!dirs[i] || !*dirs[i]) continue;
		if ((size_t)snprintf(path, sizeof path, "%s/attend-XXXXXX", dirs[i]) >= sizeof path) continue;
		spill->fd = mkstemp(path);
		if (spill->fd >= 0) {
			unlink(path);
			return ATTEND_OK;
		}
		if (i == 0) return fail_file(dirs[i]); /* asked for: nothing else is guessed */
	}
	return fail_file("cannot make one");
}

static attend_status write_out(attend_spill *spill)
{
	if (!spill->on_disk) ATTEND_TRY(make_file(spill));
	for (size_t done = 0; done < spill->piece_size;) {
		const ssize_t n = write(spill->fd, spill->piece + done, spill->piece_size - done);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0) {
			const attend_status status = fail_file("cannot write");
			if (!spill->on_disk) close(spill->fd);
			return status;
		}
		done += (size_t)n;
	}
	spill->on_disk += spill->piece_size;
	spill->piece_size = 0;
	return ATTEND_OK;
}

attend_status attend_spill_append(attend_spill *spill, const void *bytes, size_t size)
{
	if (spill->piece_size && size > PIECE - spill->piece_size) ATTEND_TRY(write_out(spill));
	ATTEND_TRY(attend_grow(&spill->piece, &spill->piece_capacity, spill->piece_size + size, 1, "temporary data"));
	if (size) memcpy(spill->piece + spill->piece_size, bytes, size);
	spill->piece_size += size;
	spill->size += size;
	return ATTEND_OK;
}

attend_status attend_spill_finish(attend_spill *spill)
{
	if (!spill->on_disk) {
		spill->data = spill->piece;
		return ATTEND_OK;
	}
	ATTEND_TRY(write_out(spill));
	free(spill->piece);
	spill->piece = NULL;
	void *map = mmap(NULL, spill->size, PROT_READ, MAP_SHARED, spill->fd, 0);
	if (map == MAP_FAILED) return fail_file("cannot map");
	spill->mapped = true;
	spill->data = map;
	return ATTEND_OK;
}

void attend_spill_free(attend_spill *spill)
{
	if (spill->mapped) munmap((void *)(uintptr_t)spill->data, spill->size);
	if (spill->on_disk) close(spill->fd);
	free(spill->piece);
	*spill = (attend_spill){0};
}
