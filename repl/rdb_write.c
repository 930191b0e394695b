/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The RDB writer: small pieces gather in the stage, large ones go to the sink as they lie.
 *
 * The checksum follows the sink: it covers exactly the bytes passed on.
 */
#include "repl/rdb_write.h"

#include "persist/crc64.h"

#include <errno.h>
#include <lzf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LZF_KEEP_BYTES (1u << 20) /* scratch above this is given back after its string */
#define VAIN_MAX       16         /* so many strings in vain, and one in so many is tried */
#define INT_TEXT_LEN   11         /* "-2147483648" */
#define HEAD_BYTES     19         /* of a string: an encoding byte and two lengths */

void rdb_writer_init(struct rdb_writer *w, struct rdb_sink sink, unsigned flags)
{
	memset(w, 0, offsetof(struct rdb_writer, stage));
	w->sink = sink;
	w->flags = flags;
}

void rdb_writer_fini(struct rdb_writer *w)
{
	free(w->lzf);
	w->lzf = NULL;
	w->lzf_cap = 0;
}

static void pass_on(struct rdb_writer *w, const void *bytes, size_t len)
{
	if (w->err != 0 || len == 0)
		return;
	if (w->flags & RDB_WRITE_CRC)
		w->crc = crc64(w->crc, bytes, len);
	w->err = w->sink.write(w->sink.ctx, bytes, len);
}

static void pass_stage(struct rdb_writer *w)
{
	pass_on(w, w->stage, w->stage_len);
	w->stage_len = 0;
}

int rdb_write_raw(struct rdb_writer *w, const void *bytes, size_t len)
{
	if (w->err != 0 || len == 0)
		return w->err;
	w->nr_bytes += len;
	if (len > sizeof(w->stage) - w->stage_len)
		pass_stage(w);
	if (len > sizeof(w->stage)) {
		pass_on(w, bytes, len);
		return w->err;
	}
	memcpy(w->stage + w->stage_len, bytes, len);
	w->stage_len += len;
	return w->err;
}

int rdb_write_record_end(struct rdb_writer *w)
{
	pass_stage(w);
	return w->err;
}

int rdb_write_byte(struct rdb_writer *w, uint8_t byte)
{
	return rdb_write_raw(w, &byte, 1);
}

static void store_le(uint8_t *p, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

static void store_be(uint8_t *p, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> 8 * (n - 1 - i));
}

/* Puts the length field at p, at most 9 bytes. Returns its size. */
static size_t put_len(uint8_t *p, uint64_t len)
{
	if (len < 1u << 6) {
		p[0] = (uint8_t)len;
		return 1;
	}
	if (len < 1u << 14) {
		store_be(p, 1u << 14 | len, 2);
		return 2;
	}
	bool wide = len > UINT32_MAX;
	size_t size = wide ? 8 : 4;
	p[0] = wide ? 0x81 : 0x80;
	store_be(p + 1, len, size);
	return 1 + size;
}

int rdb_write_len(struct rdb_writer *w, uint64_t len)
{
	uint8_t head[HEAD_BYTES];

	return rdb_write_raw(w, head, put_len(head, len));
}

int rdb_write_u64(struct rdb_writer *w, uint64_t v)
{
	uint8_t buf[8];

	store_le(buf, v, sizeof(buf));
	return rdb_write_raw(w, buf, sizeof(buf));
}

int rdb_write_double(struct rdb_writer *w, double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	return rdb_write_u64(w, bits);
}

int rdb_write_id(struct rdb_writer *w, uint64_t ms, uint64_t seq)
{
	uint8_t buf[16];

	store_be(buf, ms, 8);
	store_be(buf + 8, seq, 8);
	return rdb_write_raw(w, buf, sizeof(buf));
}

/* True if str is exactly what an int32 prints as. */
static bool text_is_int(const char *str, size_t len, int32_t *value)
{
	int64_t v = 0;

	if (len == 0 || len > INT_TEXT_LEN)
		return false;
	bool minus = str[0] == '-';
	size_t first = minus ? 1 : 0;
	if (first == len || (str[first] == '0' && len > 1))
		return false; /* "-", "-0" and leading zeros */
	for (size_t i = first; i < len; i++) {
		if (str[i] < '0' || str[i] > '9')
			return false;
		v = v * 10 + (str[i] - '0');
	}
	if (minus)
		v = -v;
	*value = (int32_t)v;
	return *value == v;
}

static int write_int(struct rdb_writer *w, int32_t v)
{
	uint8_t buf[5];
	enum rdb_encoding enc = RDB_ENC_INT32;

	if (v == (int8_t)v)
		enc = RDB_ENC_INT8;
	else if (v == (int16_t)v)
		enc = RDB_ENC_INT16;
	buf[0] = 0xc0 | (uint8_t)enc;
	store_le(buf + 1, (uint32_t)v, (size_t)1 << enc);
	return rdb_write_raw(w, buf, 1 + ((size_t)1 << enc));
}

/* Compresses into w->lzf. Returns the length, 0 if that is not possible or not smaller. */
static unsigned compress_string(struct rdb_writer *w, const void *str, size_t len)
{
	if (len < RDB_COMPRESS_MIN_LEN || len > UINT32_MAX)
		return 0;
	size_t room = len - 4; /* less than that saved is not worth the reader's work */
	if (w->lzf_cap < room) {
		uint8_t *lzf = malloc(room);
		if (lzf == NULL)
			return 0; /* plain will do */
		free(w->lzf);
		w->lzf = lzf;
		w->lzf_cap = room;
	}
	return lzf_compress(str, (unsigned)len, w->lzf, (unsigned)room);
}

