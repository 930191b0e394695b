/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The RDB reader: cuts the input into records and tells the upcalls what they hold.
 *
 * The checksum is that of the file's bytes in order, so it is taken over whole runs of records: in
 * place over the caller's bytes, and over the kept record once that is complete.
 */
#include "repl/rdb_read.h"

#include "checks.h"
#include "persist/crc64.h"
#include "repl/rdb_scan.h"
#include "repl/rdb_value.h"

#include <stdlib.h>
#include <string.h>

#define KEEP_BYTES (1u << 20) /* buffers above this are given back after their record */

enum phase {
	PHASE_HEADER,
	PHASE_RECORDS,
	PHASE_TRAILER,
	PHASE_END,
	PHASE_FAILED,
};

struct rdb_reader {
	struct rdb_upcalls up;
	void *ctx;
	struct rdb_limits limits;
	struct rdb_counters counters;
	struct rdb_fault fault;
	int refusal;

	enum phase phase;
	unsigned version;
	uint64_t crc;    /* of the records handled, but for the run in hand */
	uint64_t offset; /* in the file, of the record in hand */
	struct rdb_scan scan;
	bool in_value; /* the next is an item */
	struct rdb_value_scan value;
	struct rdb_key key; /* what is known of the key to come */
	bool key_awaited;   /* expiry, idle time or frequency have come */

	uint8_t *kept; /* the beginning of a record, when a piece ended inside it */
	size_t kept_len;
	size_t kept_cap;

	struct rdb_scratch name;
	struct rdb_scratch text;
};

static void forget_key(struct rdb_reader *r)
{
	r->key.expire_ms = -1;
	r->key.idle_s = -1;
	r->key.freq = -1;
	r->key_awaited = false;
}

struct rdb_reader *rdb_reader_create(
	const struct rdb_upcalls *upcalls, void *ctx, const struct rdb_limits *limits)
{
	struct rdb_reader *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->up = *upcalls;
	r->ctx = ctx;
	r->limits = *limits;
	if (limits->is_fragment) {
		r->phase = PHASE_RECORDS;
		r->version = RDB_VERSION_WRITTEN;
		rdb_scan_init(&r->scan);
	}
	forget_key(r);
	return r;
}

void rdb_reader_destroy(struct rdb_reader **reader)
{
	struct rdb_reader *r = *reader;

	if (r == NULL)
		return;
	free(r->kept);
	rdb_scratch_trim(&r->name, 0);
	rdb_scratch_trim(&r->text, 0);
	free(r);
	*reader = NULL;
}

static enum rdb_step refuse(
	struct rdb_reader *r, enum rdb_error error, size_t pos, const char *what)
{
	rdb_fault_set(&r->fault, error, r->offset + pos, "%s", what);
	return RDB_STEP_BAD;
}

static enum rdb_step upcall_result(struct rdb_reader *r, int result)
{
	if (result == 0)
		return RDB_STEP_DONE;
	r->refusal = result;
	rdb_fault_set(&r->fault, RDB_ERR_UPCALL, r->offset, "refused by the receiver (%d)", result);
	return RDB_STEP_BAD;
}

/* The text of a string part. */
static bool part_text(struct rdb_reader *r, const struct rdb_input *in, unsigned part,
	struct rdb_scratch *scratch, const void **text, size_t *len)
{
	return rdb_string_text(in, &r->scan.parts[part].str, scratch, text, len) == RDB_STEP_DONE;
}

/* What is known of a key has been told. */
static void drop_key(struct rdb_reader *r)
{
	forget_key(r);
	r->key.name = NULL;
	r->counters.nr_keys++;
}

static enum rdb_step take_key(struct rdb_reader *r, const struct rdb_input *in)
{
	struct rdb_value value = {.type = RDB_TYPE_STRING};

	if (!part_text(r, in, 0, &r->name, &r->key.name, &r->key.name_len) ||
		!part_text(r, in, 1, &r->text, &value.str, &value.str_len))
		return RDB_STEP_BAD;
	int result = r->up.on_key == NULL ? 0 : r->up.on_key(r->ctx, &r->key, &value);
	drop_key(r);
	return upcall_result(r, result);
}

/* A key whose value follows item by item. */
static enum rdb_step take_value(struct rdb_reader *r, const struct rdb_input *in)
{
	if (!part_text(r, in, 0, &r->name, &r->key.name, &r->key.name_len))
		return RDB_STEP_BAD;
	int result = r->up.on_value == NULL ? 0 : r->up.on_value(r->ctx, &r->key, r->scan.op);
	drop_key(r);
	r->in_value = true;
	rdb_value_scan_init(&r->value, r->scan.op);
	return upcall_result(r, result);
}

