/* attend_base.h: what every public header of attend shares: status codes, the error line, logging, threads, version.
 *
 * Thread rule of the whole library: functions may be called from any thread; an object belongs to one thread at a time
 * unless its comment says that it is immutable. */
#ifndef ATTEND_BASE_H
#define ATTEND_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define ATTEND_API __attribute__((visibility("default")))
#else
#define ATTEND_API
#endif

/* Every fallible function returns one of these; results come through a leading `out`, which is untouched on failure. */
typedef enum attend_status {
	ATTEND_OK = 0,
	ATTEND_ERR_ARG = -1,         /* the caller's words are off: NULL, out of range, options that exclude each other */
	ATTEND_ERR_NOMEM = -2,       /* no memory */
	ATTEND_ERR_IO = -3,          /* reading or writing failed (a full disk): errno's text is in the message */
	ATTEND_ERR_FORMAT = -4,      /* a model or tokenizer file breaks its format */
	ATTEND_ERR_UNSUPPORTED = -5, /* well formed, but nothing that attend can run */
	ATTEND_ERR_NOTFOUND = -6,    /* no such file (or it cannot be opened), tensor, label or token */
	ATTEND_ERR_DATA = -7,        /* the user's text or data file is bad, or too long for the model */
	ATTEND_ERR_CANCELLED = -8    /* a callback asked to stop */
} attend_status;

/* This thread's last error: one line, no newline: what, where (file, tensor, JSON path, line), expected, found.
 * "" if there was none. Borrowed: valid until this thread's next failing call. */
ATTEND_API const char *attend_error(void);

/* "ok", "argument", "no memory" ...: static text for any value. */
ATTEND_API const char *attend_status_name(attend_status status);

/* "0.1.0" */
ATTEND_API const char *attend_version(void);

/* Instruction level that the kernels use: "portable", "avx2", "avx512", "avx512vnni", "avx512bf16", "neon" ... Static text. */
ATTEND_API const char *attend_isa(void);

/* What runs where, one "key: value" a line (ISA, threads, BLAS build and core ...), for `attend --version -v` and bug
 * reports. Static text, filled at the first call. */
ATTEND_API const char *attend_build_info(void);

/* Threads of the one team that all calls share. 0 (default): as many as affinity and cgroup quota allow. Takes effect at
 * the next call into the library; must not be called while another thread is inside it. ATTEND_ERR_ARG: n < 0 or > 1024. */
ATTEND_API attend_status attend_set_threads(int n);
ATTEND_API int attend_threads(void);

typedef enum attend_log_level { ATTEND_LOG_DEBUG, ATTEND_LOG_INFO, ATTEND_LOG_WARNING } attend_log_level;
typedef void (*attend_log_fn)(attend_log_level level, const char *line, void *payload);

/* The library never prints. Warnings go to this callback (NULL: dropped, the default). It may be called from the thread
 * that made the call that warns; `line` has no newline and is valid during the call only. */
ATTEND_API void attend_set_log(attend_log_fn fn, void *payload);

#ifdef __cplusplus
}
#endif
#endif
