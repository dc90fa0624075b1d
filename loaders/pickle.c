/* pickle.c: the stack machine of pickle.h. Every value, item and size comes from at least one byte of the file, so memory is
 * bounded by the file; nothing here recurses. */
#include "loaders/pickle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/core/arena.h"

enum { NO_VALUE = -1 };

/* What a NAME is. */
enum { NAME_TENSOR, NAME_PARAMETER, NAME_DICT, NAME_STORAGE };

typedef struct known_name {
	const char *module, *name;
	int what;
	attend_dtype dtype;
} known_name;

static const known_name known_names[] = {
	{"torch._utils", "_rebuild_tensor_v2", NAME_TENSOR, 0},
	{"torch._utils", "_rebuild_parameter", NAME_PARAMETER, 0},
	{"collections", "OrderedDict", NAME_DICT, 0},
	{"torch", "FloatStorage", NAME_STORAGE, ATTEND_DTYPE_F32},
	{"torch", "HalfStorage", NAME_STORAGE, ATTEND_DTYPE_F16},
	{"torch", "BFloat16Storage", NAME_STORAGE, ATTEND_DTYPE_BF16},
	{"torch", "DoubleStorage", NAME_STORAGE, ATTEND_DTYPE_F64},
	{"torch", "LongStorage", NAME_STORAGE, ATTEND_DTYPE_I64},
	{"torch", "IntStorage", NAME_STORAGE, ATTEND_DTYPE_I32},
	{"torch", "ShortStorage", NAME_STORAGE, ATTEND_DTYPE_I16},
	{"torch", "CharStorage", NAME_STORAGE, ATTEND_DTYPE_I8},
	{"torch", "ByteStorage", NAME_STORAGE, ATTEND_DTYPE_U8},
	{"torch", "BoolStorage", NAME_STORAGE, ATTEND_DTYPE_BOOL},
};
enum { KNOWN_NAMES = sizeof known_names / sizeof *known_names };

typedef struct machine {
	attend_pickle *pickle;
	const unsigned char *bytes;
	size_t size, at;
	ptrdiff_t *stack, *memo; /* values; NO_VALUE on the stack is a mark, in the memo an empty place */
	size_t depth, stack_capacity, memo_count, memo_capacity;
} machine;

static attend_status broken(const machine *m, const char *what)
{
	return attend_fail(ATTEND_ERR_FORMAT, "pickle: byte %zu: %s", m->at, what);
}

/* ---- Values ---------------------------------------------------------------------------------------------------------------- */

static attend_status push(machine *m, ptrdiff_t value)
{
	ATTEND_TRY(attend_grow(&m->stack, &m->stack_capacity, m->depth + 1, sizeof *m->stack, "pickle"));
	m->stack[m->depth++] = value;
	return ATTEND_OK;
}

static attend_status push_new(machine *m, attend_pickle_value value)
{
	attend_pickle *p = m->pickle;
	ATTEND_TRY(attend_grow(&p->values, &p->value_capacity, p->value_count + 1, sizeof *p->values, "pickle"));
	p->values[p->value_count] = value;
	return push(m, (ptrdiff_t)p->value_count++);
}

static attend_status push_int(machine *m, int64_t number)
{
	return push_new(m, (attend_pickle_value){.kind = ATTEND_PICKLE_INT, .number = number});
}

/* A value, no mark. */
static attend_status pop(machine *m, size_t *value)
{
	if (m->depth == 0 || m->stack[m->depth - 1] == NO_VALUE) return broken(m, "the stack is empty");
	*value = (size_t)m->stack[--m->depth];
	return ATTEND_OK;
}

static attend_pickle_value *value_at(const machine *m, size_t value)
{
	return &m->pickle->values[value];
}

/* Place of the topmost mark. */
static attend_status find_mark(const machine *m, size_t *mark)
{
	for (size_t i = m->depth; i > 0; i--)
		if (m->stack[i - 1] == NO_VALUE) {
			*mark = i - 1;
			return ATTEND_OK;
		}
	return broken(m, "no mark on the stack");
}

