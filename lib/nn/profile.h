/* profile.h: what a run spends its time on. A network carries a profiler or NULL; its sessions then say after every piece of
 * work what it was. Off, a piece costs one comparison. */
#ifndef ATTEND_NN_PROFILE_H
#define ATTEND_NN_PROFILE_H

#include "lib/nn/params.h"

typedef enum attend_lap_kind {
	ATTEND_LAP_OUTSIDE,   /* between calls of the session: choosing tokens, optimiser ... */
	ATTEND_LAP_EMBEDDING, /* looking rows up, their norm */
	ATTEND_LAP_ROWS,      /* norms, dropout, rotation, storing keys and values, gathering */
	ATTEND_LAP_LINEAR,    /* a product with its epilogue */
	ATTEND_LAP_ATTENTION,
	ATTEND_LAP_LINEAR_BACKWARD,
	ATTEND_LAP_ATTENTION_BACKWARD,
	ATTEND_LAP_KINDS
} attend_lap_kind;

/* A piece of work that began where the last one ended. */
typedef struct attend_lap {
	attend_lap_kind kind;
	const attend_linear *linear; /* of a linear lap, and of the rows before one; else NULL */
	size_t rows;                 /* of the product */
	/* Attention, and the rows before it */
	bool attention, cross;
	int stack;
	size_t block;
	double pairs; /* of visible query and key, times heads, times head dim */
	double keys;  /* likewise, of every sequence's keys once */
	attend_kv_type kv_type;
} attend_lap;

typedef struct attend_profiler {
	void (*lap)(void *payload, const attend_lap *lap);
	void *payload;
} attend_profiler;

#endif
