/* test_safetensors.c: every rule of the format when reading (huggingface.md 1.2) with the words that name the place, the writer's
 * order and padding (1.4), and files of other writers. */
#include "loaders/safetensors.h"

#include <dirent.h>
#include <math.h>
#include <unistd.h>

#include "lib/core/file.h"
#include "loaders/safetensors_write.h"
#include "tests/support/check.h"

/* Length, header text, `data` zero bytes. */
static unsigned char *make(const char *header, size_t data, size_t *size)
{
	const size_t n = strlen(header);
	unsigned char *bytes = calloc(1, 8 + n + data + 1);
	assert_non_null(bytes);
	for (unsigned i = 0; i < 8; i++) bytes[i] = (unsigned char)((uint64_t)n >> (8 * i));
	memcpy(bytes + 8, header, n);
	*size = 8 + n + data;
	return bytes;
}

static attend_safetensors *good(const char *header, size_t data)
{
	size_t size;
	unsigned char *bytes = make(header, data, &size);
	attend_safetensors *file = NULL;
	assert_ok(attend_safetensors_parse(&file, bytes, size, "t.safetensors"));
	free(bytes); /* the tests below look at names and shapes only */
	return file;
}

static void bad(const char *header, size_t data, const char *message)
{
	size_t size;
	unsigned char *bytes = make(header, data, &size);
	attend_safetensors *file = NULL;
	assert_fails(ATTEND_ERR_FORMAT, message, attend_safetensors_parse(&file, bytes, size, "t.safetensors"));
	assert_null(file);
	assert_memory_equal(attend_error(), "t.safetensors: ", 15);
	free(bytes);
}

#define T "{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}"

static void test_length(void **state)
{
	(void)state;
	attend_safetensors *file;
	unsigned char bytes[16] = {0};
	assert_fails(ATTEND_ERR_FORMAT, "at least 8 bytes, found 7", attend_safetensors_parse(&file, bytes, 7, "t"));
	assert_fails(ATTEND_ERR_FORMAT, "at least 8 bytes, found 0", attend_safetensors_parse(&file, bytes, 0, "t"));
	bytes[0] = 9; /* 9 bytes of header, 8 follow */
	assert_fails(ATTEND_ERR_FORMAT, "has 9 bytes, but only 8 follow", attend_safetensors_parse(&file, bytes, 16, "t"));
	memset(bytes, 0xff, 8);
	assert_fails(ATTEND_ERR_FORMAT, "at most 100000000", attend_safetensors_parse(&file, bytes, 16, "t"));
	const uint64_t limit = 100000000; /* itself allowed: then the file is too short */
	for (unsigned i = 0; i < 8; i++) bytes[i] = (unsigned char)(limit >> (8 * i));
	assert_fails(ATTEND_ERR_FORMAT, "only 8 follow", attend_safetensors_parse(&file, bytes, 16, "t"));
	memset(bytes, 0, 8);
	assert_fails(ATTEND_ERR_FORMAT, "expected a JSON value", attend_safetensors_parse(&file, bytes, 8, "t"));
}