/* The upper `count` values become a tuple; `below` further entries (a mark) go too. */
static attend_status make_tuple(machine *m, size_t count, size_t below)
{
	attend_pickle *p = m->pickle;
	if (m->depth < count + below) return broken(m, "the stack is empty");
	const size_t from = m->depth - count, first = p->child_count;
	ATTEND_TRY(attend_grow(&p->children, &p->child_capacity, first + count + 1, sizeof *p->children, "pickle"));
	for (size_t i = 0; i < count; i++) {
		if (m->stack[from + i] == NO_VALUE) return broken(m, "a mark inside of a tuple");
		p->children[p->child_count++] = (size_t)m->stack[from + i];
	}
	m->depth -= count + below;
	return push_new(m, (attend_pickle_value){.kind = ATTEND_PICKLE_TUPLE, .first = first, .size = count});
}

static attend_status add_item(machine *m, size_t container, size_t key, size_t value)
{
	attend_pickle *p = m->pickle;
	ATTEND_TRY(attend_grow(&p->items, &p->item_capacity, p->item_count + 1, sizeof *p->items, "pickle"));
	attend_pickle_value *c = &p->values[container];
	p->items[p->item_count++] = (attend_pickle_item){key, value, 0};
	if (c->first == 0) c->first = p->item_count;
	else p->items[c->last - 1].next = p->item_count;
	c->last = p->item_count;
	return ATTEND_OK;
}

/* What stands above `from` goes into the container right below it (below the mark, if there is one). */
static attend_status add_items(machine *m, size_t from, bool mark, bool pairs)
{
	const size_t under = mark ? from - 1 : from;
	if (under == 0 || (mark && from == 0) || m->stack[under - 1] == NO_VALUE)
		return broken(m, "nothing to put items into");
	const size_t container = (size_t)m->stack[under - 1], step = pairs ? 2 : 1;
	if (value_at(m, container)->kind != (pairs ? ATTEND_PICKLE_DICT : ATTEND_PICKLE_LIST) ||
	    (m->depth - from) % step != 0)
		return broken(m, "items for what is no container of such");
	for (size_t i = from; i < m->depth; i += step) {
		if (m->stack[i] == NO_VALUE || m->stack[i + step - 1] == NO_VALUE) return broken(m, "a mark among items");
		ATTEND_TRY(add_item(m, container, (size_t)m->stack[i], (size_t)m->stack[i + step - 1]));
	}
	m->depth = under;
	return ATTEND_OK;
}

/* ---- Names and calls -------------------------------------------------------------------------------------------------------- */

/* "module\nname\n" */
static attend_status read_name(machine *m)
{
	const char *text[2];
	int size[2];
	for (int i = 0; i < 2; i++) {
		const unsigned char *end = memchr(m->bytes + m->at, '\n', m->size - m->at);
		if (end == NULL) return broken(m, "a name without end");
		const size_t length = (size_t)(end - (m->bytes + m->at));
		text[i] = (const char *)m->bytes + m->at;
		size[i] = length < 100 ? (int)length : 100;
		m->at += length + 1;
	}
	for (size_t i = 0; i < KNOWN_NAMES; i++)
		if (strlen(known_names[i].module) == (size_t)size[0] && strlen(known_names[i].name) == (size_t)size[1] &&
		    memcmp(known_names[i].module, text[0], (size_t)size[0]) == 0 &&
		    memcmp(known_names[i].name, text[1], (size_t)size[1]) == 0)
			return push_new(m, (attend_pickle_value){.kind = ATTEND_PICKLE_NAME, .number = (int64_t)i});
	return attend_fail(ATTEND_ERR_UNSUPPORTED,
	                   "pickle: it asks for %.*s.%.*s, which has no place in a file of weights: refused", size[0],
	                   text[0], size[1], text[1]);
}

