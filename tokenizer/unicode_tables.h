/* unicode_tables.h: the generated character tables (make_unicode_tables.py); used by unicode.c, normal_forms.c, regex.c. */
#ifndef ATTEND_TOKENIZER_UNICODE_TABLES_H
#define ATTEND_TOKENIZER_UNICODE_TABLES_H

#include <stddef.h>
#include <stdint.h>

/* Bits of attend_unicode_class. */
enum {
	ATTEND_CLASS_WHITE = 1,
	ATTEND_CLASS_BERT_CONTROL = 2,
	ATTEND_CLASS_BERT_PUNCTUATION = 4,
	ATTEND_CLASS_BERT_MARK = 8,
	ATTEND_CLASS_COMBINING = 16,
	ATTEND_CLASS_WORD = 32,
	ATTEND_CLASS_NUMERIC = 64,
	ATTEND_CLASS_LETTER = 128
};
/* Bits of attend_unicode_shape: what a normaliser may do to a character. */
enum {
	ATTEND_SHAPE_NFD = 1,     /* has a canonical decomposition (Hangul syllables too) */
	ATTEND_SHAPE_NFKD = 2,    /* has any decomposition */
	ATTEND_SHAPE_CCC = 4,     /* combining class is not 0 */
	ATTEND_SHAPE_LOWER = 8,   /* its lower case differs */
	ATTEND_SHAPE_SECOND = 16, /* may combine with a character before it */
	ATTEND_SHAPE_NUMBER = 32  /* \p{N} of Oniguruma */
};

/* Values of attend_unicode_kind: what word patterns ask of a character, by its general category in Oniguruma. */
typedef enum attend_kind {
	ATTEND_KIND_CONTROL,  /* Cc Cf Co Cn */
	ATTEND_KIND_UPPER,    /* Lu Lt */
	ATTEND_KIND_LOWER,    /* Ll */
	ATTEND_KIND_CASELESS, /* Lm Lo */
	ATTEND_KIND_MARK,
	ATTEND_KIND_NUMBER,
	ATTEND_KIND_PUNCTUATION,
	ATTEND_KIND_SYMBOL,
	ATTEND_KIND_WHITE /* \s: Z and five of Cc */
} attend_kind;

/* Block of a code point's upper bits, then the value of its lowest eight. */
extern const uint8_t attend_unicode_class_index[0x1100];
extern const uint8_t attend_unicode_class[][256];
extern const uint8_t attend_unicode_shape_index[0x1100];
extern const uint8_t attend_unicode_shape[][256];
extern const uint8_t attend_unicode_kind_index[0x1100];
extern const uint8_t attend_unicode_kind[][256];

/* Full decompositions but Hangul's, by code point: `canonical` code points at `offset` of the pool (0: none), behind them
 * the `compatibility` ones (0: as the canonical ones). */
typedef struct attend_unicode_decomposition {
	uint32_t code;
	uint16_t offset;
	uint8_t canonical, compatibility;
} attend_unicode_decomposition;
extern const uint32_t attend_unicode_pool[];
extern const attend_unicode_decomposition attend_unicode_decompositions[];
extern const size_t attend_unicode_decomposition_count;

/* Primary composites, by first and second. */
typedef struct attend_unicode_pair {
	uint32_t first, second, composed;
} attend_unicode_pair;
extern const attend_unicode_pair attend_unicode_pairs[];
extern const size_t attend_unicode_pair_count;

typedef struct attend_unicode_range {
	uint32_t start, end; /* inclusive */
} attend_unicode_range;

typedef struct attend_unicode_value {
	uint32_t start, end; /* inclusive */
	uint8_t value;
} attend_unicode_value;
extern const attend_unicode_value attend_unicode_combining_classes[];
extern const size_t attend_unicode_combining_class_count;
extern const attend_unicode_value attend_unicode_scripts[];
extern const size_t attend_unicode_script_count;

typedef struct attend_unicode_map {
	uint32_t from, to;
} attend_unicode_map;
extern const attend_unicode_map attend_unicode_lowercase[];
extern const size_t attend_unicode_lowercase_count;

/* Named sets for regular expressions: general categories, \w, \s, some scripts. */
typedef struct attend_unicode_set {
	const char *name;
	const attend_unicode_range *ranges;
	size_t count;
} attend_unicode_set;
extern const attend_unicode_set attend_unicode_sets[];
extern const size_t attend_unicode_set_count;

static inline uint8_t attend_class_of(uint32_t c)
{
	return attend_unicode_class[attend_unicode_class_index[c >> 8]][c & 0xff];
}

static inline uint8_t attend_shape_of(uint32_t c)
{
	return attend_unicode_shape[attend_unicode_shape_index[c >> 8]][c & 0xff];
}

static inline attend_kind attend_kind_of(uint32_t c)
{
	return (attend_kind)attend_unicode_kind[attend_unicode_kind_index[c >> 8]][c & 0xff];
}

#endif
