/* bench_profile.c: the profile of attend_bench: times of the pieces of work that sessions tell of (lib/nn/profile.h), summed
 * by layer and operation, beside what the machine could do. */
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"
#include "lib/nn/profile.h"
#include "lib/tasks/bench.h"

/* One operation of one layer. */
typedef struct entry {
	attend_lap key; /* without rows, pairs and keys */
	size_t calls;
	double ms, flops, bytes, floor_ms;
} entry;

struct attend_bench_profile {
	attend_profiler profiler;
	attend_network *network;
	double peak[ATTEND_PACK_TYPES], bandwidth; /* GFLOP/s, GB/s */
	entry *entries;
	size_t count, capacity, next; /* laps come in the same order again and again: the next one is likely `next` */
	double last;
	bool counting;
	attend_status failure;
};

static bool same(const attend_lap *a, const attend_lap *b)
{
	return a->kind == b->kind && a->linear == b->linear && a->attention == b->attention && a->cross == b->cross &&
	       a->stack == b->stack && a->block == b->block;
}

static entry *find(attend_bench_profile *p, const attend_lap *lap)
{
	for (size_t i = 0; i < p->count; i++) {
		const size_t at = (p->next + i) % p->count;
		if (!same(&p->entries[at].key, lap)) continue;
		p->next = at + 1;
		return &p->entries[at];
	}
	p->failure = attend_grow(&p->entries, &p->capacity, p->count + 1, sizeof *p->entries, "profile");
	if (p->failure != ATTEND_OK) return NULL;
	entry *e = &p->entries[p->count++];
	*e = (entry){.key = *lap};
	e->key.rows = 0;
	e->key.pairs = e->key.keys = 0;
	return e;
}

/* Operations and bytes that a lap cannot do without: weights, keys and values once. Backward has two products for each of a
 * linear's, five for attention's two, and reads and writes the gradient. */
static void count_work(double *flops, double *bytes, const attend_lap *lap)
{
	*flops = *bytes = 0;
	if (lap->kind == ATTEND_LAP_ATTENTION || lap->kind == ATTEND_LAP_ATTENTION_BACKWARD) {
		*flops = (lap->kind == ATTEND_LAP_ATTENTION ? 4 : 10) * lap->pairs;
		*bytes = (lap->kv_type == ATTEND_KV_BF16 ? 4 : 8) * lap->keys;
	} else if (lap->kind == ATTEND_LAP_LINEAR || lap->kind == ATTEND_LAP_LINEAR_BACKWARD) {
		const bool backward = lap->kind == ATTEND_LAP_LINEAR_BACKWARD;
		const double size = (double)lap->linear->out * (double)lap->linear->in;
		*flops = (backward ? 4 : 2) * size * (double)lap->rows;
		*bytes = backward ? 12 * size
		                  : (double)attend_pack_bytes(lap->linear->packed.type, lap->linear->out, lap->linear->in);
	}
}

/* The type that the lap multiplies in. */
static attend_pack_type lap_type(const attend_lap *lap)
{
	if (lap->kind == ATTEND_LAP_LINEAR) return lap->linear->packed.type;
	return lap->kind == ATTEND_LAP_ATTENTION && lap->kv_type == ATTEND_KV_BF16 ? ATTEND_PACK_BF16 : ATTEND_PACK_F32;
}

static void on_lap(void *payload, const attend_lap *lap)
{
	attend_bench_profile *p = payload;
	const double now = attend_bench_now(), ms = now - p->last;
	p->last = now;
	if (!p->counting || p->failure != ATTEND_OK) return;
	entry *e = find(p, lap);
	if (e == NULL) return;
	double flops, bytes;
	count_work(&flops, &bytes, lap);
	const double peak = p->peak[lap_type(lap)];
	const double computing = 1e-6 * flops / peak, reading = 1e-6 * bytes / p->bandwidth;
	e->calls++;
	e->ms += ms;
	e->flops += flops;
	e->bytes += bytes;
	e->floor_ms += computing > reading ? computing : reading;
}

attend_status attend_bench_profile_new(attend_bench_profile **out, attend_network *network)
{
	attend_network_memory memory;
	attend_bench_profile *p = calloc(1, sizeof *p);
	if (p == NULL) return attend_fail_memory(sizeof *p, "profile");
	attend_network_measure(&memory, network);
	p->network = network;
	p->peak[ATTEND_PACK_F32] = attend_bench_peak(ATTEND_PACK_F32);
	const bool pairs = attend_network_kv_type(network) == ATTEND_KV_BF16;
	for (attend_pack_type type = ATTEND_PACK_BF16; type < ATTEND_PACK_TYPES; type++) {
		const bool used = type == network->pack_type || (type == ATTEND_PACK_BF16 && pairs);
		p->peak[type] = used ? attend_bench_peak(type) : p->peak[ATTEND_PACK_F32];
	}
	const size_t least = (size_t)8 << 20, most = (size_t)1 << 30;
	const attend_status status = attend_bench_bandwidth(&p->bandwidth, memory.packed < least  ? least
	                                                                   : memory.packed > most ? most
	                                                                                          : memory.packed);
	if (status != ATTEND_OK) {
		free(p);
		return status;
	}
	p->profiler = (attend_profiler){on_lap, p};
	network->profiler = &p->profiler;
	*out = p;
	return ATTEND_OK;
}

void attend_bench_profile_free(attend_bench_profile *profile)
{
	if (profile == NULL) return;
	profile->network->profiler = NULL;
	free(profile->entries);
	free(profile);
}

