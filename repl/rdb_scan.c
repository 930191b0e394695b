/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The extent of one RDB record. repl/rdb_scan.h tells how a record is described.
 */
#include "repl/rdb_scan.h"

#include "checks.h"
#include "repl/rdb_value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_TEXT_MAX    96 /* of a key's name in a message */
#define MODULE_NAME_LEN 9
#define MODULE_TEXT_MAX 32

void rdb_scan_init(struct rdb_scan *scan)
{
	*scan = (struct rdb_scan){0};
}

/* The parts behind a record's first byte. NULL: no record begins so, or none that can be read. */
static const char *record_parts(uint8_t op)
{
	switch (op) {
	case RDB_OP_SLOT_INFO: return "LLL";
	case RDB_OP_FUNCTION2: return "S";
	case RDB_OP_MODULE_AUX: return "LM";
	case RDB_OP_IDLE: return "L";
	case RDB_OP_FREQ: return "1";
	case RDB_OP_AUX: return "SS";
	case RDB_OP_RESIZEDB: return "LL";
	case RDB_OP_EXPIRE_MS: return "8";
	case RDB_OP_EXPIRE_S: return "4";
	case RDB_OP_SELECTDB: return "L";
	case RDB_OP_EOF: return "";
	case RDB_TYPE_STRING: return "SS";
	case RDB_TYPE_MODULE:
	case RDB_TYPE_MODULE_2: return "SL";
	default: return rdb_type_name(op) != NULL ? "S" : NULL;
	}
}

static enum rdb_step first_byte(struct rdb_scan *scan, const struct rdb_input *in)
{
	if (in->len == 0) {
		scan->need = 1;
		return RDB_STEP_MORE;
	}
	scan->op = in->bytes[0];
	scan->rest = record_parts(scan->op);
	if (scan->rest != NULL) {
		scan->pos = 1;
		return RDB_STEP_DONE;
	}
	if (scan->op == RDB_OP_FUNCTION)
		rdb_fault_set(in->fault, RDB_ERR_OPCODE, in->offset,
			"functions in the form of a release candidate (opcode 246)");
	else
		rdb_fault_set(in->fault, RDB_ERR_OPCODE, in->offset,
			"%u is neither an opcode nor a value type", (unsigned)scan->op);
	return RDB_STEP_BAD;
}

static enum rdb_step skip_bytes(struct rdb_scan *scan, const struct rdb_input *in, size_t n)
{
	if (in->len - scan->pos < n) {
		scan->need = scan->pos + n;
		return RDB_STEP_MORE;
	}
	scan->pos += n;
	return RDB_STEP_DONE;
}

/* One opcode of module data with its operand. *end: it was the last. On MORE pos is back at the
 * opcode. */
static enum rdb_step module_item(struct rdb_scan *scan, const struct rdb_input *in, bool *end)
{
	size_t start = scan->pos;
	uint64_t op = 0, number;
	struct rdb_string str;

	*end = false;
	enum rdb_step step = rdb_len_decode(in, &scan->pos, &op, &scan->need);
	if (step != RDB_STEP_DONE)
		return step;
	switch (op) {
	case RDB_MODULE_EOF: *end = true; break;
	case RDB_MODULE_SINT:
	case RDB_MODULE_UINT: step = rdb_len_decode(in, &scan->pos, &number, &scan->need); break;
	case RDB_MODULE_FLOAT: step = skip_bytes(scan, in, 4); break;
	case RDB_MODULE_DOUBLE: step = skip_bytes(scan, in, 8); break;
	case RDB_MODULE_STRING: step = rdb_string_head(in, &scan->pos, &str, &scan->need); break;
	default:
		rdb_fault_set(in->fault, RDB_ERR_OPCODE, in->offset + start,
			"unknown opcode %llu in module data", (unsigned long long)op);
		return RDB_STEP_BAD;
	}
	if (step != RDB_STEP_DONE)
		scan->pos = start;
	return step;
}

static enum rdb_step module_data(struct rdb_scan *scan, const struct rdb_input *in)
{
	enum rdb_step step;
	bool end;

	do {
		size_t before = scan->pos;
		step = module_item(scan, in, &end);
		ASSERT(step != RDB_STEP_DONE || scan->pos > before);
	} while (step == RDB_STEP_DONE && !end);
	return step;
}

static enum rdb_step next_part(struct rdb_scan *scan, const struct rdb_input *in)
{
	union rdb_part *part = &scan->parts[scan->nr_parts];

	switch (scan->rest[0]) {
	case 'L': return rdb_len_decode(in, &scan->pos, &part->number, &scan->need);
	case 'S': return rdb_string_head(in, &scan->pos, &part->str, &scan->need);
	case 'M': return module_data(scan, in);
	default: break;
	}
	part->bytes = scan->pos;
	return skip_bytes(scan, in, (size_t)(scan->rest[0] - '0'));
}

/* The number of a module's type: nine characters of six bits, then ten bits of a version. */
static void module_name(uint64_t id, char *out, size_t size)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	char name[MODULE_NAME_LEN + 1] = {0};

	for (unsigned i = 0; i < MODULE_NAME_LEN; i++)
		name[i] = letters[id >> (58 - 6 * i) & 63];
	snprintf(out, size, " \"%s\" version %u", name, (unsigned)(id & 1023));
}

/* Names the key of a value that cannot be read, and the module that it belongs to. */
static enum rdb_step unsupported(struct rdb_scan *scan, const struct rdb_input *in)
{
	struct rdb_scratch scratch = {0};
	char name[KEY_TEXT_MAX], module[MODULE_TEXT_MAX] = "";
	const void *text;
	size_t len;

	enum rdb_step step = rdb_string_text(in, &scan->parts[0].str, &scratch, &text, &len);
	if (step == RDB_STEP_DONE) {
		rdb_text_escape(text, len, name, sizeof(name));
		if (scan->nr_parts > 1)
			module_name(scan->parts[1].number, module, sizeof(module));
		rdb_fault_set(in->fault, RDB_ERR_TYPE, in->offset,
			"value type %u (%s%s) is not supported, key \"%s\"", (unsigned)scan->op,
			rdb_type_name(scan->op), module, name);
	}
	rdb_scratch_trim(&scratch, 0);
	return RDB_STEP_BAD;
}

enum rdb_step rdb_scan_run(struct rdb_scan *scan, const struct rdb_input *in, size_t max_bytes)
{
	enum rdb_step step = RDB_STEP_DONE;

	if (scan->rest == NULL)
		step = first_byte(scan, in);
	while (step == RDB_STEP_DONE && scan->rest[0] != '\0') {
		ASSERT(scan->nr_parts < RDB_SCAN_PARTS);
		step = next_part(scan, in);
		if (step != RDB_STEP_DONE)
			break;
		scan->nr_parts++;
		scan->rest++;
	}
	if (step == RDB_STEP_MORE)
		scan->need += strlen(scan->rest == NULL ? "" : scan->rest + 1);
	size_t reach = step == RDB_STEP_MORE ? scan->need : scan->pos;
	if (step != RDB_STEP_BAD && reach > max_bytes) {
		rdb_fault_set(in->fault, RDB_ERR_LENGTH, in->offset,
			"record over the limit of %zu bytes", max_bytes);
		return RDB_STEP_BAD;
	}
	if (step == RDB_STEP_DONE && scan->op <= RDB_TYPE_MAX && !rdb_value_known(scan->op))
		return unsupported(scan, in);
	return step;
}
