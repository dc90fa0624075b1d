/* trie.c: the double array of trie.h. A node's children lie in one block of 256 cells at base ^ byte; no two nodes share a
 * base, so the label alone tells whether a cell is the node's child. Block 0 stays empty: a leaf has base 0 and every step
 * from it fails. Free cells are looked for in the last few blocks only, which keeps building linear. */
#include "tokenizer/trie.h"

#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"

enum { EMPTY_LABEL = 256, BLOCK = 256, OPEN_BLOCKS = 16, CELL_LIMIT = 1 << 30 };

/* A block while building: a bit a cell. */
typedef struct block_bits {
	uint64_t free[BLOCK / 64];      /* the cell is empty */
	uint64_t base_used[BLOCK / 64]; /* some node has this cell's index as its base */
	size_t free_count;
} block_bits;

typedef struct builder {
	attend_trie *trie;
	size_t capacity;
	block_bits *blocks;
	size_t block_capacity;
} builder;

static attend_status add_block(builder *b)
{
	attend_trie *trie = b->trie;
	if (trie->count >= CELL_LIMIT) return attend_fail(ATTEND_ERR_UNSUPPORTED, "the vocabulary is too large for a trie");
	const size_t block = trie->count / BLOCK;
	ATTEND_TRY(attend_grow(&trie->cells, &b->capacity, trie->count + BLOCK, sizeof *trie->cells, "trie"));
	ATTEND_TRY(attend_grow(&b->blocks, &b->block_capacity, block + 1, sizeof *b->blocks, "trie"));
	for (size_t i = trie->count; i < trie->count + BLOCK; i++) trie->cells[i] = (attend_trie_cell){0, EMPTY_LABEL};
	memset(&b->blocks[block], 0, sizeof b->blocks[block]);
	memset(b->blocks[block].free, 0xff, sizeof b->blocks[block].free);
	b->blocks[block].free_count = BLOCK;
	trie->count += BLOCK;
	return ATTEND_OK;
}

static bool test_bit(const uint64_t *bits, uint32_t i)
{
	return bits[i / 64] >> (i % 64) & 1;
}

/* May a node of this block have the base and its children their cells? */
static bool fits(const block_bits *block, uint32_t base, const unsigned char *labels, size_t count)
{
	if (test_bit(block->base_used, base)) return false;
	for (size_t i = 0; i < count; i++)
		if (!test_bit(block->free, base ^ labels[i])) return false;
	return true;
}

/* An unused base whose cells for `labels` are free. */
static attend_status find_base(builder *b, uint32_t *out, const unsigned char *labels, size_t count)
{
	const size_t blocks = b->trie->count / BLOCK;
	for (size_t k = blocks > OPEN_BLOCKS ? blocks - OPEN_BLOCKS : 1; k < blocks; k++) {
		if (b->blocks[k].free_count < count) continue;
		for (uint32_t word = 0; word < BLOCK / 64; word++) {
			for (uint64_t bits = b->blocks[k].free[word]; bits != 0; bits &= bits - 1) {
				const uint32_t base = (word * 64 + (uint32_t)__builtin_ctzll(bits)) ^ labels[0];
				if (!fits(&b->blocks[k], base, labels, count)) continue;
				*out = (uint32_t)(k * BLOCK) + base;
				return ATTEND_OK;
			}
		}
	}
	*out = (uint32_t)b->trie->count ^ labels[0];
	return add_block(b);
}

static void take(builder *b, uint32_t base, const unsigned char *labels, size_t count)
{
	block_bits *block = &b->blocks[base / BLOCK];
	block->base_used[base % BLOCK / 64] |= (uint64_t)1 << base % 64;
	for (size_t i = 0; i < count; i++) {
		const uint32_t cell = (base ^ labels[i]) % BLOCK;
		block->free[cell / 64] &= ~((uint64_t)1 << cell % 64);
	}
	block->free_count -= count;
}

/* ---- Placing ---- */

enum { FEW = 16 };

/* Order keys by their byte at `depth`, which all of them have: many through `spare`, counted. */
static void order_keys(attend_trie_key *keys, attend_trie_key *spare, size_t count, uint32_t depth)
{
	if (count <= FEW) {
		for (size_t i = 1; i < count; i++) {
			const attend_trie_key key = keys[i];
			size_t at = i;
			for (; at > 0 && (unsigned char)keys[at - 1].text[depth] > (unsigned char)key.text[depth]; at--)
				keys[at] = keys[at - 1];
			keys[at] = key;
		}
		return;
	}
	size_t ends[257] = {0};
	for (size_t k = 0; k < count; k++) ends[(unsigned char)keys[k].text[depth] + 1]++;
	for (size_t c = 0; c < 256; c++) ends[c + 1] += ends[c];
	memcpy(spare, keys, count * sizeof *keys);
	for (size_t k = 0; k < count; k++) keys[ends[(unsigned char)spare[k].text[depth]]++] = spare[k];
}

