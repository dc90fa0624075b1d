/* json_access.c: typed access to a parsed document, and messages that name the place. */
#include "lib/core/json_tree.h"

#include "lib/core/buffer.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

attend_json_kind attend_json_type(const attend_json *value)
{
	return (attend_json_kind)value->kind;
}

const char *attend_json_type_name(const attend_json *value)
{
	static const char *const names[] = {"null", "a boolean", "a number", "a string", "an array", "an object"};
	return names[value->kind];
}

static bool is_list(const attend_json *value)
{
	return value && (value->kind == ATTEND_JSON_ARRAY || value->kind == ATTEND_JSON_OBJECT);
}

const attend_json *attend_json_get(const attend_json *object, const char *key)
{
	if (!object || object->kind != ATTEND_JSON_OBJECT) return NULL;
	const size_t size = strlen(key);
	const attend_json *found = NULL; /* the last of equal keys counts */
	for (const attend_json *child = object->u.list.first; child; child = child->next)
		if (child->key_size == size && memcmp(child->key, key, size) == 0) found = child;
	return found;
}

const attend_json *attend_json_first(const attend_json *value)
{
	return is_list(value) ? value->u.list.first : NULL;
}

const attend_json *attend_json_next(const attend_json *value)
{
	return value->next;
}

const char *attend_json_key(const attend_json *value, size_t *size)
{
	if (size) *size = value->key_size;
	return value->key;
}

size_t attend_json_count(const attend_json *value)
{
	return is_list(value) ? value->u.list.count : 0;
}

/* Append to text of `size` bytes in `buffer`, cutting what does not fit. */
__attribute__((format(printf, 4, 5))) static void append(char *buffer, size_t size, size_t *used, const char *format,
                                                         ...)
{
	if (*used >= size) return;
	va_list arguments;
	va_start(arguments, format);
	const int wrote = vsnprintf(buffer + *used, size - *used, format, arguments);
	va_end(arguments);
	if (wrote > 0) *used += (size_t)wrote;
}

static void append_step(char *buffer, size_t size, size_t *used, const attend_json *value)
{
	if (!value->key) {
		size_t index = 0;
		for (const attend_json *child = value->parent->u.list.first; child != value; child = child->next) index++;
		append(buffer, size, used, "[%zu]", index);
		return;
	}
	bool plain = value->key_size > 0;
	for (size_t i = 0; i < value->key_size; i++)
		if (!isalnum((unsigned char)value->key[i]) && !strchr("_-", value->key[i])) plain = false;
	append(buffer, size, used, plain ? ".%s" : "[\"%s\"]", value->key);
}

const char *attend_json_path(char *buffer, size_t size, const attend_json *value)
{
	const attend_json *chain[ATTEND_JSON_DEPTH + 2];
	size_t depth = 0, used = 0;
	for (; value->parent && depth < sizeof chain / sizeof *chain; value = value->parent) chain[depth++] = value;
	append(buffer, size, &used, "$");
	while (depth > 0) append_step(buffer, size, &used, chain[--depth]);
	return buffer;
}

attend_status attend_json_fail(const attend_json *value, const char *format, ...)
{
	char path[512], text[1024];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	return attend_fail(ATTEND_ERR_FORMAT, "%s: %s: %s", attend_json_document(value)->name,
	                   attend_json_path(path, sizeof path, value), text);
}

/* "expected EXPECTED, found FOUND", showing short values themselves. */
static attend_status mismatch(const attend_json *value, const char *expected)
{
	switch (value->kind) {
	case ATTEND_JSON_STRING:
		return attend_json_fail(value, "expected %s, found \"%.60s%s\"", expected, value->u.text.bytes,
		                        value->u.text.size > 60 ? "..." : "");
	case ATTEND_JSON_NUMBER: return attend_json_fail(value, "expected %s, found %.60s", expected, value->u.text.bytes);
	case ATTEND_JSON_BOOL:
		return attend_json_fail(value, "expected %s, found %s", expected, value->truth ? "true" : "false");
	default: return attend_json_fail(value, "expected %s, found %s", expected, attend_json_type_name(value));
	}
}

attend_status attend_json_as_string(const char **out, size_t *size, const attend_json *value)
{
	if (value->kind != ATTEND_JSON_STRING) return mismatch(value, "a string");
	*out = value->u.text.bytes;
	if (size) *size = value->u.text.size;
	return ATTEND_OK;
}

attend_status attend_json_as_bool(bool *out, const attend_json *value)
{
	if (value->kind != ATTEND_JSON_BOOL) return mismatch(value, "true or false");
	*out = value->truth;
	return ATTEND_OK;
}