static void test_header(void **state)
{
	(void)state;
	bad("[]", 0, "expected an object, found an array");
	bad("{\"a\":" T "} x", 8, "expected nothing after");
	bad("{\"a\":" T ",}", 8, "expected a key");
	bad("{\"\xff\":" T "}", 8, "UTF-8");
	bad("{\"a\":3}", 0, "$.a: expected an object {dtype, shape, data_offsets}");
	bad("{\"a\":{\"shape\":[],\"data_offsets\":[0,4]}}", 4, "$.a: dtype is missing");
	bad("{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "$.a: shape is missing");
	bad("{\"a\":{\"dtype\":\"F32\",\"shape\":[]}}", 4, "$.a: data_offsets is missing");
	bad("{\"a\":{\"dtype\":\"F31\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, "unknown dtype \"F31\"");
	bad("{\"a\":{\"dtype\":1,\"shape\":[],\"data_offsets\":[0,4]}}", 4, "$.a.dtype: expected a string");
	bad("{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, "twice");
	bad("{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, "$.a.shape[0]: expected an integer");
	bad("{\"a\":{\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,4]}}", 4, "$.a.shape[0]: expected an integer");
	bad("{\"a\":{\"dtype\":\"F32\",\"shape\":[99999999999999999999],\"data_offsets\":[0,4]}}", 4, "$.a.shape[0]");
	bad("{\"a\":{\"dtype\":\"F32\",\"shape\":4,\"data_offsets\":[0,4]}}", 4, "expected an array of sizes");
	bad("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, "expected [begin, end]");
	bad("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]}}", 4, "expected [begin, end]");
	bad("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,-4]}}", 4, "$.a.data_offsets[1]");
	bad("{\"__metadata__\":{\"a\":1}}", 0, "$.__metadata__.a: expected a string");
	bad("{\"__metadata__\":[]}", 0, "expected an object of strings");
	bad("{\"__metadata__\":{},\"__metadata__\":{}}", 0, "twice");
	bad("{\"a\":" T ",\"a\":" T "}", 8, "tensor 'a' is there twice");

	char deep[600];
	memset(deep, '[', 200);
	deep[200] = 0;
	bad(deep, 0, "deep");

	size_t size;
	attend_safetensors *file = NULL;
	unsigned char *bytes =
		make("{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}", 1, &size);
	assert_fails(ATTEND_ERR_UNSUPPORTED, "9 dimensions", attend_safetensors_parse(&file, bytes, size, "t"));
	free(bytes);
}

static void test_places(void **state)
{
	(void)state;
#define F32(NAME, SHAPE, BEGIN, END) \
	"\"" NAME "\":{\"dtype\":\"F32\",\"shape\":" SHAPE ",\"data_offsets\":[" BEGIN "," END "]}"
	bad("{" F32("a", "[1]", "4", "8") "}", 8,
	    "'a': expected data_offsets that begin at 0, found [4, 8] (there is a hole)");
	bad("{" F32("a", "[1]", "0", "4") "," F32("b", "[1]", "8", "12") "}", 12,
	    "'b': expected data_offsets that begin at 4");
	bad("{" F32("a", "[2]", "0", "8") "," F32("b", "[1]", "4", "8") "}", 8,
	    "'b': expected data_offsets that begin at 8, found [4, 8] (tensors overlap)");
	bad("{" F32("a", "[1]", "0", "4") "," F32("b", "[1]", "4", "2") "}", 4, "end before begin");
	bad("{" F32("a", "[3]", "0", "8") "}", 8, "'a': F32[3]: expected 12 bytes, found data_offsets [0, 8] of 8 bytes");
	bad("{" F32("a", "[2,2]", "0", "8") "}", 8, "F32[2,2]: expected 16 bytes");
	bad("{" F32("a", "[4294967296,4294967296]", "0", "8") "}", 8, "the product of the shape overflows");
	bad("{" F32("a", "[2305843009213693952]", "0", "8") "}", 8, "overflows");
	bad("{\"a\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,1]}}", 1, "not a whole number of bytes");
	bad("{" F32("a", "[2]", "0", "8") "}", 7,
	    "expected 8 bytes of tensors by the header, found 7 (the file is cut short)");
	bad("{" F32("a", "[2]", "0", "8") "}", 9, "found 9 (there are trailing bytes)");
	bad("{}", 1, "trailing bytes");
	bad("{" F32("a", "[1]", "9223372036854775807", "9223372036854775807") "}", 4, "hole");
}

static void test_good(void **state)
{
	(void)state;
	attend_safetensors *file = good("{}", 0);
	assert_int_equal(attend_safetensors_count(file), 0);
	attend_safetensors_free(file);

	/* blanks around, unknown fields, empty and odd names, zero sizes anywhere, scalars, sub-byte types */
	file = good("  \n{\"__metadata__\":null,\"\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4],\"extra\":{}},"
	            "\"z\":{\"dtype\":\"I64\",\"shape\":[3,0,7],\"data_offsets\":[4,4]},"
	            "\"\xc3\xa9\":{\"dtype\":\"F4\",\"shape\":[2,3],\"data_offsets\":[4,7]}} \t",
	            7);
	size_t i;
	assert_int_equal(attend_safetensors_count(file), 3);
	assert_true(attend_safetensors_find(&i, file, ""));
	assert_int_equal(attend_safetensors_tensor(file, i)->rank, 0);
	assert_true(attend_safetensors_find(&i, file, "z"));
	assert_int_equal(attend_safetensors_tensor(file, i)->shape[2], 7);
	assert_true(attend_safetensors_find(&i, file, "\xc3\xa9"));
	assert_int_equal(attend_safetensors_tensor(file, i)->dtype, ATTEND_DTYPE_F4);
	assert_false(attend_safetensors_find(&i, file, "missing"));
	attend_safetensors_free(file);

	file = good("{\"__metadata__\":{\"format\":\"pt\",\"b\":\"c\"},\"a\":" T "}", 8);
	assert_string_equal(attend_safetensors_metadata(file, "format"), "pt");
	assert_string_equal(attend_safetensors_metadata(file, "b"), "c");
	assert_null(attend_safetensors_metadata(file, "d"));
	attend_safetensors_free(file);
	attend_safetensors_free(NULL);
}

/* ---- Writing -------------------------------------------------------------------------------------------------------------- */

static void test_write(void **state)
{
	(void)state;
	char path[] = "/tmp/attend_write_XXXXXX";
	const int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	const float f[4] = {1.5f, -2.0f, 0.1f, 65000.0f}, large[2] = {INFINITY, 70000.0f};
	const int64_t ids[2] = {7, -1};
	const attend_safetensors_item items[] = {
		{"b", {ATTEND_DTYPE_F32, 1, {2}, f}, ATTEND_DTYPE_F32},
		{"half", {ATTEND_DTYPE_F16, 1, {4}, f}, ATTEND_DTYPE_F32},
		{"brain", {ATTEND_DTYPE_BF16, 2, {2, 2}, f}, ATTEND_DTYPE_F32},
		{"wide", {ATTEND_DTYPE_F64, 1, {4}, f}, ATTEND_DTYPE_F32},
		{"ids", {ATTEND_DTYPE_I64, 1, {2}, ids}, ATTEND_DTYPE_I64},
		{"a\"\xc3\xa9", {ATTEND_DTYPE_F32, 0, {0}, f}, ATTEND_DTYPE_F32},
		{"none", {ATTEND_DTYPE_F32, 2, {0, 3}, NULL}, ATTEND_DTYPE_F32},
	};
	assert_ok(attend_safetensors_write(path, items, sizeof items / sizeof items[0]));

	char *bytes;
	size_t size;
	assert_ok(attend_file_read(&bytes, &size, path, 0));
	/* wide types first, then names by bytes; compact; padded to 8 */
	const char *header = "{\"__metadata__\":{\"format\":\"pt\"},"
						 "\"ids\":{\"dtype\":\"I64\",\"shape\":[2],\"data_offsets\":[0,16]},"
						 "\"wide\":{\"dtype\":\"F64\",\"shape\":[4],\"data_offsets\":[16,48]},"
						 "\"a\\\"\xc3\xa9\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[48,52]},"
						 "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[52,60]},"
						 "\"none\":{\"dtype\":\"F32\",\"shape\":[0,3],\"data_offsets\":[60,60]},"
						 "\"brain\":{\"dtype\":\"BF16\",\"shape\":[2,2],\"data_offsets\":[60,68]},"
						 "\"half\":{\"dtype\":\"F16\",\"shape\":[4],\"data_offsets\":[68,76]}}";
	assert_memory_equal(bytes + 8, header, strlen(header));
	const size_t n = (size_t)(unsigned char)bytes[0] | (size_t)(unsigned char)bytes[1] << 8;
	assert_int_equal(n % 8, 0);
	for (size_t i = strlen(header); i < n; i++) assert_int_equal(bytes[8 + i], ' ');
	assert_int_equal(size, 8 + n + 76);
	free(bytes);

	attend_safetensors *file;
	size_t i;
	float back[4];
	assert_ok(attend_safetensors_open(&file, path));
	assert_true(attend_safetensors_find(&i, file, "wide"));
	attend_to_f32(back, attend_safetensors_tensor(file, i)->data, ATTEND_DTYPE_F64, 4);
	assert_memory_equal(back, f, sizeof f);
	assert_true(attend_safetensors_find(&i, file, "half"));
	attend_to_f32(back, attend_safetensors_tensor(file, i)->data, ATTEND_DTYPE_F16, 4);
	assert_true(back[0] == 1.5f && back[1] == -2.0f && back[2] == 0.0999755859375f && back[3] == 64992.0f);
	assert_true(attend_safetensors_find(&i, file, "brain"));
	attend_to_f32(back, attend_safetensors_tensor(file, i)->data, ATTEND_DTYPE_BF16, 4);
	assert_true(back[0] == 1.5f && back[3] == 65024.0f);
	attend_safetensors_free(file);

	/* what cannot be written leaves the file as it was */
	const attend_safetensors_item twice[] = {items[0], items[0]};
	assert_fails(ATTEND_ERR_ARG, "'b' is there twice", attend_safetensors_write(path, twice, 2));
	const attend_safetensors_item reserved = {"__metadata__", items[0].tensor, ATTEND_DTYPE_F32};
	assert_fails(ATTEND_ERR_ARG, "__metadata__", attend_safetensors_write(path, &reserved, 1));
	const attend_safetensors_item odd = {"x", items[4].tensor, ATTEND_DTYPE_F32};
	assert_fails(ATTEND_ERR_ARG, "cannot write F32 as I64", attend_safetensors_write(path, &odd, 1));
	const attend_safetensors_item beyond = {"x", {ATTEND_DTYPE_F16, 1, {2}, large}, ATTEND_DTYPE_F32};
	assert_fails(ATTEND_ERR_DATA, "'x': element 1 is 70000: F16 ends", attend_safetensors_write(path, &beyond, 1));
	assert_ok(attend_safetensors_open(&file, path));
	assert_int_equal(attend_safetensors_count(file), 7);
	attend_safetensors_free(file);
	assert_ok(attend_safetensors_write(path, NULL, 0));
	assert_ok(attend_safetensors_open(&file, path));
	assert_int_equal(attend_safetensors_count(file), 0);
	attend_safetensors_free(file);
	unlink(path);
	assert_int_equal(attend_safetensors_write("/nowhere/at/all.safetensors", items, 1), ATTEND_ERR_NOTFOUND);
}

static void test_open(void **state)
{
	(void)state;
	attend_safetensors *file = NULL;
	assert_int_equal(attend_safetensors_open(&file, "/nowhere/x.safetensors"), ATTEND_ERR_NOTFOUND);
	assert_int_equal(attend_safetensors_open(&file, "/tmp"), ATTEND_ERR_NOTFOUND);
	assert_null(file);

	/* files of another writer, when they are there: all load */
	const char *samples = "../shared/data/safetensors_samples";
	DIR *dir = opendir(samples);
	for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
		char path[600];
		const char *dot = strrchr(e->d_name, '.');
		if (dot == NULL || strcmp(dot, ".safetensors") != 0) continue;
		snprintf(path, sizeof path, "%s/%s", samples, e->d_name);
		assert_ok(attend_safetensors_open(&file, path));
		attend_safetensors_free(file);
	}
	if (dir != NULL) closedir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_length), cmocka_unit_test(test_header), cmocka_unit_test(test_places),
		cmocka_unit_test(test_good),   cmocka_unit_test(test_write),  cmocka_unit_test(test_open),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
