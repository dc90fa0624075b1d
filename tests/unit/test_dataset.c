/* test_dataset.c: data files: formats, encodings, columns, labels, splits; every kind of bad row, by its message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <zlib.h>

#include "lib/train/dataset.h"
#include "lib/train/textfile.h"

static char folder[64];

static const char *write_file(const char *name, const void *bytes, size_t size)
{
	static char path[128];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, size, f), size);
	assert_int_equal(fclose(f), 0);
	return path;
}

static const char *write_text(const char *name, const char *text)
{
	return write_file(name, text, strlen(text));
}

static attend_dataset *open_text(const char *name, const char *text, const attend_dataset_options *options)
{
	attend_dataset *d = NULL;
	if (attend_dataset_open(&d, write_text(name, text), options) != ATTEND_OK) fail_msg("%s: %s", name, attend_error());
	return d;
}

static void refuse(const char *name, const char *text, const attend_dataset_options *options, const char *message)
{
	attend_dataset *d = NULL;
	if (attend_dataset_open(&d, write_text(name, text), options) == ATTEND_OK) fail_msg("%s was taken", name);
	if (!strstr(attend_error(), message)) fail_msg("%s: expected \"%s\" in \"%s\"", name, message, attend_error());
}

static void check_row(const attend_dataset *d, size_t i, const char *text, const char *label)
{
	assert_true(i < d->count);
	assert_string_equal(d->examples[i].text, text);
	assert_int_equal(d->examples[i].text_size, strlen(text));
	if (label) assert_string_equal(d->label_names[d->examples[i].label], label);
}

static void test_csv(void **state)
{
	(void)state;
	attend_dataset *d = open_text("a.csv", "text,label\r\n\"a, \"\"b\"\"\nc\",pos\r\nplain,neg\r\n\r\nlast,pos", NULL);
	assert_int_equal(d->count, 3);
	assert_int_equal(d->label_count, 2);
	assert_string_equal(d->label_names[0], "neg");
	check_row(d, 0, "a, \"b\"\nc", "pos");
	assert_int_equal(d->examples[1].line, 4);
	check_row(d, 1, "plain", "neg");
	check_row(d, 2, "last", "pos");
	assert_non_null(strstr(d->columns, "column 1 'text'"));
	attend_dataset_free(d);
	d = open_text("b.csv", "text;label\nx;1\ny;0\n", NULL);
	check_row(d, 0, "x", "1");
	attend_dataset_free(d);
}

static void test_columns(void **state)
{
	(void)state;
	const attend_dataset_options by_name = {.text_column = "body", .label_column = "kind"};
	attend_dataset *d = open_text("c.tsv", "id\tkind\tbody\n1\ta\tone \"quoted\"\n2\tb\ttwo\n", &by_name);
	check_row(d, 0, "one \"quoted\"", "a");
	attend_dataset_free(d);
	const attend_dataset_options by_number = {.text_column = "3", .label_column = "2", .header = -1};
	d = open_text("d.tsv", "1\ta\tone\n2\tb\ttwo\n", &by_number);
	check_row(d, 1, "two", "b");
	attend_dataset_free(d);
	d = open_text("e.tsv", "good film\t1\nbad film\t0\nfine film\t1\n", NULL); /* the shape alone */
	check_row(d, 2, "fine film", "1");
	attend_dataset_free(d);
	d = open_text("f.tsv", "1\tgood film\n0\tbad film\n1\tfine film\n", NULL);
	check_row(d, 1, "bad film", "0");
	attend_dataset_free(d);
	d = open_text("g.tsv", "sentence1\tsentence2\tlabel\na\tb\t0\nc\td\t1\n", NULL);
	assert_string_equal(d->examples[1].pair, "d");
	attend_dataset_free(d);
	const attend_dataset_options missing = {.label_column = "nothing"};
	refuse("h.tsv", "text\tlabel\na\tb\n", &missing, "no column 'nothing' for the label: there are text, label");
}