static enum rdb_step take_item(struct rdb_reader *r, const struct rdb_item *item)
{
	int result = r->up.on_item == NULL ? 0 : r->up.on_item(r->ctx, item);

	if (result == 0 && rdb_value_scan_over(&r->value)) {
		r->in_value = false;
		result = r->up.on_value_end == NULL ? 0 : r->up.on_value_end(r->ctx);
	}
	return upcall_result(r, result);
}

static enum rdb_step take_aux(struct rdb_reader *r, const struct rdb_input *in)
{
	const void *name, *value;
	size_t name_len, value_len;

	if (!part_text(r, in, 0, &r->name, &name, &name_len) ||
		!part_text(r, in, 1, &r->text, &value, &value_len))
		return RDB_STEP_BAD;
	r->counters.nr_aux++;
	if (r->up.on_aux == NULL)
		return RDB_STEP_DONE;
	return upcall_result(r, r->up.on_aux(r->ctx, name, name_len, value, value_len));
}

static enum rdb_step take_function(struct rdb_reader *r, const struct rdb_input *in)
{
	const void *source;
	size_t len;

	if (!part_text(r, in, 0, &r->text, &source, &len))
		return RDB_STEP_BAD;
	r->counters.nr_functions++;
	if (r->up.on_function == NULL)
		return RDB_STEP_DONE;
	return upcall_result(r, r->up.on_function(r->ctx, source, len));
}

static enum rdb_step take_select(struct rdb_reader *r)
{
	uint64_t db = r->scan.parts[0].number;

	if (db > INT32_MAX)
		return refuse(r, RDB_ERR_LENGTH, 1, "database number out of range");
	r->key.db = (uint32_t)db;
	if (r->up.on_select == NULL)
		return RDB_STEP_DONE;
	return upcall_result(r, r->up.on_select(r->ctx, r->key.db));
}

static enum rdb_step take_resize(struct rdb_reader *r)
{
	const union rdb_part *parts = r->scan.parts;

	if (r->up.on_resize == NULL)
		return RDB_STEP_DONE;
	return upcall_result(r, r->up.on_resize(r->ctx, parts[0].number, parts[1].number));
}

/* What is said ahead of a key. */
static enum rdb_step take_attribute(struct rdb_reader *r, const struct rdb_input *in)
{
	const union rdb_part *part = &r->scan.parts[0];

	r->key_awaited = true;
	switch (r->scan.op) {
	case RDB_OP_EXPIRE_MS:
		r->key.expire_ms = (int64_t)rdb_le_decode(in->bytes + part->bytes, 8);
		break;
	case RDB_OP_EXPIRE_S:
		r->key.expire_ms =
			(int64_t)(int32_t)rdb_le_decode(in->bytes + part->bytes, 4) * 1000;
		break;
	case RDB_OP_FREQ: r->key.freq = in->bytes[part->bytes]; break;
	default:
		if (part->number > INT64_MAX)
			return refuse(r, RDB_ERR_LENGTH, 1, "idle time out of range");
		r->key.idle_s = (int64_t)part->number;
	}
	return RDB_STEP_DONE;
}

static enum rdb_step finish_file(struct rdb_reader *r)
{
	r->phase = PHASE_END;
	return upcall_result(r, r->up.on_end == NULL ? 0 : r->up.on_end(r->ctx));
}

static enum rdb_step take_record(struct rdb_reader *r, const struct rdb_input *in)
{
	uint8_t op = r->scan.op;

	if (r->key_awaited && op > RDB_TYPE_MAX && op != RDB_OP_EXPIRE_MS &&
		op != RDB_OP_EXPIRE_S && op != RDB_OP_IDLE && op != RDB_OP_FREQ)
		return refuse(r, RDB_ERR_OPCODE, 0, "no key where one was announced");
	switch (op) {
	case RDB_OP_EOF:
		if (r->limits.is_fragment)
			return refuse(r, RDB_ERR_OPCODE, 0, "an end in the middle of the file");
		if (r->version < RDB_VERSION_CRC)
			return finish_file(r);
		r->phase = PHASE_TRAILER;
		return RDB_STEP_DONE;
	case RDB_OP_AUX: return take_aux(r, in);
	case RDB_OP_SELECTDB: return take_select(r);
	case RDB_OP_RESIZEDB: return take_resize(r);
	case RDB_OP_FUNCTION2: return take_function(r, in);
	case RDB_OP_MODULE_AUX: r->counters.nr_module_aux++; return RDB_STEP_DONE;
	case RDB_OP_SLOT_INFO: r->counters.nr_slot_infos++; return RDB_STEP_DONE;
	case RDB_TYPE_STRING: return take_key(r, in);
	default: return op <= RDB_TYPE_MAX ? take_value(r, in) : take_attribute(r, in);
	}
}