/* Exact: 3, 3.0 or 3e0 as the double that they are, as far as that holds every integer; beyond, digits alone. */
static bool read_int(int64_t *out, const attend_json *value)
{
	if (value->kind != ATTEND_JSON_NUMBER) return false;
	const double number = value->u.text.number;
	if (fabs(number) < 0x1p53 || strpbrk(value->u.text.bytes, ".eE")) {
		if (!(fabs(number) <= 0x1p53)) return false;
		*out = (int64_t)number;
		return (double)*out == number;
	}
	errno = 0;
	const long long integer = strtoll(value->u.text.bytes, NULL, 10);
	*out = integer;
	return errno == 0;
}

attend_status attend_json_as_int(int64_t *out, const attend_json *value, int64_t min, int64_t max)
{
	int64_t integer = 0;
	if (read_int(&integer, value) && integer >= min && integer <= max) {
		*out = integer;
		return ATTEND_OK;
	}
	char expected[96];
	if (min == INT64_MIN && max == INT64_MAX) snprintf(expected, sizeof expected, "an integer");
	else if (max == INT64_MAX) snprintf(expected, sizeof expected, "an integer >= %" PRId64, min);
	else if (min == INT64_MIN) snprintf(expected, sizeof expected, "an integer <= %" PRId64, max);
	else snprintf(expected, sizeof expected, "an integer from %" PRId64 " to %" PRId64, min, max);
	return mismatch(value, expected);
}

attend_status attend_json_as_double(double *out, const attend_json *value)
{
	if (value->kind != ATTEND_JSON_NUMBER) return mismatch(value, "a number");
	if (!isfinite(value->u.text.number)) return mismatch(value, "a number within the range of double");
	*out = value->u.text.number;
	return ATTEND_OK;
}

/* Correctly rounded. */
static double power_of_ten(long exponent)
{
	static const double exact[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
	                               1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
	char power[32];
	if ((size_t)exponent < sizeof exact / sizeof exact[0]) return exact[exponent];
	snprintf(power, sizeof power, "1e%ld", exponent);
	return strtod(power, NULL);
}

attend_status attend_json_as_serde_double(double *out, const attend_json *value)
{
	ATTEND_TRY(attend_json_as_double(out, value));
	const char *at = value->u.text.bytes;
	if (!strpbrk(at, ".eE")) return ATTEND_OK; /* integers are exact to 2^64; vocabularies have none beyond */
	const bool negative = *at == '-';
	uint64_t digits = 0;
	long exponent = 0;
	bool point = false, full = false; /* what does not fit into 64 bits is cut off */
	for (at += negative; *at == '.' || (*at >= '0' && *at <= '9'); at++) {
		if (*at == '.') {
			point = true;
			continue;
		}
		const unsigned digit = (unsigned)(*at - '0');
		full = full || digits > (UINT64_MAX - digit) / 10;
		if (!full) digits = digits * 10 + digit;
		exponent += full && !point ? 1 : point && !full ? -1 : 0;
	}
	if (*at == 'e' || *at == 'E') {
		enum { FAR = 1 << 24 }; /* beyond any double, whatever the digits */
		const long more = strtol(at + 1, NULL, 10);
		exponent += more > FAR ? FAR : more < -FAR ? -FAR : more;
	}
	double number = (double)digits;
	for (; exponent < -308 && number != 0; exponent += 308) number /= 1e308;
	if (number != 0) number = exponent < 0 ? number / power_of_ten(-exponent) : number * power_of_ten(exponent);
	if (!isfinite(number)) return mismatch(value, "a number within the range of double");
	*out = negative ? -number : number;
	return ATTEND_OK;
}

/* The member, or NULL when it is absent or null and the default stands. */
static const attend_json *present(const attend_json *object, const char *key)
{
	const attend_json *const value = attend_json_get(object, key);
	return value && value->kind != ATTEND_JSON_NULL ? value : NULL;
}

attend_status attend_json_get_string(const char **out, const attend_json *object, const char *key)
{
	const attend_json *const value = present(object, key);
	return value ? attend_json_as_string(out, NULL, value) : ATTEND_OK;
}

attend_status attend_json_get_bool(bool *out, const attend_json *object, const char *key)
{
	const attend_json *const value = present(object, key);
	return value ? attend_json_as_bool(out, value) : ATTEND_OK;
}

attend_status attend_json_get_int(int64_t *out, const attend_json *object, const char *key, int64_t min, int64_t max)
{
	const attend_json *const value = present(object, key);
	return value ? attend_json_as_int(out, value, min, max) : ATTEND_OK;
}

attend_status attend_json_get_double(double *out, const attend_json *object, const char *key)
{
	const attend_json *const value = present(object, key);
	return value ? attend_json_as_double(out, value) : ATTEND_OK;
}
