/* test_spm.c: the reader of SentencePiece files: fields, defaults, and every way to break one. */
#include "tests/support/check.h"
#include "tests/tokenizer/spm_bytes.h"

static void small_model(attend_buffer *out)
{
	attend_buffer part = {0};
	put_piece(out, "<unk>", 0, ATTEND_SPM_UNKNOWN);
	put_piece(out, "<s>", 0, ATTEND_SPM_CONTROL);
	put_piece(out, "\u2581a", -1.5f, ATTEND_SPM_NORMAL);
	put_piece(out, "(", -2, ATTEND_SPM_USER_DEFINED);
	put_number(&part, 3, 1);
	put_number(&part, 35, 1);
	put_number(&part, 40, 0);
	put_bytes(&part, 45, "<unk>", 5);
	put_number(&part, 999, 3); /* unknown fields are passed over */
	put_bytes(out, 2, part.data, part.size);
	attend_buffer_clear(&part);
	put_bytes(&part, 1, "identity", 8);
	put_bytes(&part, 2, "\x04\0\0\0\0\0\0\0", 8);
	put_number(&part, 3, 0);
	put_number(&part, 5, 0);
	put_bytes(out, 3, part.data, part.size);
	put_bytes(out, 5, "", 0);
	attend_buffer_free(&part);
}

static attend_status parse(attend_spm *out, const void *bytes, size_t size)
{
	char *copy = malloc(size ? size : 1); /* an exact block: a sanitizer sees a read past its end */
	assert_non_null(copy);
	if (size) memcpy(copy, bytes, size);
	return attend_spm_parse(out, copy, size);
}

static void reads_all_fields(void **state)
{
	(void)state;
	attend_buffer bytes = {0};
	attend_spm spm;
	small_model(&bytes);
	assert_ok(parse(&spm, bytes.data, bytes.size));
	assert_int_equal(spm.count, 4);
	assert_int_equal(spm.pieces[0].type, ATTEND_SPM_UNKNOWN);
	assert_int_equal(spm.pieces[2].type, ATTEND_SPM_NORMAL);
	assert_int_equal(spm.pieces[2].size, 4);
	assert_memory_equal(spm.pieces[2].text, "\u2581a", 4);
	assert_true(spm.pieces[2].score == -1.5f);
	assert_int_equal(spm.pieces[3].type, ATTEND_SPM_USER_DEFINED);
	assert_true(spm.byte_fallback);
	assert_int_equal(spm.charsmap_size, 8);
	assert_false(spm.add_dummy_prefix);
	assert_true(spm.remove_extra_whitespaces);
	assert_false(spm.escape_whitespaces);
	attend_spm_free(&spm);
	attend_buffer_free(&bytes);
}

static void defaults(void **state)
{
	(void)state;
	attend_buffer bytes = {0};
	attend_spm spm;
	put_piece(&bytes, "a", 0, ATTEND_SPM_NORMAL);
	assert_ok(parse(&spm, bytes.data, bytes.size));
	assert_int_equal(spm.model_type, ATTEND_SPM_UNIGRAM);
	assert_int_equal(spm.unk_id, 0);
	assert_false(spm.byte_fallback);
	assert_int_equal(spm.charsmap_size, 0);
	assert_true(spm.add_dummy_prefix && spm.remove_extra_whitespaces && spm.escape_whitespaces);
	attend_spm_free(&spm);
	attend_buffer_free(&bytes);
}

/* Cut at each byte, and each byte changed to a few values: an error or a model, never a read outside. */
static void cut_and_changed(void **state)
{
	(void)state;
	attend_buffer bytes = {0};
	small_model(&bytes);
	size_t refused = 0;
	for (size_t size = 0; size < bytes.size; size++) {
		attend_spm spm;
		if (parse(&spm, bytes.data, size) == ATTEND_OK) attend_spm_free(&spm);
		else refused++;
	}
	assert_in_range(refused, bytes.size - 8, bytes.size); /* but for the ends of whole fields */
	static const unsigned char values[] = {0, 1, 2, 0x7f, 0x80, 0xff};
	for (size_t i = 0; i < bytes.size; i++) {
		const char old = bytes.data[i];
		for (size_t v = 0; v < sizeof values; v++) {
			attend_spm spm;
			bytes.data[i] = (char)values[v];
			if (parse(&spm, bytes.data, bytes.size) == ATTEND_OK) attend_spm_free(&spm);
		}
		bytes.data[i] = old;
	}
	attend_buffer_free(&bytes);
}

static void refuses(const void *bytes, size_t size, const char *part)
{
	attend_spm spm;
	assert_fails(ATTEND_ERR_FORMAT, part, parse(&spm, bytes, size));
}

static void broken_wire_format(void **state)
{
	(void)state;
	refuses("", 0, "without pieces");
	refuses("\x0a", 1, "byte 1: the file ends");
	refuses("\x0a\x05\x0a", 3, "reaches beyond");
	refuses("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, "reaches beyond"); /* 2^64 - 1 bytes */
	refuses("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11, "ten bytes");
	refuses("\x0b", 1, "wire type"); /* a group */
	refuses("\x00\x00", 2, "field number");
	refuses("\x08\x01", 2, "unexpected wire type"); /* pieces as a number */
	refuses("{\"model\": 1}", 12, "SentencePiece model");
	refuses("\x0a\x03\x0a\x01\xff", 5, "UTF-8");
	refuses("\x0a\x05\x15\x00\x00\xc0\x7f", 7, "no number"); /* NaN */
	refuses("\x0a\x02\x18\x09", 4, "type of piece");
	refuses("\x12\x02\x18\x63", 4, "model type");
	refuses("\x12\x0c\xc0\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 14, "unk_id");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_all_fields),
		cmocka_unit_test(defaults),
		cmocka_unit_test(cut_and_changed),
		cmocka_unit_test(broken_wire_format),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