static bool compresses(struct rdb_writer *w, size_t len)
{
	if (!(w->flags & RDB_WRITE_COMPRESS) || len < RDB_COMPRESS_MIN_LEN)
		return false;
	return !(w->flags & RDB_WRITE_SPARING) || w->nr_vain < VAIN_MAX ||
	       w->nr_vain++ % VAIN_MAX == 0;
}

int rdb_write_string(struct rdb_writer *w, const void *str, size_t len)
{
	uint8_t head[HEAD_BYTES];
	unsigned packed = 0;
	int32_t number;

	if (w->err != 0)
		return w->err;
	if (text_is_int(str, len, &number))
		return write_int(w, number);
	if (compresses(w, len)) {
		packed = compress_string(w, str, len);
		w->nr_vain = packed > 0 ? 0 : w->nr_vain + (w->nr_vain < VAIN_MAX);
	}
	if (packed > 0) {
		size_t n = 0;
		head[n++] = 0xc0 | RDB_ENC_LZF;
		n += put_len(head + n, packed);
		n += put_len(head + n, len);
		rdb_write_raw(w, head, n);
		rdb_write_raw(w, w->lzf, packed);
	} else {
		rdb_write_raw(w, head, put_len(head, len));
		rdb_write_raw(w, str, len);
	}
	if (w->lzf_cap > LZF_KEEP_BYTES)
		rdb_writer_fini(w);
	return w->err;
}

int rdb_write_header(struct rdb_writer *w)
{
	char text[RDB_HEADER_BYTES + 1];

	snprintf(text, sizeof(text), RDB_MAGIC "%04d", RDB_VERSION_WRITTEN);
	rdb_write_raw(w, text, RDB_HEADER_BYTES);
	return rdb_write_record_end(w);
}

int rdb_write_aux(struct rdb_writer *w, const char *name, const void *value, size_t len)
{
	rdb_write_byte(w, RDB_OP_AUX);
	rdb_write_string(w, name, strlen(name));
	rdb_write_string(w, value, len);
	return rdb_write_record_end(w);
}

int rdb_write_aux_int(struct rdb_writer *w, const char *name, int64_t value)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%lld", (long long)value);

	return rdb_write_aux(w, name, text, (size_t)len);
}

int rdb_write_selectdb(struct rdb_writer *w, uint32_t db)
{
	rdb_write_byte(w, RDB_OP_SELECTDB);
	rdb_write_len(w, db);
	return rdb_write_record_end(w);
}

int rdb_write_resizedb(struct rdb_writer *w, uint64_t nr_keys, uint64_t nr_expires)
{
	rdb_write_byte(w, RDB_OP_RESIZEDB);
	rdb_write_len(w, nr_keys);
	rdb_write_len(w, nr_expires);
	return rdb_write_record_end(w);
}

int rdb_write_function(struct rdb_writer *w, const void *source, size_t len)
{
	rdb_write_byte(w, RDB_OP_FUNCTION2);
	rdb_write_string(w, source, len);
	return rdb_write_record_end(w);
}

int rdb_write_key_begin(struct rdb_writer *w, const struct rdb_key *key, enum rdb_type type)
{
	if (key->expire_ms != -1) {
		uint8_t buf[9] = {RDB_OP_EXPIRE_MS};
		store_le(buf + 1, (uint64_t)key->expire_ms, 8);
		rdb_write_raw(w, buf, sizeof(buf));
	}
	if (key->idle_s >= 0) {
		rdb_write_byte(w, RDB_OP_IDLE);
		rdb_write_len(w, (uint64_t)key->idle_s);
	}
	if (key->freq >= 0) {
		rdb_write_byte(w, RDB_OP_FREQ);
		rdb_write_byte(w, (uint8_t)key->freq);
	}
	rdb_write_byte(w, (uint8_t)type);
	return rdb_write_string(w, key->name, key->name_len);
}

int rdb_write_key_string(
	struct rdb_writer *w, const struct rdb_key *key, const void *value, size_t len)
{
	rdb_write_key_begin(w, key, RDB_TYPE_STRING);
	rdb_write_string(w, value, len);
	return rdb_write_record_end(w);
}

static int write_crc(struct rdb_writer *w)
{
	uint8_t buf[RDB_CRC_BYTES];

	rdb_write_record_end(w);
	store_le(buf, w->crc, sizeof(buf));
	rdb_write_raw(w, buf, sizeof(buf));
	return rdb_write_record_end(w);
}

int rdb_write_eof(struct rdb_writer *w)
{
	rdb_write_byte(w, RDB_OP_EOF);
	return write_crc(w);
}

int rdb_dump_begin(struct rdb_writer *w, enum rdb_type type)
{
	w->flags |= RDB_WRITE_CRC;
	w->crc = 0;
	return rdb_write_byte(w, (uint8_t)type);
}

int rdb_dump_end(struct rdb_writer *w)
{
	rdb_write_byte(w, RDB_VERSION_WRITTEN & 0xff);
	rdb_write_byte(w, RDB_VERSION_WRITTEN >> 8);
	return write_crc(w);
}

int rdb_dump_string(struct rdb_writer *w, const void *value, size_t len)
{
	rdb_dump_begin(w, RDB_TYPE_STRING);
	rdb_write_string(w, value, len);
	return rdb_dump_end(w);
}
