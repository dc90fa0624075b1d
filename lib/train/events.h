/* events.h: TensorBoard's event files: TFRecord framing (TensorFlow's record_writer.cc) around protocol buffers (event.proto,
 * summary.proto). */
#ifndef ATTEND_TRAIN_EVENTS_H
#define ATTEND_TRAIN_EVENTS_H

#include "lib/core/buffer.h"

/* CRC-32C (Castagnoli) of `size` bytes, and as TFRecord stores it: rotated by 15 bits, plus a constant. */
uint32_t attend_crc32c(const void *bytes, size_t size);
uint32_t attend_crc32c_masked(const void *bytes, size_t size);

typedef struct attend_scalar {
	const char *tag; /* "train/loss" */
	float value;
} attend_scalar;

/* Append the record that opens a file, and one with scalars of one step. wall_time in seconds since 1970. */
void attend_events_put_version(attend_buffer *out, double wall_time);
void attend_events_put_scalars(attend_buffer *out, double wall_time, int64_t step, const attend_scalar *scalars,
                               size_t count);

/* Wall time and step of the record at *at, which then moves behind it. False at the end, and where a record is cut or damaged. */
bool attend_events_next(double *wall_time, int64_t *step, const char *bytes, size_t size, size_t *at);

#endif
