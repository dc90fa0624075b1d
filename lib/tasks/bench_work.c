/* bench_work.c: what a repetition must compute and read at least: two operations per weight and token, four per pair of query
 * and key and inner width; bytes are the weights, once a pass, and the key/value cache. */
#include "lib/tasks/bench.h"

/* Weights per pass of one stack: of all its blocks, and of them those that read the encoder's output once. */
typedef struct stack_weights {
	double step, cross;
} stack_weights;

static double size(const attend_linear *linear)
{
	return (double)linear->out * (double)linear->in;
}

static stack_weights count_stack(const attend_network *network, int stack)
{
	const attend_stack_arch *arch = stack == 0 ? &network->arch.encoder : &network->arch.decoder;
	const attend_stack_params *params = &network->stacks[stack];
	stack_weights w = {0};
	if (params->block_count == 0) return w;
	for (size_t i = 0; i < params->block_count; i++) {
		const attend_block_params *b = &params->blocks[i];
		w.step += size(&b->qkv) + size(&b->attention_out) + size(&b->gate) + size(&b->up) + size(&b->down) +
		          size(&b->cross_q) + size(&b->cross_out);
		w.cross += size(&b->cross_kv);
	}
	const double times =
		(double)(arch->layers * (arch->inner_layers != 0 ? arch->inner_layers : 1)) / (double)params->block_count;
	w.step *= times;
	w.cross *= times;
	return w;
}

static double bytes_per_weight(attend_weight_type type)
{
	static const double bytes[] = {
		[ATTEND_WEIGHTS_F32] = 4, [ATTEND_WEIGHTS_BF16] = 2, [ATTEND_WEIGHTS_INT8] = 1, [ATTEND_WEIGHTS_INT4] = 0.5625};
	return bytes[type];
}

attend_bench_work attend_bench_count(const attend_bench_run *run)
{
	const attend_bench_options *o = run->options;
	const attend_bench_input *in = &run->input;
	attend_bench_work work = {.tokens = (double)in->total};
	if (run->model == NULL) return work;
	const attend_network *network = &run->model->checkpoint->network;
	const int stack = attend_model_text_stack(run->model);
	const attend_stack_arch *reads = attend_model_stack(run->model, stack), *writes = attend_model_stack(run->model, 1);
	const stack_weights body = count_stack(network, stack);
	const double per_weight = bytes_per_weight(attend_model_weights(run->model));
	const double per_position = attend_network_kv_type(network) == ATTEND_KV_BF16 ? 4 : 8; /* a key and a value */
	const double inner = (double)(reads->heads * reads->head_dim) * (double)reads->layers;
	double squares = 0, weights = body.step;
	for (size_t i = 0; i < in->batch && in->lengths != NULL; i++)
		squares += (double)in->lengths[i] * (double)in->lengths[i];
	const double attention = 4 * inner * squares * (reads->causal ? 0.5 : 1), n = (double)in->total;
	work.flops = 2 * body.step * n + attention;
	if (o->task == ATTEND_BENCH_TRAIN) work.flops *= 3;
	work.bytes = body.step * per_weight;
	if (o->task != ATTEND_BENCH_PREFILL && o->task != ATTEND_BENCH_DECODE && o->task != ATTEND_BENCH_SEQ2SEQ)
		return work;
	const double head = (double)writes->hidden * (double)writes->vocab, rows = (double)(in->batch * o->num_beams);
	if (o->task == ATTEND_BENCH_PREFILL) {
		work.flops += 2 * head * rows;
		work.bytes += head * per_weight;
		return work;
	}
	const bool decode = o->task == ATTEND_BENCH_DECODE;
	const double width = (double)(writes->heads * writes->head_dim) * (double)writes->layers;
	if (decode) work = (attend_bench_work){0};
	else {
		const stack_weights decoder = count_stack(network, 1);
		work.flops += 2 * decoder.cross * n;
		work.bytes += decoder.cross * per_weight;
		weights = decoder.step;
	}
	for (size_t i = decode ? 1 : 0; i < o->new_tokens; i++) {
		const double past = decode ? n + (double)(in->batch * i) : n * (double)o->num_beams + rows * (double)(i + 1);
		work.flops += 2 * (weights + head) * rows + 4 * width * past;
		work.bytes += (weights + head) * per_weight + per_position * width * past;
	}
	work.tokens = rows / (double)o->num_beams * (double)(decode ? o->new_tokens - 1 : o->new_tokens);
	return work;
}
