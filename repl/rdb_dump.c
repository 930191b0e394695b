/* SPDX-License-Identifier: BSD-3-Clause */
#include "repl/rdb_dump.h"

#include "persist/crc64.h"
#include "repl/rdb_value.h"

static int refuse(struct rdb_fault *fault, enum rdb_error error, size_t at, const char *what)
{
	rdb_fault_set(fault, error, at, "%s", what);
	return -1;
}

static int upcall_result(struct rdb_fault *fault, size_t at, int result)
{
	if (result == 0)
		return 0;
	rdb_fault_set(fault, RDB_ERR_UPCALL, at, "refused by the receiver (%d)", result);
	return -1;
}

static int check_tail(
	const uint8_t *payload, size_t len, unsigned max_version, struct rdb_fault *fault)
{
	if (len < RDB_DUMP_TAIL_BYTES)
		return refuse(fault, RDB_ERR_TRUNCATED, len, "no room for version and checksum");
	size_t body = len - RDB_DUMP_TAIL_BYTES;
	unsigned version = (unsigned)rdb_le_decode(payload + body, 2);

	if (version > max_version) {
		rdb_fault_set(fault, RDB_ERR_VERSION, body, "payload version %u, over %u", version,
			max_version);
		return -1;
	}
	if (crc64(0, payload, len - RDB_CRC_BYTES) !=
		rdb_le_decode(payload + body + 2, RDB_CRC_BYTES))
		return refuse(fault, RDB_ERR_CHECKSUM, len - RDB_CRC_BYTES, "wrong checksum");
	return 0;
}

static int check_type(unsigned type, unsigned max_type, struct rdb_fault *fault)
{
	const char *name = rdb_type_name(type);

	if (name == NULL)
		return refuse(fault, RDB_ERR_OPCODE, 0, "unknown value type");
	if (type <= max_type && rdb_value_known(type))
		return 0;
	rdb_fault_set(fault, RDB_ERR_TYPE, 0, "value type %u (%s) is not supported", type, name);
	return -1;
}

/* The items between the type byte and the tail. */
static int read_items(const struct rdb_input *in, enum rdb_type type,
	const struct rdb_dump_upcalls *up, void *ctx, struct rdb_scratch *scratch)
{
	struct rdb_value_scan vs;
	size_t pos = 1, need = 0;

	rdb_value_scan_init(&vs, type);
	while (!rdb_value_scan_over(&vs)) {
		struct rdb_item item;
		size_t at = pos;
		enum rdb_step step = rdb_value_scan_item(&vs, in, &pos, scratch, &item, &need);

		if (step == RDB_STEP_MORE)
			return refuse(
				in->fault, RDB_ERR_STRING, at, "value longer than its payload");
		if (step == RDB_STEP_BAD ||
			upcall_result(in->fault, at, up->on_item(ctx, &item)) != 0)
			return -1;
	}
	if (pos != in->len)
		return refuse(in->fault, RDB_ERR_LENGTH, pos, "bytes behind the value");
	return 0;
}

int rdb_dump_parse(const void *payload, size_t len, const struct rdb_dump_limits *limits,
	const struct rdb_dump_upcalls *up, void *ctx, struct rdb_scratch *scratch,
	struct rdb_fault *fault)
{
	*fault = (struct rdb_fault){0};
	if (check_tail(payload, len, limits->max_version, fault) != 0)
		return -1;
	struct rdb_input in = {
		.bytes = payload,
		.len = len - RDB_DUMP_TAIL_BYTES,
		.max_string_bytes = limits->max_string_bytes,
		.fault = fault,
	};
	if (in.len == 0)
		return refuse(fault, RDB_ERR_LENGTH, 0, "no value");
	unsigned type = in.bytes[0];
	if (check_type(type, limits->max_type, fault) != 0 ||
		upcall_result(fault, 0, up->on_value(ctx, type)) != 0)
		return -1;
	return read_items(&in, type, up, ctx, scratch);
}