static void test_jsonl_and_fasttext(void **state)
{
	(void)state;
	attend_dataset *d =
		open_text("a.jsonl", "{\"text\": \"h\\u00e9\", \"label\": 2}\n\n{\"label\": 10, \"text\": \"b\"}\n", NULL);
	check_row(d, 0, "h\xC3\xA9", "2"); /* numbers sort by value */
	check_row(d, 1, "b", "10");
	attend_dataset_free(d);
	d = open_text("b.jsonl", "{\"text\": \"x\", \"labels\": [\"a\", \"c\"]}\n{\"text\": \"y\", \"labels\": [\"b\"]}\n",
	              NULL);
	assert_int_equal(d->kind, ATTEND_LABELS_MULTI);
	assert_int_equal(d->examples[0].label_count, 2);
	assert_int_equal(d->examples[0].labels[1], 2);
	attend_dataset_free(d);
	d = open_text("c.txt", "__label__pos a good one\n__label__neg __label__pos mixed\n", NULL);
	assert_int_equal(d->kind, ATTEND_LABELS_MULTI);
	check_row(d, 1, "mixed", NULL);
	assert_int_equal(d->examples[1].label_count, 2);
	attend_dataset_free(d);
	const attend_dataset_options space = {.format = ATTEND_DATA_SPACE};
	d = open_text("d", "DESC:manner How did it\nNUM:x How many\n", &space);
	check_row(d, 0, "How did it", "DESC:manner");
	attend_dataset_free(d);
}

static void test_encodings(void **state)
{
	(void)state;
	static const unsigned char utf16[] = {0xFF, 0xFE, 't', 0,    'e',  0,    'x',  0,    't', 0,   '\t', 0,    'y',
	                                      0,    '\n', 0,   0x3D, 0xD8, 0x00, 0xDE, '\t', 0,   '1', 0,    '\n', 0};
	attend_dataset *d = NULL;
	assert_int_equal(attend_dataset_open(&d, write_file("u.tsv", utf16, sizeof utf16), NULL), ATTEND_OK);
	check_row(d, 0, "\xF0\x9F\x98\x80", "1");
	attend_dataset_free(d);
	const attend_dataset_options latin = {.encoding = "latin-1"}, windows = {.encoding = "windows-1252"};
	d = open_text("l.tsv", "text\tlabel\ncaf\xE9\t1\n", &latin);
	check_row(d, 0, "caf\xC3\xA9", "1");
	attend_dataset_free(d);
	d = open_text("w.tsv", "text\tlabel\n\x80 5\t1\n", &windows);
	check_row(d, 0, "\xE2\x82\xAC 5", "1");
	attend_dataset_free(d);
	d = open_text("bom.csv", "\xEF\xBB\xBFtext,label\na,b\n", NULL);
	check_row(d, 0, "a", "b");
	attend_dataset_free(d);
	refuse("bad.tsv", "text\tlabel\na\t1\nb\xFF\t2\n", NULL, "bad.tsv:3: byte 0xff is not UTF-8");
	refuse("bad2.tsv", "text\tlabel\na\x81\t1\n", &windows, "bad2.tsv:2: byte 0x81 is not in windows-1252");
}

static void test_gzip(void **state)
{
	(void)state;
	char path[128];
	snprintf(path, sizeof path, "%s/z.tsv.gz", folder);
	gzFile z = gzopen(path, "wb");
	assert_non_null(z);
	gzputs(z, "text\tlabel\nzipped\t1\n");
	gzclose(z);
	attend_dataset *d = NULL;
	if (attend_dataset_open(&d, path, NULL) != ATTEND_OK) fail_msg("%s", attend_error());
	check_row(d, 0, "zipped", "1");
	attend_dataset_free(d);
	assert_int_equal(truncate(path, 25), 0);
	assert_int_equal(attend_dataset_open(&d, path, NULL), ATTEND_ERR_DATA);
	assert_non_null(strstr(attend_error(), "broken gzip"));
}