/* Item i of a tuple; kind must be as said. NULL: it is not. */
static const attend_pickle_value *argument(const machine *m, size_t tuple, size_t i, attend_pickle_kind kind)
{
	const attend_pickle_value *t = value_at(m, tuple);
	if (t->kind != ATTEND_PICKLE_TUPLE || i >= t->size) return NULL;
	const attend_pickle_value *v = value_at(m, m->pickle->children[t->first + i]);
	return v->kind == kind ? v : NULL;
}

/* The items of a tuple of sizes, none negative. */
static attend_status take_sizes(machine *m, const attend_pickle_value *tuple)
{
	attend_pickle *p = m->pickle;
	for (size_t i = 0; i < tuple->size; i++) {
		const attend_pickle_value *v = value_at(m, p->children[tuple->first + i]);
		if (v->kind != ATTEND_PICKLE_INT || v->number < 0) return broken(m, "a tensor's size or stride is no size");
		p->sizes[p->size_count++] = (size_t)v->number;
	}
	return ATTEND_OK;
}

/* _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks) */
static attend_status make_tensor(machine *m, size_t arguments)
{
	attend_pickle *p = m->pickle;
	const attend_pickle_value *storage = argument(m, arguments, 0, ATTEND_PICKLE_STORAGE);
	const attend_pickle_value *offset = argument(m, arguments, 1, ATTEND_PICKLE_INT);
	const attend_pickle_value *shape = argument(m, arguments, 2, ATTEND_PICKLE_TUPLE);
	const attend_pickle_value *strides = argument(m, arguments, 3, ATTEND_PICKLE_TUPLE);
	if (storage == NULL || offset == NULL || offset->number < 0 || shape == NULL || strides == NULL ||
	    shape->size != strides->size)
		return broken(m, "a tensor is not described by storage, offset, size and stride");
	if (shape->size > ATTEND_MAX_RANK)
		return attend_fail(ATTEND_ERR_UNSUPPORTED, "pickle: a tensor of %zu dimensions, attend reads up to %d",
		                   shape->size, ATTEND_MAX_RANK);
	attend_pickle_value tensor = {.kind = ATTEND_PICKLE_TENSOR,
	                              .storage = p->children[value_at(m, arguments)->first],
	                              .offset = (size_t)offset->number,
	                              .rank = (unsigned)shape->size,
	                              .shape_at = p->size_count};
	ATTEND_TRY(
		attend_grow(&p->sizes, &p->size_capacity, p->size_count + 2 * shape->size + 1, sizeof *p->sizes, "pickle"));
	ATTEND_TRY(take_sizes(m, shape));
	ATTEND_TRY(take_sizes(m, strides));
	return push_new(m, tensor);
}

static attend_status call(machine *m)
{
	size_t arguments, function;
	ATTEND_TRY(pop(m, &arguments));
	ATTEND_TRY(pop(m, &function));
	if (value_at(m, function)->kind != ATTEND_PICKLE_NAME || value_at(m, arguments)->kind != ATTEND_PICKLE_TUPLE)
		return broken(m, "a call of what is no function");
	const int what = known_names[value_at(m, function)->number].what;
	if (what == NAME_TENSOR) return make_tensor(m, arguments);
	if (what == NAME_DICT && value_at(m, arguments)->size == 0)
		return push_new(m, (attend_pickle_value){.kind = ATTEND_PICKLE_DICT});
	if (what == NAME_PARAMETER && argument(m, arguments, 0, ATTEND_PICKLE_TENSOR) != NULL)
		return push(m, (ptrdiff_t)m->pickle->children[value_at(m, arguments)->first]);
	return broken(m, "a call that torch does not write");
}

