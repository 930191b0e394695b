/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Lengths and strings of RDB, decoded. repl/rdb.h has the format.
 */
#include "repl/rdb_decode.h"

#include <lzf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A match of LZF is 3 bytes for at most 264, and the rest expands less: no input yields more. */
#define LZF_RATIO_MAX 88

#define INT_TEXT_MAX 12 /* "-2147483648" and its NUL */

static enum rdb_step bad(
	const struct rdb_input *in, enum rdb_error error, size_t pos, const char *what)
{
	rdb_fault_set(in->fault, error, in->offset + pos, "%s", what);
	return RDB_STEP_BAD;
}

static enum rdb_step more(const struct rdb_input *in, size_t pos, uint64_t want, size_t *need)
{
	/* want <= max_string_bytes or a few bytes: the sum stays far from overflow for any
	 * position in an input that fits memory, yet it is checked where the limit is absurd. */
	if (__builtin_add_overflow(pos, want, need))
		return bad(in, RDB_ERR_LENGTH, pos, "length over all memory");
	return RDB_STEP_MORE;
}

static uint64_t read_be(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

/* Reads a length field, or the encoding of a string where that is allowed. */
static enum rdb_step len_field(const struct rdb_input *in, size_t *pos, uint64_t *value,
	enum rdb_encoding *enc, size_t *need)
{
	if (*pos >= in->len)
		return more(in, *pos, 1, need);
	const uint8_t *p = in->bytes + *pos;
	size_t size;

	switch (p[0] >> 6) {
	case 0: size = 1; break;
	case 1: size = 2; break;
	case 2:
		if (p[0] > 0x81)
			return bad(in, RDB_ERR_LENGTH, *pos, "malformed length");
		size = p[0] == 0x80 ? 5 : 9;
		break;
	default:
		if (enc == NULL)
			return bad(in, RDB_ERR_LENGTH, *pos, "a string where a length belongs");
		if ((p[0] & 0x3f) > RDB_ENC_LZF)
			return bad(in, RDB_ERR_STRING, *pos, "unknown string encoding");
		*enc = p[0] & 0x3f;
		*pos += 1;
		return RDB_STEP_DONE;
	}
	if (in->len - *pos < size)
		return more(in, *pos, size, need);
	if (size == 1)
		*value = p[0] & 0x3f;
	else if (size == 2)
		*value = read_be(p, 2) & 0x3fff;
	else
		*value = read_be(p + 1, size - 1);
	if (enc != NULL)
		*enc = RDB_ENC_RAW;
	*pos += size;
	return RDB_STEP_DONE;
}

enum rdb_step rdb_len_decode(const struct rdb_input *in, size_t *pos, uint64_t *value, size_t *need)
{
	return len_field(in, pos, value, NULL, need);
}

static enum rdb_step check_string_len(const struct rdb_input *in, size_t pos, uint64_t len)
{
	if (len <= in->max_string_bytes)
		return RDB_STEP_DONE;
	rdb_fault_set(in->fault, RDB_ERR_LENGTH, in->offset + pos,
		"string of %llu bytes, over the limit of %zu", (unsigned long long)len,
		in->max_string_bytes);
	return RDB_STEP_BAD;
}

/* The two lengths of a compressed string; *pos is behind the encoding byte. */
static enum rdb_step lzf_head(
	const struct rdb_input *in, size_t *pos, struct rdb_string *str, size_t *need)
{
	size_t at = *pos;
	uint64_t packed, text;

	enum rdb_step step = rdb_len_decode(in, pos, &packed, need);
	if (step == RDB_STEP_DONE)
		step = check_string_len(in, at, packed);
	if (step == RDB_STEP_DONE) {
		at = *pos;
		step = rdb_len_decode(in, pos, &text, need);
	}
	if (step == RDB_STEP_DONE)
		step = check_string_len(in, at, text);
	if (step != RDB_STEP_DONE)
		return step;
	if (packed == 0 || text == 0 || packed > UINT32_MAX || text > UINT32_MAX ||
		text / LZF_RATIO_MAX > packed)
		return bad(in, RDB_ERR_STRING, at, "impossible lengths of a compressed string");
	str->data_len = packed;
	str->text_len = text;
	return RDB_STEP_DONE;
}

enum rdb_step rdb_string_head(
	const struct rdb_input *in, size_t *pos, struct rdb_string *str, size_t *need)
{
	size_t p = *pos;
	uint64_t len = 0;

	enum rdb_step step = len_field(in, &p, &len, &str->enc, need);
	if (step != RDB_STEP_DONE)
		return step;
	switch (str->enc) {
	case RDB_ENC_RAW:
		step = check_string_len(in, *pos, len);
		str->data_len = str->text_len = len;
		break;
	case RDB_ENC_LZF: step = lzf_head(in, &p, str, need); break;
	default: str->data_len = (size_t)1 << str->enc; str->text_len = 0;
	}
	if (step != RDB_STEP_DONE)
		return step;
	if (in->len - p < str->data_len)
		return more(in, p, str->data_len, need);
	str->data = p;
	*pos = p + str->data_len;
	return RDB_STEP_DONE;
}

static enum rdb_step scratch_reserve(
	const struct rdb_input *in, size_t pos, struct rdb_scratch *scratch, size_t len)
{
	if (len <= scratch->cap)
		return RDB_STEP_DONE;
	size_t cap = len < 64 ? 64 : len;
	uint8_t *bytes = malloc(cap); /* the old content is of no use */
	if (bytes == NULL)
		return bad(in, RDB_ERR_NOMEM, pos, "no memory for a string");
	free(scratch->bytes);
	scratch->bytes = bytes;
	scratch->cap = cap;
	return RDB_STEP_DONE;
}

void rdb_scratch_trim(struct rdb_scratch *scratch, size_t keep)
{
	if (scratch->cap <= keep)
		return;
	free(scratch->bytes);
	*scratch = (struct rdb_scratch){0};
}

static enum rdb_step int_text(const struct rdb_input *in, const struct rdb_string *str,
	struct rdb_scratch *scratch, size_t *text_len)
{
	unsigned spare = 64 - 8 * (unsigned)str->data_len;
	int64_t v =
		(int64_t)(rdb_le_decode(in->bytes + str->data, str->data_len) << spare) >> spare;

	if ((str->enc == RDB_ENC_INT16 && v == (int8_t)v) ||
		(str->enc == RDB_ENC_INT32 && v == (int16_t)v))
		return bad(in, RDB_ERR_STRING, str->data, "integer wider than it needs to be");
	enum rdb_step step = scratch_reserve(in, str->data, scratch, INT_TEXT_MAX);
	if (step != RDB_STEP_DONE)
		return step;
	*text_len = (size_t)snprintf((char *)scratch->bytes, INT_TEXT_MAX, "%d", (int)v);
	return RDB_STEP_DONE;
}

enum rdb_step rdb_string_text(const struct rdb_input *in, const struct rdb_string *str,
	struct rdb_scratch *scratch, const void **text, size_t *text_len)
{
	const uint8_t *data = in->bytes + str->data;
	enum rdb_step step;

	if (str->enc == RDB_ENC_RAW) {
		*text = data;
		*text_len = str->text_len;
		return RDB_STEP_DONE;
	}
	if (str->enc != RDB_ENC_LZF) {
		step = int_text(in, str, scratch, text_len);
	} else {
		step = scratch_reserve(in, str->data, scratch, str->text_len);
		if (step == RDB_STEP_DONE &&
			lzf_decompress(data, (unsigned)str->data_len, scratch->bytes,
				(unsigned)str->text_len) != str->text_len)
			return bad(in, RDB_ERR_STRING, str->data, "damaged compressed string");
		*text_len = str->text_len;
	}
	*text = scratch->bytes;
	return step;
}
