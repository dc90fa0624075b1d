/* zip.h: the directory of a zip archive whose entries are stored as they are (PKWARE APPNOTE 6.3.10; zip64 too). */
#ifndef ATTEND_LOADERS_ZIP_H
#define ATTEND_LOADERS_ZIP_H

#include "lib/core/status.h"

typedef struct attend_zip attend_zip; /* immutable after opening */

/* Read the directory of `size` bytes, which the caller keeps. FORMAT: no zip archive, or a broken one: an entry outside of the
 * file, a name twice. Free with attend_zip_free. */
attend_status attend_zip_parse(attend_zip **out, const unsigned char *bytes, size_t size);
void attend_zip_free(attend_zip *zip);

size_t attend_zip_count(const attend_zip *zip);
const char *attend_zip_name(const attend_zip *zip,
                            size_t i); /* NUL-terminated; a name with a NUL inside is cut there */

/* The bytes of an entry, borrowed from the archive. FORMAT: its local header is broken; UNSUPPORTED: compressed or encrypted. */
attend_status attend_zip_entry(const unsigned char **data, size_t *size, const attend_zip *zip, size_t i);
/* Index of the entry of this name; false: there is none. */
bool attend_zip_find(size_t *out, const attend_zip *zip, const char *name);

#endif