void attend_bench_profile_count(attend_bench_profile *profile, bool on)
{
	if (profile == NULL) return;
	if (!on) on_lap(profile, &(attend_lap){.kind = ATTEND_LAP_OUTSIDE});
	profile->counting = on;
	profile->last = attend_bench_now();
}

/* ---- Names ---- */

/* Which handle of the network this is: stack 0 or 1, block or -1. */
static const char *name_linear(const attend_network *network, const attend_linear *w, int *stack, int *block)
{
	*stack = *block = -1;
	for (int s = 0; s < 2; s++) {
		const attend_stack_params *params = &network->stacks[s];
		for (size_t i = 0; i < params->block_count; i++) {
			const attend_block_params *b = &params->blocks[i];
			const struct {
				const attend_linear *linear;
				const char *name;
			} parts[] = {{&b->qkv, "query_key_value"},
			             {&b->attention_out, "attention_output"},
			             {&b->cross_q, "cross_query"},
			             {&b->cross_kv, "cross_key_value"},
			             {&b->cross_out, "cross_output"},
			             {&b->gate, "ffn_gate"},
			             {&b->up, "ffn_up"},
			             {&b->down, "ffn_down"}};
			*stack = s;
			*block = (int)i;
			for (size_t j = 0; j < sizeof parts / sizeof *parts; j++)
				if (w == parts[j].linear) return parts[j].name;
		}
		*block = -1;
		if (w == &params->embedding_projection) return "embedding_projection";
	}
	*stack = -1;
	for (size_t h = 0; h < network->arch.head_count; h++) {
		if (w == &network->heads[h].dense) return "head_dense";
		if (w == &network->heads[h].out) return "head_output";
	}
	return w == &network->pooler.dense ? "pooler" : w == &network->bridge ? "bridge" : "linear";
}

static void describe(attend_bench_line *line, const attend_bench_profile *p, const entry *e, double repetitions)
{
	static const char *const plain[ATTEND_LAP_KINDS] = {[ATTEND_LAP_OUTSIDE] = "outside",
	                                                    [ATTEND_LAP_EMBEDDING] = "embeddings",
	                                                    [ATTEND_LAP_ROWS] = "norms_and_copies",
	                                                    [ATTEND_LAP_ATTENTION] = "attention",
	                                                    [ATTEND_LAP_LINEAR] = "linear",
	                                                    [ATTEND_LAP_LINEAR_BACKWARD] = "linear",
	                                                    [ATTEND_LAP_ATTENTION_BACKWARD] = "attention"};
	const attend_lap *key = &e->key;
	int stack = key->attention ? key->stack : -1, layer = key->attention ? (int)key->block : -1;
	const char *name = key->linear != NULL ? name_linear(p->network, key->linear, &stack, &layer) : plain[key->kind];
	if (key->attention) name = key->cross ? "cross_attention" : "attention";
	if (key->kind == ATTEND_LAP_ROWS) name = plain[key->kind];
	*line = (attend_bench_line){
		.stack = stack < 0    ? ""
	             : stack == 0 ? "encoder"
	                          : "decoder",
		.layer = layer,
		.operation = name,
		.backward = key->kind == ATTEND_LAP_LINEAR_BACKWARD || key->kind == ATTEND_LAP_ATTENTION_BACKWARD,
		.calls = (double)e->calls / repetitions,
		.ms = e->ms / repetitions,
		.gflops = e->ms > 0 ? 1e-6 * e->flops / e->ms : 0,
		.gbytes_per_s = e->ms > 0 ? 1e-6 * e->bytes / e->ms : 0,
		.floor_ms = e->floor_ms / repetitions,
	};
}

/* The same name in the same place: rows before different products of a layer. */
static bool same_line(const attend_bench_line *a, const attend_bench_line *b)
{
	return a->layer == b->layer && a->backward == b->backward && strcmp(a->stack, b->stack) == 0 &&
	       strcmp(a->operation, b->operation) == 0;
}

/* Two speeds become one: by time. */
static void merge(attend_bench_line *to, const attend_bench_line *from)
{
	const double ms = to->ms + from->ms;
	if (ms > 0) {
		to->gflops = (to->gflops * to->ms + from->gflops * from->ms) / ms;
		to->gbytes_per_s = (to->gbytes_per_s * to->ms + from->gbytes_per_s * from->ms) / ms;
	}
	to->ms = ms;
	to->calls += from->calls;
	to->floor_ms += from->floor_ms;
}

attend_status attend_bench_profile_result(attend_bench_result *result, const attend_bench_profile *p)
{
	if (p->failure != ATTEND_OK) return p->failure;
	attend_bench_line *lines = attend_alloc_array(p->count + 1, sizeof *lines);
	if (lines == NULL) return attend_fail_memory(p->count * sizeof *lines, "profile");
	size_t n = 0;
	for (size_t i = 0; i < p->count; i++) {
		attend_bench_line line;
		size_t at = 0;
		describe(&line, p, &p->entries[i], (double)result->count);
		while (at < n && !same_line(&lines[at], &line)) at++;
		if (at < n) merge(&lines[at], &line);
		else lines[n++] = line;
	}
	result->lines = lines;
	result->line_count = n;
	result->peak_gflops = p->peak[ATTEND_PACK_F32];
	result->peak_type_gflops = p->peak[p->network->pack_type];
	result->read_gbytes_per_s = p->bandwidth;
	return ATTEND_OK;
}
