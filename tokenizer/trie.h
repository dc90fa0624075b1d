/* trie.h: byte strings in a double array (Aoe 1989; XOR addressing in blocks of 256): all prefixes of a text in one walk. */
#ifndef ATTEND_TOKENIZER_TRIE_H
#define ATTEND_TOKENIZER_TRIE_H

#include "lib/core/status.h"

enum { ATTEND_TRIE_VALUE_LIMIT = (1 << 23) - 1 }; /* values are 0 .. this - 1 */

/* The child of a node with base b by byte c is cells[b ^ c], if its label is c. */
typedef struct attend_trie_cell {
	uint32_t base;
	uint32_t label_value; /* low 9 bits: label, 256 in an empty cell; the others: value + 1, 0: no key ends here */
} attend_trie_cell;

typedef struct attend_trie {
	attend_trie_cell *cells;
	size_t count;
	uint32_t root; /* base of the root */
} attend_trie;

typedef struct attend_trie_key {
	const char *text;
	uint32_t size;
	int32_t value;
} attend_trie_key;

/* Build from `count` keys, whose order changes; of equal keys the one with the largest value counts; empty keys are left out.
 * NOMEM; UNSUPPORTED: a value out of range. On failure the trie is empty. */
attend_status attend_trie_build(attend_trie *trie, attend_trie_key *keys, size_t count);
void attend_trie_free(attend_trie *trie);

/* Where the walk from a node of base 0 ends: nowhere. */
enum { ATTEND_TRIE_DEAD = 0 };

/* One step: *base of a node -> base of its child by `byte`; *value: that child's value or -1. False: no such child. */
static inline bool attend_trie_step(const attend_trie *trie, uint32_t *base, unsigned char byte, int32_t *value)
{
	const attend_trie_cell cell = trie->cells[*base ^ byte];
	if ((cell.label_value & 511u) != byte) return false;
	*base = cell.base;
	*value = (int32_t)(cell.label_value >> 9) - 1;
	return true;
}

/* Base of the node that `text` leads to, ATTEND_TRIE_DEAD when there is none (or it has no children). */
uint32_t attend_trie_walk(const attend_trie *trie, uint32_t base, const char *text, size_t size);
/* Value of the whole `text`; -1: no such key. */
int32_t attend_trie_find(const attend_trie *trie, const char *text, size_t size);

#endif