static enum rdb_step take_header(struct rdb_reader *r, const uint8_t *p)
{
	unsigned version = 0;

	for (size_t i = sizeof(RDB_MAGIC) - 1; i < RDB_HEADER_BYTES; i++) {
		if (p[i] < '0' || p[i] > '9')
			return refuse(r, RDB_ERR_MAGIC, i, "no version number");
		version = version * 10 + (p[i] - '0');
	}
	if (version < 1 || version > RDB_VERSION_MAX) {
		rdb_fault_set(&r->fault, RDB_ERR_VERSION, 0,
			"RDB version %u, only 1 to %d are supported", version, RDB_VERSION_MAX);
		return RDB_STEP_BAD;
	}
	r->version = version;
	r->phase = PHASE_RECORDS;
	return RDB_STEP_DONE;
}

static enum rdb_step take_trailer(struct rdb_reader *r, const uint8_t *p)
{
	uint64_t crc = rdb_le_decode(p, RDB_CRC_BYTES);

	if (crc != 0 && crc != r->crc && !r->limits.ignore_checksum) {
		rdb_fault_set(&r->fault, RDB_ERR_CHECKSUM, r->offset,
			"checksum %016llx, but the data's is %016llx", (unsigned long long)crc,
			(unsigned long long)r->crc);
		return RDB_STEP_BAD;
	}
	return finish_file(r);
}

/* Header and trailer: parts of fixed size. The magic is checked as far as it is there, so that a
 * stranger's few bytes are not waited on. */
static enum rdb_step fixed_part(struct rdb_reader *r, const struct rdb_input *in, size_t *used)
{
	bool header = r->phase == PHASE_HEADER;
	size_t size = header ? RDB_HEADER_BYTES : RDB_CRC_BYTES;
	size_t magic = sizeof(RDB_MAGIC) - 1;

	if (header && memcmp(in->bytes, RDB_MAGIC, in->len < magic ? in->len : magic) != 0)
		return refuse(r, RDB_ERR_MAGIC, 0, "not an RDB file");
	if (in->len < size) {
		r->scan.need = size;
		return RDB_STEP_MORE;
	}
	*used = size;
	return header ? take_header(r, in->bytes) : take_trailer(r, in->bytes);
}

static enum rdb_step one_item(struct rdb_reader *r, const struct rdb_input *in, size_t *used)
{
	struct rdb_item item;
	enum rdb_step step =
		rdb_value_scan_item(&r->value, in, used, &r->text, &item, &r->scan.need);

	if (step == RDB_STEP_MORE && r->scan.need > r->limits.max_record_bytes)
		return refuse(r, RDB_ERR_LENGTH, 0, "item over the limit of a record");
	return step == RDB_STEP_DONE ? take_item(r, &item) : step;
}

/* One record or item, or header or trailer, at the input's beginning. *used: 0, and its length when
 * DONE. */
static enum rdb_step one_record(struct rdb_reader *r, const struct rdb_input *in, size_t *used)
{
	if (r->phase != PHASE_RECORDS)
		return fixed_part(r, in, used);
	if (r->in_value)
		return one_item(r, in, used);
	enum rdb_step step = rdb_scan_run(&r->scan, in, r->limits.max_record_bytes);
	if (step == RDB_STEP_DONE) {
		*used = r->scan.pos;
		step = take_record(r, in);
	}
	return step;
}

static struct rdb_input input_at(struct rdb_reader *r, const uint8_t *bytes, size_t len)
{
	return (struct rdb_input){
		.bytes = bytes,
		.len = len,
		.offset = r->offset,
		.max_string_bytes = r->limits.max_string_bytes,
		.fault = &r->fault,
	};
}

static void next_record(struct rdb_reader *r, size_t used)
{
	r->offset += used;
	rdb_scan_init(&r->scan);
	rdb_scratch_trim(&r->name, KEEP_BYTES);
	rdb_scratch_trim(&r->text, KEEP_BYTES);
}

/* Complete records where they lie. Returns the bytes they take. Stops before the trailer, which
 * needs the checksum of all before it. */
static size_t records_in_place(struct rdb_reader *r, const uint8_t *p, size_t len)
{
	enum phase phase = r->phase;
	enum rdb_step step = RDB_STEP_DONE;
	size_t pos = 0;

	while (pos < len && step == RDB_STEP_DONE && r->phase == phase) {
		struct rdb_input in = input_at(r, p + pos, len - pos);
		size_t used = 0;
		step = one_record(r, &in, &used);
		if (step != RDB_STEP_DONE)
			break;
		ASSERT(used > 0 && used <= len - pos);
		pos += used;
		next_record(r, used);
	}
	if (step == RDB_STEP_BAD)
		r->phase = PHASE_FAILED;
	if (!r->limits.is_fragment)
		r->crc = crc64(r->crc, p, pos);
	return pos;
}