/* ('storage', class, key, place, elements) */
static attend_status make_storage(machine *m)
{
	size_t id;
	ATTEND_TRY(pop(m, &id));
	const attend_pickle_value *word = argument(m, id, 0, ATTEND_PICKLE_TEXT);
	const attend_pickle_value *class = argument(m, id, 1, ATTEND_PICKLE_NAME);
	const attend_pickle_value *key = argument(m, id, 2, ATTEND_PICKLE_TEXT);
	const attend_pickle_value *count = argument(m, id, 4, ATTEND_PICKLE_INT);
	if (word == NULL || word->size != 7 || memcmp(word->text, "storage", 7) != 0 || class == NULL ||
	    known_names[class->number].what != NAME_STORAGE || key == NULL || count == NULL || count->number < 0)
		return broken(m, "a storage is not described by class, key and size");
	/* files of torch < 0.4 share parts of storages by a sixth item */
	const attend_pickle_value *t = value_at(m, id);
	if (t->size > 6 || (t->size == 6 && argument(m, id, 5, ATTEND_PICKLE_OTHER) == NULL))
		return attend_fail(ATTEND_ERR_UNSUPPORTED, "pickle: a view of a storage, as torch wrote before 0.4");
	return push_new(m, (attend_pickle_value){.kind = ATTEND_PICKLE_STORAGE,
	                                         .text = key->text,
	                                         .size = key->size,
	                                         .dtype = known_names[class->number].dtype,
	                                         .count = (size_t)count->number});
}

/* ---- Opcodes ----------------------------------------------------------------------------------------------------------------- */

static attend_status read_number(machine *m, uint64_t *out, unsigned bytes)
{
	if (m->size - m->at < bytes) return broken(m, "the pickle is cut short");
	*out = 0;
	for (unsigned i = bytes; i > 0; i--) *out = *out << 8 | m->bytes[m->at + i - 1];
	m->at += bytes;
	return ATTEND_OK;
}

static attend_status push_text(machine *m, unsigned length_bytes)
{
	uint64_t size = 0;
	ATTEND_TRY(read_number(m, &size, length_bytes));
	if (size > m->size - m->at) return broken(m, "a text leaves the pickle");
	const char *text = (const char *)m->bytes + m->at;
	m->at += (size_t)size;
	return push_new(m, (attend_pickle_value){.kind = ATTEND_PICKLE_TEXT, .text = text, .size = (size_t)size});
}

/* An integer of any length, two's complement; those beyond 63 bits (the magic number of old files) become 0. */
static attend_status push_long(machine *m)
{
	uint64_t length = 0, number = 0;
	ATTEND_TRY(read_number(m, &length, 1));
	if (length > m->size - m->at) return broken(m, "a number leaves the pickle");
	const unsigned char *p = m->bytes + m->at;
	for (size_t i = 0; i < 8 && length <= 8; i++)
		number |= (uint64_t)(i < length ? p[i] : length > 0 && (p[length - 1] & 0x80) != 0 ? 0xff : 0) << (8 * i);
	m->at += (size_t)length;
	return push_int(m, (int64_t)number);
}

static attend_status put(machine *m, unsigned bytes)
{
	uint64_t index = 0;
	ATTEND_TRY(read_number(m, &index, bytes));
	if (m->depth == 0 || m->stack[m->depth - 1] == NO_VALUE) return broken(m, "the stack is empty");
	if (index >= m->size) return broken(m, "a place in the memo that no pickle of this size needs");
	if (index >= m->memo_count) {
		ATTEND_TRY(attend_grow(&m->memo, &m->memo_capacity, (size_t)index + 1, sizeof *m->memo, "pickle"));
		while (m->memo_count <= index) m->memo[m->memo_count++] = NO_VALUE;
	}
	m->memo[index] = m->stack[m->depth - 1];
	return ATTEND_OK;
}

static attend_status get(machine *m, unsigned bytes)
{
	uint64_t index = 0;
	ATTEND_TRY(read_number(m, &index, bytes));
	if (index >= m->memo_count || m->memo[index] == NO_VALUE) return broken(m, "nothing was put where it looks");
	return push(m, m->memo[index]);
}