static void test_bad_rows(void **state)
{
	(void)state;
	refuse("empty.tsv", "", NULL, "the file is empty");
	refuse("blank.tsv", "\n\n  \n", NULL, "the file is empty");
	refuse("header.tsv", "text\tlabel\n", NULL, "a header and no rows");
	refuse("ragged.tsv", "text\tlabel\na\t1\nb\t2\tc\n", NULL, "ragged.tsv:3: 3 columns where the first row has 2");
	refuse("unlabelled.tsv", "text\tlabel\na\t1\nb\t\n", NULL, "unlabelled.tsv:3: no label");
	refuse("quote.csv", "text,label\n\"a,1\n", NULL, "quote.csv:2: a quote is not closed");
	refuse("no_text.tsv", "text\tlabel\n\t1\n", NULL, "no_text.tsv:2: an empty text");
	refuse("bad.jsonl", "{\"text\": \"a\", \"label\": 1}\n{\"text\": \n", NULL, "bad.jsonl:2: no JSON object");
	refuse("lacks.jsonl", "{\"text\": \"a\", \"label\": 1}\n{\"text\": \"b\"}\n", NULL, "lacks.jsonl:2: no label");
	const attend_dataset_options regression = {.labels = ATTEND_LABELS_REGRESSION};
	refuse("words.tsv", "text\tlabel\na\tgood\n", &regression, "words.tsv:2: 'good' is no number");
	const char *const known[] = {"x", "y"};
	const attend_dataset_options closed = {.label_names = known, .label_count = 2};
	refuse("unknown.tsv", "text\tlabel\na\tz\n", &closed, "label 'z' is not among the 2 that the model knows");
	attend_dataset *d = NULL;
	assert_int_equal(attend_dataset_open(&d, write_file("nul.tsv", "text\tlabel\na\0b\t1\n", 18), NULL),
	                 ATTEND_ERR_DATA);
	assert_non_null(strstr(attend_error(), "nul.tsv:2: a NUL byte"));
	const attend_dataset_options skip = {.skip_bad = true};
	d = open_text("skip.tsv", "text\tlabel\na\t1\nb\nc\t2\n", &skip);
	assert_int_equal(d->count, 2);
	assert_int_equal(d->skipped, 1);
	assert_non_null(strstr(d->first_problem, "skip.tsv:3"));
	attend_dataset_free(d);
	const attend_dataset_options encoding = {.encoding = "ebcdic"};
	refuse("e.tsv", "a\tb\n", &encoding, "no encoding is called 'ebcdic'");
}

/* One stray quote costs its own row only, and the rows below keep their lines. */
static void test_quotes(void **state)
{
	(void)state;
	const attend_dataset_options skip = {.skip_bad = true};
	attend_dataset *d = open_text("open.csv", "text,label\n\"open,x\na,x\n\"b\nc\",y\n\"d \"\"e\",y\nf,x\n", &skip);
	assert_int_equal(d->count, 4);
	assert_int_equal(d->skipped, 1);
	assert_string_equal(d->first_problem + strlen(d->path), ":2: text after a closing quote");
	check_row(d, 0, "a", "x");
	check_row(d, 1, "b\nc", "y");
	assert_int_equal(d->examples[1].line, 4);
	check_row(d, 2, "d \"e", "y");
	assert_int_equal(d->examples[2].line, 6);
	check_row(d, 3, "f", "x");
	attend_dataset_free(d);
	d = open_text("last.csv", "text,label\na,x\n\"open,y\nb,y\nc,x\n", &skip);
	assert_int_equal(d->count, 3);
	assert_int_equal(d->skipped, 1);
	assert_string_equal(d->first_problem + strlen(d->path), ":3: a quote is not closed");
	attend_dataset_free(d);
	/* in UTF-16 with its mark, a newline and a doubled quote inside */
	static const char text[] = "text,label\n\"a\n\"\"b\"\"\",x\nc,y\n";
	char wide[2 + 2 * sizeof text] = "\xFE\xFF";
	for (size_t i = 0; i + 1 < sizeof text; i++) wide[2 + 2 * i] = 0, wide[3 + 2 * i] = text[i];
	assert_int_equal(attend_dataset_open(&d, write_file("wide.csv", wide, 2 * sizeof text), NULL), ATTEND_OK);
	check_row(d, 0, "a\n\"b\"", "x");
	check_row(d, 1, "c", "y");
	attend_dataset_free(d);
	const attend_dataset_options windows = {.encoding = "windows-1252"};
	d = open_text("w.csv",
	              "text,label\n\x93"
	              "caf\xE9\x94 \x80,x\n",
	              &windows);
	check_row(d, 0,
	          "\xE2\x80\x9C"
	          "caf\xC3\xA9\xE2\x80\x9D \xE2\x82\xAC",
	          "x");
	attend_dataset_free(d);
	refuse("old.csv", "text,label\ra,x\rb,y\r", NULL, "carriage returns alone");
}

