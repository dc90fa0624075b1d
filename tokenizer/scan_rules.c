/* scan_rules.c: what scanner a pattern's text stands for.
 *
 * GPT-2:  's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 * GPT-4:  (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
 *
 * What came after GPT-4 (Llama 3, Qwen, o200k, Mistral's tekken, DeepSeek) changes one alternative or another, and each is
 * spelled in several ways: so alternatives are recognised one by one. What is not spelled as here stays a regular expression. */
#include <string.h>

#include "tokenizer/scanner.h"
#include "tokenizer/unicode_tables.h"

#define SET(kind) (1u << ATTEND_KIND_##kind)
enum {
	LETTERS = SET(UPPER) | SET(LOWER) | SET(CASELESS),
	MARKS = SET(MARK),
	NUMBERS = SET(NUMBER),
	SIGNS = SET(PUNCTUATION) | SET(SYMBOL),
	WHITE = SET(WHITE),
	ALL = LETTERS | MARKS | NUMBERS | SIGNS | WHITE | SET(CONTROL)
};

const char attend_gpt2_pattern[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
const attend_scanner attend_scanner_gpt2 = {.family = ATTEND_SCAN_GPT2};

/* An alternative in one of its spellings: *at moves behind it and the '|' that follows. */
static bool take(const char **at, const char *spelling)
{
	const size_t size = strlen(spelling);
	if (strncmp(*at, spelling, size) != 0) return false;
	const char *const end = *at + size;
	if (*end && (*end != '|' || !end[1])) return false;
	*at = *end ? end + 1 : end;
	return true;
}

#define LIST    "'s|'t|'re|'ve|'m|'ll|'d"
#define ANY_ONE "[^\\r\\n\\p{L}\\p{N}]?"
#define UPPER   "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER   "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define BEHIND  "(?i:" LIST ")?"

static bool take_letters(const char **at, attend_scanner *s)
{
	s->prefixes = ALL & ~(LETTERS | NUMBERS);
	s->letters = LETTERS | MARKS;
	if (take(at, ANY_ONE "[\\p{L}\\p{M}]+")) return true;
	s->cased = true;
	if (take(at, ANY_ONE UPPER "*" LOWER "+")) return take(at, ANY_ONE UPPER "+" LOWER "*");
	s->contractions = ATTEND_CONTRACTIONS_BEHIND;
	if (take(at, ANY_ONE UPPER "*" LOWER "+" BEHIND)) return take(at, ANY_ONE UPPER "+" LOWER "*" BEHIND);
	return false;
}

static bool take_plain_letters(const char **at, attend_scanner *s)
{
	s->prefixes = ALL & ~(LETTERS | NUMBERS);
	s->letters = LETTERS;
	return take(at, ANY_ONE "\\p{L}+") || take(at, ANY_ONE "+\\p{L}+") || take(at, ANY_ONE "+\\p{L}++");
}

static bool take_numbers(const char **at, attend_scanner *s)
{
	static const struct {
		const char *spelling;
		uint8_t most;
	} all[] = {{"\\p{N}", 1}, {"\\p{N}{1,2}", 2}, {"\\p{N}{1,3}", 3}, {"\\p{N}+", 0}};
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		if (!take(at, all[i].spelling)) continue;
		s->most_numbers = all[i].most;
		return true;
	}
	return false;
}

static bool take_others(const char **at, attend_scanner *s)
{
	s->others = ALL & ~(WHITE | LETTERS | MARKS | NUMBERS);
	if (take(at, " ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*")) return true;
	s->others |= MARKS;
	if (take(at, " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*") || take(at, " ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*")) return true;
	s->slashes = true;
	return take(at, " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*");
}

static bool take_white(const char **at)
{
	return (take(at, "\\s*[\\r\\n]+") || take(at, "\\s*[\\r\\n]")) && take(at, "\\s+(?!\\S)") &&
	       (take(at, "\\s+") || take(at, "\\s"));
}

attend_scanner attend_scanner_of_regex(const char *regex)
{
	static const char *const gpt2[] = {
		attend_gpt2_pattern, "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"};
	const attend_scanner none = {.family = ATTEND_SCAN_NONE};
	attend_scanner s = {.family = ATTEND_SCAN_GPT4};
	for (size_t i = 0; i < sizeof gpt2 / sizeof gpt2[0]; i++)
		if (strcmp(regex, gpt2[i]) == 0) return attend_scanner_gpt2;
	if (take(&regex, "(?i:" LIST ")") || take(&regex, "'(?i:[sdmt]|ll|ve|re)"))
		s.contractions = ATTEND_CONTRACTIONS_FRONT;
	if (!take_plain_letters(&regex, &s) && !take_letters(&regex, &s)) return none;
	if (!take_numbers(&regex, &s) || !take_others(&regex, &s) || !take_white(&regex) || *regex) return none;
	return (s.letters | NUMBERS | s.others | WHITE) == ALL ? s : none; /* some word for every character */
}

attend_scanner attend_scanner_find(const attend_pattern *pattern)
{
	const char *const regex = attend_pattern_regex(pattern);
	return regex ? attend_scanner_of_regex(regex) : (attend_scanner){.family = ATTEND_SCAN_NONE};
}

attend_scanner attend_scanner_of_splits(const attend_pattern *first, const attend_pattern *second,
                                        const attend_pattern *third)
{
	static const char cjk[] = "[\xe4\xb8\x80-\xe9\xbe\xa5\xe3\x81\x80-\xe3\x82\x9f\xe3\x82\xa0-\xe3\x83\xbf]+";
	static const char rest[] =
		"[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+|"
		" ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
	const char *const a = attend_pattern_regex(first), *const b = attend_pattern_regex(second),
					  *const c = attend_pattern_regex(third);
	if (!a || !b || !c || strcmp(a, "\\p{N}{1,3}") != 0 || strcmp(b, cjk) != 0 || strcmp(c, rest) != 0)
		return (attend_scanner){.family = ATTEND_SCAN_NONE};
	return (attend_scanner){.family = ATTEND_SCAN_GPT4,
	                        .cuts = ATTEND_CUTS_NUMBERS_CJK,
	                        .prefixes = ALL & ~(LETTERS | SIGNS),
	                        .letters = LETTERS | MARKS,
	                        .others = SIGNS,
	                        .most_numbers = 3,
	                        .ascii_words = true};
}