/* Move the keys that are no longer than `depth` to the front and return how many they are; *value: their largest value + 1. */
static size_t take_ended(attend_trie_key *keys, size_t count, uint32_t depth, uint32_t *value)
{
	size_t ended = 0;
	*value = 0;
	for (size_t k = 0; k < count; k++) {
		if (keys[k].size > depth) continue;
		const attend_trie_key key = keys[k];
		if ((uint32_t)key.value + 1 > *value) *value = (uint32_t)key.value + 1;
		keys[k] = keys[ended];
		keys[ended++] = key;
	}
	return ended;
}

/* A node whose children are to be placed: keys that share `depth` bytes and are longer than that. */
typedef struct frame {
	size_t first, last;
	uint32_t depth;
	uint32_t parent; /* cell whose base is to be set; UINT32_MAX: the root */
} frame;

/* Depth first with an own stack: keys can be long. A level orders its keys by one byte, so that all is linear in their bytes. */
static attend_status place(builder *b, attend_trie_key *keys, attend_trie_key *spare, size_t count)
{
	frame *stack = NULL;
	size_t capacity = 0, depth = 0;
	attend_status status = attend_grow(&stack, &capacity, 1, sizeof *stack, "trie");
	if (status == ATTEND_OK) stack[depth++] = (frame){0, count, 0, UINT32_MAX};
	while (status == ATTEND_OK && depth > 0) {
		const frame f = stack[--depth];
		unsigned char labels[256];
		size_t starts[257], children = 0;
		order_keys(keys + f.first, spare, f.last - f.first, f.depth);
		for (size_t k = f.first; k < f.last; k++) {
			const unsigned char c = (unsigned char)keys[k].text[f.depth];
			if (children > 0 && labels[children - 1] == c) continue;
			labels[children] = c;
			starts[children++] = k;
		}
		starts[children] = f.last;
		uint32_t base;
		if ((status = find_base(b, &base, labels, children)) != ATTEND_OK) break;
		take(b, base, labels, children);
		if (f.parent == UINT32_MAX) b->trie->root = base;
		else b->trie->cells[f.parent].base = base;
		if ((status = attend_grow(&stack, &capacity, depth + children, sizeof *stack, "trie")) != ATTEND_OK) break;
		for (size_t i = 0; i < children; i++) {
			const size_t size = starts[i + 1] - starts[i];
			uint32_t value;
			const size_t ended = take_ended(keys + starts[i], size, f.depth + 1, &value);
			b->trie->cells[base ^ labels[i]] = (attend_trie_cell){ATTEND_TRIE_DEAD, labels[i] | value << 9};
			if (ended < size) stack[depth++] = (frame){starts[i] + ended, starts[i + 1], f.depth + 1, base ^ labels[i]};
		}
	}
	free(stack);
	return status;
}

attend_status attend_trie_build(attend_trie *trie, attend_trie_key *keys, size_t count)
{
	*trie = (attend_trie){NULL, 0, ATTEND_TRIE_DEAD};
	for (size_t i = 0; i < count; i++)
		if (keys[i].value < 0 || keys[i].value >= ATTEND_TRIE_VALUE_LIMIT)
			return attend_fail(ATTEND_ERR_UNSUPPORTED, "token id %d is out of range (0 to %d)", keys[i].value,
			                   ATTEND_TRIE_VALUE_LIMIT - 1);
	attend_trie_key *spare = attend_alloc_array(count, sizeof *spare);
	if (spare == NULL) return attend_fail_memory(count * sizeof *spare, "trie");
	uint32_t unused;
	const size_t empty = take_ended(keys, count, 0, &unused);
	builder b = {trie, 0, NULL, 0};
	attend_status status = add_block(&b); /* block 0: where leaves lead to */
	if (status == ATTEND_OK && empty < count) status = place(&b, keys + empty, spare, count - empty);
	free(b.blocks);
	free(spare);
	if (status != ATTEND_OK) attend_trie_free(trie);
	return status;
}

void attend_trie_free(attend_trie *trie)
{
	free(trie->cells);
	*trie = (attend_trie){NULL, 0, ATTEND_TRIE_DEAD};
}

uint32_t attend_trie_walk(const attend_trie *trie, uint32_t base, const char *text, size_t size)
{
	int32_t value;
	for (size_t i = 0; i < size; i++)
		if (!attend_trie_step(trie, &base, (unsigned char)text[i], &value)) return ATTEND_TRIE_DEAD;
	return base;
}

int32_t attend_trie_find(const attend_trie *trie, const char *text, size_t size)
{
	uint32_t base = trie->root;
	int32_t value = -1;
	for (size_t i = 0; i < size; i++)
		if (!attend_trie_step(trie, &base, (unsigned char)text[i], &value)) return -1;
	return size > 0 ? value : -1;
}