/* fastText takes a label wherever it stands; what would pass for two labels is refused. */
static void test_labels_inside(void **state)
{
	(void)state;
	attend_dataset *d =
		open_text("inside.txt", "__label__b a  text __label__a\t__label__c of words \n__label__a x\n", NULL);
	assert_int_equal(d->kind, ATTEND_LABELS_MULTI);
	check_row(d, 0, "a  text of words", NULL);
	assert_int_equal(d->examples[0].label_count, 3);
	check_row(d, 1, "x", NULL);
	assert_int_equal(d->examples[1].label_count, 1);
	attend_dataset_free(d);
	refuse("unit.txt",
	       "__label__a\x1f"
	       "b text\n",
	       NULL, "unit.txt:1: a control character in a label");
	refuse("unit.jsonl", "{\"text\": \"a\", \"label\": \"x\\u001fy\"}\n", NULL,
	       "unit.jsonl:1: a control character in a label");
	refuse("list.jsonl", "{\"text\": \"a\", \"label\": [\"x\\u001fy\"]}\n", NULL,
	       "list.jsonl:1: a control character in a list");
	refuse("alone.txt", "__label__a __label__b\n", NULL, "alone.txt:1: an empty text");
	refuse("word.txt", "__label__a x\nsome__label__b text\n", NULL, "word.txt:2: no __label__");
}

/* Characters that lie across the edges of the pieces a file is read in, plain and packed; the same by lines as in one. */
static void test_pieces(void **state)
{
	(void)state;
	enum { SIZE = 400000 };
	static char text[SIZE + 8], wide[2 * SIZE + 16];
	size_t size = 0, width = 0;
	for (size_t i = 0; size < SIZE; i++) { /* U+1F600, e acute, newline, in a rhythm that meets every edge */
		const char *const letter = i % 7 == 3     ? "\xF0\x9F\x98\x80"
		                           : i % 3 == 1   ? "\xC3\xA9"
		                           : i % 101 == 0 ? "\n"
		                                          : "z";
		memcpy(text + size, letter, strlen(letter));
		size += strlen(letter);
		static const char face[] = "\x3D\xD8\x00\xDE";
		if (i % 7 == 3) memcpy(wide + width, face, 4);
		else wide[width] = i % 3 == 1 ? (char)0xE9 : *letter, wide[width + 1] = 0;
		width += i % 7 == 3 ? 4 : 2;
	}
	char path[3][128], *out = NULL;
	snprintf(path[0], sizeof path[0], "%s", write_file("pieces.txt", text, size));
	snprintf(path[1], sizeof path[1], "%s", write_file("pieces16.txt", wide, width));
	snprintf(path[2], sizeof path[2], "%s/pieces.txt.gz", folder);
	gzFile packed = gzopen(path[2], "wb");
	assert_non_null(packed);
	assert_int_equal(gzwrite(packed, text, (unsigned)size), size);
	assert_int_equal(gzclose(packed), Z_OK);
	for (int i = 0; i < 3; i++) {
		const char *const encoding = i == 1 ? "utf-16le" : NULL;
		size_t got = 0;
		assert_int_equal(attend_textfile_read(&out, &got, path[i], encoding), ATTEND_OK);
		assert_int_equal(got, size);
		assert_memory_equal(out, text, size);
		free(out);
		attend_textstream *stream = NULL;
		assert_int_equal(attend_textstream_open(&stream, path[i], encoding), ATTEND_OK);
		const char *line;
		size_t at = 0;
		do {
			assert_int_equal(attend_textstream_line(stream, &line, &got), ATTEND_OK);
			assert_memory_equal(line, text + at, got);
			at += got;
			assert_true(at == size || !got || line[got - 1] == '\n');
		} while (got);
		assert_int_equal(at, size);
		attend_textstream_close(stream);
	}
}

