/* SPDX-License-Identifier: BSD-3-Clause
 *
 * How far one RDB record reaches: a scan that stops when its input ends and resumes with more.
 *
 * A record is its first byte and the parts that this byte stands for, written as a short text, one
 * letter a part:
 *
 *   L length    S string    1 4 8 that many bytes    M module data up to RDB_MODULE_EOF
 *
 * Of a key, a string's record has the value too; that of another type ends behind the name, and its
 * value follows item by item (repl/rdb_value.h).
 *
 * - Every step moves pos forward or ends the scan.
 * - pos is at the beginning of a part, so what is scanned again after a pause is the head of one
 *   part, never a part.
 * - Positions are indices: when the scan resumes, the same bytes may lie elsewhere.
 */
#ifndef MILLRACE_REPL_RDB_SCAN_H
#define MILLRACE_REPL_RDB_SCAN_H

#include "repl/rdb_decode.h"

#define RDB_SCAN_PARTS 3

/* A part found: a number, a string, or where its bytes begin. */
union rdb_part {
	uint64_t number;
	struct rdb_string str;
	size_t bytes;
};

struct rdb_scan {
	const char *rest; /* parts yet to come, NULL before the first byte */
	size_t pos;       /* behind the parts found: the record's length when DONE */
	size_t need;      /* after MORE: the least input with which to resume */
	unsigned nr_parts;
	uint8_t op;
	union rdb_part parts[RDB_SCAN_PARTS]; /* not set for M */
};

/* Readies a scan for a record that begins at index 0 of its input. */
void rdb_scan_init(struct rdb_scan *scan);

/* Scans on. DONE: scan->op and the parts are valid. BAD: not a record, or one of more than
 * max_bytes; types that are not supported are BAD with RDB_ERR_TYPE as soon as their key's name
 * (of a module's type, the module's too) is there. */
enum rdb_step rdb_scan_run(struct rdb_scan *scan, const struct rdb_input *in, size_t max_bytes);

#endif