static attend_status step(machine *m, unsigned char op)
{
	uint64_t number = 0;
	size_t mark = 0, value = 0;
	switch (op) {
	case 0x80: /* PROTO */
		ATTEND_TRY(read_number(m, &number, 1));
		if (number > 2)
			return attend_fail(ATTEND_ERR_UNSUPPORTED, "pickle: expected protocol 2, found %llu",
			                   (unsigned long long)number);
		return ATTEND_OK;
	case '(': return push(m, NO_VALUE);
	case 'N': return push_new(m, (attend_pickle_value){.kind = ATTEND_PICKLE_OTHER});
	case 'G': /* BINFLOAT */
		ATTEND_TRY(read_number(m, &number, 8));
		return push_new(m, (attend_pickle_value){.kind = ATTEND_PICKLE_OTHER});
	case 0x88: return push_new(m, (attend_pickle_value){.kind = ATTEND_PICKLE_BOOL, .number = 1});
	case 0x89: return push_new(m, (attend_pickle_value){.kind = ATTEND_PICKLE_BOOL, .number = 0});
	case 'J': ATTEND_TRY(read_number(m, &number, 4)); return push_int(m, (int32_t)(uint32_t)number);
	case 'K': ATTEND_TRY(read_number(m, &number, 1)); return push_int(m, (int64_t)number);
	case 'M': ATTEND_TRY(read_number(m, &number, 2)); return push_int(m, (int64_t)number);
	case 0x8a: return push_long(m);
	case 'X':
	case 'T': return push_text(m, 4);
	case 'U': return push_text(m, 1);
	case '}': return push_new(m, (attend_pickle_value){.kind = ATTEND_PICKLE_DICT});
	case ']': return push_new(m, (attend_pickle_value){.kind = ATTEND_PICKLE_LIST});
	case ')': return make_tuple(m, 0, 0);
	case 0x85: return make_tuple(m, 1, 0);
	case 0x86: return make_tuple(m, 2, 0);
	case 0x87: return make_tuple(m, 3, 0);
	case 't': ATTEND_TRY(find_mark(m, &mark)); return make_tuple(m, m->depth - mark - 1, 1);
	case 'a': return m->depth < 1 ? broken(m, "the stack is empty") : add_items(m, m->depth - 1, false, false);
	case 's': return m->depth < 2 ? broken(m, "the stack is empty") : add_items(m, m->depth - 2, false, true);
	case 'e': ATTEND_TRY(find_mark(m, &mark)); return add_items(m, mark + 1, true, false);
	case 'u': ATTEND_TRY(find_mark(m, &mark)); return add_items(m, mark + 1, true, true);
	case 'q': return put(m, 1);
	case 'r': return put(m, 4);
	case 'h': return get(m, 1);
	case 'j': return get(m, 4);
	case 'c': return read_name(m);
	case 'R': return call(m);
	case 'Q': return make_storage(m);
	case 'b': /* BUILD: an OrderedDict's attributes (_metadata), which hold no weights */
		ATTEND_TRY(pop(m, &value));
		if (m->depth == 0 || m->stack[m->depth - 1] == NO_VALUE ||
		    value_at(m, (size_t)m->stack[m->depth - 1])->kind != ATTEND_PICKLE_DICT)
			return broken(m, "attributes for what is no dictionary");
		return ATTEND_OK;
	default: break;
	}
	return attend_fail(ATTEND_ERR_UNSUPPORTED, "pickle: byte %zu: opcode 0x%02x has no place in a file of weights",
	                   m->at - 1, op);
}

attend_status attend_pickle_read(attend_pickle *out, size_t *used, const unsigned char *bytes, size_t size)
{
	machine m = {.pickle = out, .bytes = bytes, .size = size};
	attend_status status = ATTEND_OK;
	*out = (attend_pickle){0};
	while (status == ATTEND_OK) {
		if (m.at == size) {
			status = broken(&m, "the pickle is cut short");
			break;
		}
		const unsigned char op = bytes[m.at++];
		if (op == '.') {
			status = pop(&m, &out->root);
			break;
		}
		status = step(&m, op);
	}
	*used = m.at;
	free(m.stack);
	free(m.memo);
	return status;
}

void attend_pickle_free(attend_pickle *p)
{
	free(p->values);
	free(p->items);
	free(p->children);
	free(p->sizes);
	*p = (attend_pickle){0};
}