/* Appends to the kept bytes; the buffer grows with what has come, not with what is announced. */
static bool keep_bytes(struct rdb_reader *r, const uint8_t *p, size_t len)
{
	size_t want = r->kept_len + len;

	if (want > r->kept_cap) {
		size_t cap = r->kept_cap * 2 < r->scan.need ? r->kept_cap * 2 : r->scan.need;
		if (cap < want)
			cap = want;
		uint8_t *kept = realloc(r->kept, cap);
		if (kept == NULL) {
			refuse(r, RDB_ERR_NOMEM, r->kept_len, "no memory for a record");
			return false;
		}
		r->kept = kept;
		r->kept_cap = cap;
	}
	memcpy(r->kept + r->kept_len, p, len);
	r->kept_len = want;
	return true;
}

static void drop_kept(struct rdb_reader *r)
{
	r->kept_len = 0;
	if (r->kept_cap > KEEP_BYTES) {
		free(r->kept);
		r->kept = NULL;
		r->kept_cap = 0;
	}
}

/* Goes on with the kept record. Returns how many of the len bytes were used. */
static size_t record_kept(struct rdb_reader *r, const uint8_t *p, size_t len)
{
	size_t had = r->kept_len;
	/* At least what the record lacks; twice what is here, so that a record of many small
	 * parts is not gathered in many small steps. Surplus goes back below. */
	size_t take = r->scan.need - had > had ? r->scan.need - had : had;
	size_t used = 0;

	if (take > len)
		take = len;
	if (!keep_bytes(r, p, take)) {
		r->phase = PHASE_FAILED;
		return 0;
	}
	/* Even when this is less than it lacks: what is malformed is refused at once, as it is in
	 * place, and not when bytes come that may never come. The scan resumes, so this is cheap.
	 */
	struct rdb_input in = input_at(r, r->kept, r->kept_len);
	enum rdb_step step = one_record(r, &in, &used);
	if (step == RDB_STEP_MORE)
		return take;
	if (step == RDB_STEP_BAD) {
		r->phase = PHASE_FAILED;
		return 0;
	}
	BUG_ON(used <= had || used > r->kept_len);
	if (!r->limits.is_fragment)
		r->crc = crc64(r->crc, r->kept, used);
	next_record(r, used);
	drop_kept(r);
	return used - had;
}

ssize_t rdb_reader_feed(struct rdb_reader *r, const void *data, size_t len)
{
	const uint8_t *p = data;
	size_t pos = 0;

	while (pos < len && r->phase < PHASE_END) {
		if (r->kept_len > 0) {
			pos += record_kept(r, p + pos, len - pos);
			continue;
		}
		size_t used = records_in_place(r, p + pos, len - pos);
		pos += used;
		if (used > 0 || r->phase >= PHASE_END)
			continue; /* another phase, or what is left is part of a record */
		if (!keep_bytes(r, p + pos, len - pos))
			r->phase = PHASE_FAILED;
		pos = len;
	}
	return r->phase == PHASE_FAILED ? -1 : (ssize_t)pos;
}

int rdb_reader_finish(struct rdb_reader *r)
{
	if (r->limits.is_fragment && r->phase == PHASE_RECORDS && r->kept_len == 0 &&
		!r->in_value && !r->key_awaited)
		r->phase = PHASE_END;
	if (r->phase < PHASE_END) {
		uint64_t end = rdb_reader_offset(r);
		rdb_fault_set(&r->fault, RDB_ERR_TRUNCATED, end,
			r->kept_len > 0 ? "the input ends inside a record"
					: "the input ends early");
		r->phase = PHASE_FAILED;
	}
	return r->phase == PHASE_END ? 0 : -1;
}

enum rdb_status rdb_reader_status(const struct rdb_reader *r)
{
	if (r->phase == PHASE_FAILED)
		return RDB_STATUS_FAILED;
	return r->phase == PHASE_END ? RDB_STATUS_END : RDB_STATUS_MORE;
}

const struct rdb_fault *rdb_reader_fault(const struct rdb_reader *r)
{
	return &r->fault;
}

int rdb_reader_refusal(const struct rdb_reader *r)
{
	return r->refusal;
}

const struct rdb_counters *rdb_reader_counters(const struct rdb_reader *r)
{
	return &r->counters;
}

unsigned rdb_reader_version(const struct rdb_reader *r)
{
	return r->version;
}

uint64_t rdb_reader_offset(const struct rdb_reader *r)
{
	return r->offset + r->kept_len;
}