static void test_regression_and_split(void **state)
{
	(void)state;
	const attend_dataset_options regression = {.labels = ATTEND_LABELS_REGRESSION};
	attend_dataset *d = open_text("r.tsv", "text\tlabel\na\t1.5\nb\t-2\n", &regression);
	assert_true(d->examples[0].value > 1.49 && d->examples[0].value < 1.51);
	attend_dataset_free(d);
	char text[8192] = "text\tlabel\n";
	for (int i = 0; i < 100; i++) sprintf(text + strlen(text), "row %d\t%s\n", i, i % 10 == 0 ? "rare" : "often");
	d = open_text("s.tsv", text, NULL);
	uint8_t held[100], again[100];
	assert_int_equal(attend_dataset_split(d, 0.2, 7, held), 20);
	assert_int_equal(attend_dataset_split(d, 0.2, 7, again), 20);
	assert_memory_equal(held, again, sizeof held);
	size_t rare = 0;
	for (size_t i = 0; i < 100; i += 10) rare += held[i];
	assert_int_equal(rare, 2);
	assert_int_equal(attend_dataset_split(d, 0.2, 8, again), 20);
	assert_memory_not_equal(held, again, sizeof held);
	attend_dataset_free(d);
}

static int make_folder(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/attend-dataset-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	char command[128];
	snprintf(command, sizeof command, "rm -r %s", folder);
	return system(command);
}

/* Numbered afterwards or from the start: the same dataset, for a run that is resumed too. */
static void test_renumber(void **state)
{
	(void)state;
	static const char *const names[] = {"z", "x", "unused", "y"}, *const twice[] = {"x", "y", "z", "y"},
							 *const few[] = {"x", "y"};
	static const char *const texts[2] = {"a b\tx\nc d\ty\ne f\tz\ng h\ty\n",
	                                     "__label__x __label__z a b\n__label__y c d\n"};
	for (int multi = 0; multi < 2; multi++) {
		const attend_dataset_options numbered = {.label_names = names, .label_count = 4};
		attend_dataset *from_start = open_text(multi ? "n.txt" : "n.tsv", texts[multi], &numbered),
					   *later = open_text(multi ? "n.txt" : "n.tsv", texts[multi], NULL);
		assert_int_equal(later->kind, multi ? ATTEND_LABELS_MULTI : ATTEND_LABELS_SINGLE);
		assert_int_equal(attend_dataset_renumber(later, few, 2), ATTEND_ERR_ARG);
		assert_non_null(strstr(attend_error(), "label 'z' has no number"));
		assert_int_equal(attend_dataset_renumber(later, twice, 4), ATTEND_ERR_DATA);
		assert_non_null(strstr(attend_error(), "label 'y' stands twice"));
		assert_int_equal(later->label_count, 3);
		assert_int_equal(attend_dataset_renumber(later, names, 4), ATTEND_OK);
		assert_int_equal(later->label_count, 4);
		assert_string_equal(later->label_names[2], "unused");
		if (!multi) check_row(later, 1, "c d", "y");
		else assert_memory_equal(later->examples[0].labels, ((int32_t[]){0, 1}), 2 * sizeof(int32_t));
		assert_true(later->hash == from_start->hash);
		attend_dataset_free(from_start);
		attend_dataset_free(later);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_csv),
		cmocka_unit_test(test_columns),
		cmocka_unit_test(test_renumber),
		cmocka_unit_test(test_jsonl_and_fasttext),
		cmocka_unit_test(test_encodings),
		cmocka_unit_test(test_gzip),
		cmocka_unit_test(test_bad_rows),
		cmocka_unit_test(test_quotes),
		cmocka_unit_test(test_labels_inside),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_regression_and_split),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
