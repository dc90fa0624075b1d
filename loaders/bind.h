/* bind.h: names become weights: role x stack x block x head -> tensor name -> checked view in an attend_network.
 *
 * Rules (huggingface.md 2.0.2, 2.0.3): `module.` and `_orig_mod.` in front of every name are dropped; the base prefix is optional
 * name by name; gamma/beta are weight/bias of a LayerNorm; buffers are ignored; whichever tied name is in the file serves
 * both; both there and different: both are used. */
#ifndef ATTEND_LOADERS_BIND_H
#define ATTEND_LOADERS_BIND_H

#include "loaders/config_json.h"
#include "loaders/shards.h"

/* __metadata__ key of files in which linears are int8 or int4 codes (docs/quantisation.md). */
#define ATTEND_STORED_TYPE_KEY "attend.weights"

/* A growing list of names; owned by the report. */
typedef struct attend_name_list {
	char **items;
	size_t count, capacity;
} attend_name_list;

typedef struct attend_bind_report {
	attend_name_list missing;      /* without these the network cannot run */
	attend_name_list missing_head; /* of the wanted head (and its pooler): a new head, will be initialised */
	attend_name_list unused;       /* in the file, used by nothing; a shape that does not fit is told in brackets */
	attend_name_list ignored;      /* buffers that are no weights */
} attend_bind_report;
void attend_bind_report_free(attend_bind_report *report);

/* Zero-initialise for: the class that config.json names, nothing may be missing. */
typedef struct attend_bind_options {
	bool has_head;
	/* Wanted instead of arch.default_head. BASE: none is; what the file has of the others is bound all the same. */
	attend_head_kind head;
	/* Tensors of the wanted head that are missing are made: N(0, initializer_range), norm weights 1, biases 0; so are
	 * those that are there in another shape (a classifier of other classes). */
	bool new_head;
	/* Classes of the sequence and token heads instead of config.json's (attend_config_set_labels); NULL: as they are. */
	const char *const *labels;
	size_t label_count;
	bool from_scratch; /* every tensor is made as those of a new head are; no file of weights is read */
	uint64_t seed;
	bool in_place; /* matrices will run where they lie, as far as they can: nearly all of the file will be read */
	bool lenient;  /* inspect: what is missing is only reported; the network may not be run */
} attend_bind_options;

/* Fill a zeroed network from `weights`; takes config->arch over into network->arch (config keeps none: use the network's). Vectors
 * become f32 here; matrices and tables stay views, so `weights` must outlive the network. `report` is filled also on failure;
 * free it. FORMAT: tensors are missing ("... 3 tensors are missing: ..."), a shape or a dtype that does not fit, NaN or infinity
 * in a vector. NOTFOUND: the wanted head is not in the file, or not one of this architecture. */
attend_status attend_bind(attend_network *network, attend_bind_report *report, attend_config *config,
                          const attend_weights *weights, const attend_bind_options *options);

#endif
