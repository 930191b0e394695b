/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Redis RDB: the numbers of the format, and what its readers and writers share.
 *
 * A file, and what a full synchronisation carries:
 *
 *   "REDIS" | 4 decimal digits, the version | records ... | 255 | CRC64, 8 bytes LE
 *
 * The CRC covers everything before it, 255 included; eight zero bytes mean that none was
 * made, and files before version 5 have none. A record opens with one byte: 244 and above is
 * an opcode (enum rdb_opcode), anything else the type of a value (enum rdb_type), followed by
 * the key's name and the value. Expiry, idle time and frequency are records ahead of the key
 * they describe.
 *
 *   length    00xxxxxx                6 bits
 *             01xxxxxx b              14 bits, high part first
 *             10000000 b b b b        32 bits BE
 *             10000001 b*8            64 bits BE
 *             11xxxxxx                no length: the encoding of a string (enum rdb_encoding)
 *   string    length, bytes
 *             11000000 b              int8        the string is its decimal text
 *             11000001 b b            int16 LE
 *             11000010 b b b b        int32 LE
 *             11000011 length clen, length len, clen bytes of LZF
 *
 * Integers are little-endian unless said otherwise.
 */
#ifndef MILLRACE_REPL_RDB_H
#define MILLRACE_REPL_RDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RDB_MAGIC            "REDIS"
#define RDB_HEADER_BYTES     9
#define RDB_CRC_BYTES        8
#define RDB_VERSION_WRITTEN  10 /* Redis 7.0 */
#define RDB_VERSION_MAX      12 /* Redis 7.4: the newest that the reader takes */
#define RDB_VERSION_CRC      5  /* from here on a file ends with a CRC */
#define RDB_DUMP_TAIL_BYTES  10 /* a DUMP payload ends with version (2) and CRC (8) */
#define RDB_COMPRESS_MIN_LEN 21 /* a shorter string is not worth trying */

enum rdb_opcode {
	RDB_OP_SLOT_INFO = 244,  /* lengths: slot, keys, keys with expiry (7.4 on) */
	RDB_OP_FUNCTION2 = 245,  /* string: source of a library */
	RDB_OP_FUNCTION = 246,   /* candidates of 7.0 only */
	RDB_OP_MODULE_AUX = 247, /* length: module; then module opcodes up to RDB_MODULE_EOF */
	RDB_OP_IDLE = 248,       /* length: seconds */
	RDB_OP_FREQ = 249,       /* one byte */
	RDB_OP_AUX = 250,        /* strings: name, value */
	RDB_OP_RESIZEDB = 251,   /* lengths: keys, keys with expiry */
	RDB_OP_EXPIRE_MS = 252,  /* 8 bytes: Unix time in ms */
	RDB_OP_EXPIRE_S = 253,   /* 4 bytes: Unix time in s */
	RDB_OP_SELECTDB = 254,   /* length */
	RDB_OP_EOF = 255,
};

enum rdb_type {
	RDB_TYPE_STRING = 0,
	RDB_TYPE_LIST = 1,
	RDB_TYPE_SET = 2,
	RDB_TYPE_ZSET = 3, /* scores as text */
	RDB_TYPE_HASH = 4,
	RDB_TYPE_ZSET_2 = 5, /* scores as doubles */
	RDB_TYPE_MODULE = 6,
	RDB_TYPE_MODULE_2 = 7,
	RDB_TYPE_HASH_ZIPMAP = 9,
	RDB_TYPE_LIST_ZIPLIST = 10,
	RDB_TYPE_SET_INTSET = 11,
	RDB_TYPE_ZSET_ZIPLIST = 12,
	RDB_TYPE_HASH_ZIPLIST = 13,
	RDB_TYPE_LIST_QUICKLIST = 14,
	RDB_TYPE_STREAM_LISTPACKS = 15,
	RDB_TYPE_HASH_LISTPACK = 16,
	RDB_TYPE_ZSET_LISTPACK = 17,
	RDB_TYPE_LIST_QUICKLIST_2 = 18,
	RDB_TYPE_STREAM_LISTPACKS_2 = 19,
	RDB_TYPE_SET_LISTPACK = 20, /* 7.2 on, as the next */
	RDB_TYPE_STREAM_LISTPACKS_3 = 21,
	RDB_TYPE_HASH_METADATA_PRE_GA = 22, /* hashes whose fields expire: 7.4 on */
	RDB_TYPE_HASH_LISTPACK_EX_PRE_GA = 23,
	RDB_TYPE_HASH_METADATA = 24,
	RDB_TYPE_HASH_LISTPACK_EX = 25,
	RDB_TYPE_MAX = RDB_TYPE_HASH_LISTPACK_EX,
};

/* The low six bits of a length byte that begins with 11. */
enum rdb_encoding {
	RDB_ENC_INT8 = 0,
	RDB_ENC_INT16 = 1,
	RDB_ENC_INT32 = 2,
	RDB_ENC_LZF = 3,
	RDB_ENC_RAW = 0x100, /* not on the wire: plain bytes */
};

/* What module data are made of; each opcode is a length field. */
enum rdb_module_opcode {
	RDB_MODULE_EOF = 0,
	RDB_MODULE_SINT = 1,   /* length field */
	RDB_MODULE_UINT = 2,   /* length field */
	RDB_MODULE_FLOAT = 3,  /* 4 bytes */
	RDB_MODULE_DOUBLE = 4, /* 8 bytes */
	RDB_MODULE_STRING = 5, /* string */
};

enum rdb_error {
	RDB_OK = 0,
	RDB_ERR_MAGIC,     /* does not begin with "REDIS" and four digits */
	RDB_ERR_VERSION,   /* a version out of range */
	RDB_ERR_OPCODE,    /* neither an opcode nor a type, or one out of place */
	RDB_ERR_TYPE,      /* a type that the reader knows by name only */
	RDB_ERR_LENGTH,    /* a length that is malformed or over its limit */
	RDB_ERR_STRING,    /* a malformed string */
	RDB_ERR_CHECKSUM,  /* the CRC is not that of the bytes */
	RDB_ERR_TRUNCATED, /* the input ended too early */
	RDB_ERR_NOMEM,
	RDB_ERR_UPCALL, /* an upcall refused */
};

/* What went wrong, first failure only. text: "offset 1234: ..." for the log, NUL-terminated,
 * printable whatever the input was. */
struct rdb_fault {
	enum rdb_error error;
	uint64_t at;
	char text[192];
};

/* A key and what is known of it. name is borrowed: valid during the call it is passed to. */
struct rdb_key {
	uint32_t db;
	const void *name;
	size_t name_len;
	int64_t expire_ms; /* Unix time, -1 without expiry */
	int64_t idle_s;    /* -1 when unknown */
	int16_t freq;      /* 0-255, -1 when unknown */
};

/* A string value, decoded. Borrowed like rdb_key. */
struct rdb_value {
	enum rdb_type type;
	const void *str; /* RDB_TYPE_STRING */
	size_t str_len;
};

/* What values are made of; repl/rdb_value.h has the order. The letters are those of its texts. What
 * an item brings is in the member of struct rdb_item named here. */
enum rdb_item_kind {
	RDB_ITEM_COUNT = 'n',      /* number: how many of the following; only a hint */
	RDB_ITEM_ELEMENT = 'e',    /* str: of a list */
	RDB_ITEM_MEMBER = 'm',     /* str: of a set or sorted set */
	RDB_ITEM_SCORE = 's',      /* score: any double, NaN too */
	RDB_ITEM_SCORE_TEXT = 't', /* not delivered: comes as RDB_ITEM_SCORE */
	RDB_ITEM_FIELD = 'f',      /* str */
	RDB_ITEM_VALUE = 'v',      /* str: of the field before */
	RDB_ITEM_CONTAINER = 'c',  /* number: enum rdb_container, of the blob to come */
	RDB_ITEM_BLOB = 'b',       /* str: a whole string, listpack, intset, ziplist or zipmap */

	/* streams */
	RDB_ITEM_NODE_ID = 'i', /* id: of the blob to come, which is a listpack */
	RDB_ITEM_LENGTH = 'l',  /* number: entries */
	RDB_ITEM_LAST_ID = 'L', /* id */
	RDB_ITEM_FIRST_ID = 'F',
	RDB_ITEM_DELETED_ID = 'D',    /* id: the largest that was deleted */
	RDB_ITEM_ENTRIES_ADDED = 'A', /* number */
	RDB_ITEM_GROUP = 'g',         /* str: its name */
	RDB_ITEM_GROUP_ID = 'G',      /* id: last delivered */
	RDB_ITEM_ENTRIES_READ = 'R',  /* number: all ones when unknown */
	RDB_ITEM_PENDING_ID = 'p',    /* id: of an entry pending in the group */
	RDB_ITEM_DELIVERY_TIME = 'T', /* number: Unix time in ms */
	RDB_ITEM_DELIVERY_COUNT = 'C',
	RDB_ITEM_CONSUMER = 'u',    /* str: its name, in the group before */
	RDB_ITEM_SEEN_TIME = 'S',   /* number: Unix time in ms */
	RDB_ITEM_ACTIVE_TIME = 'V', /* number: Unix time in ms */
	RDB_ITEM_CONSUMER_PENDING_ID = 'q',
};

/* How a node of a list is stored. */
enum rdb_container {
	RDB_CONTAINER_PLAIN = 1,  /* the blob is one element */
	RDB_CONTAINER_PACKED = 2, /* the blob is a listpack */
};

/* A part of a value. str is borrowed like rdb_key. */
struct rdb_item {
	enum rdb_item_kind kind;
	union {
		uint64_t number;
		double score;
		struct {
			const void *bytes;
			size_t len;
		} str;
		struct {
			uint64_t ms, seq;
		} id;
	};
};

/* Returns a type's name ("list", "hash listpack"), or NULL for a number that is no type. Any
 * thread. */
const char *rdb_type_name(unsigned type);

/* Records the first fault (later ones are ignored) at byte offset at, formatted like printf.
 * Any thread, one at a time per fault. */
void rdb_fault_set(struct rdb_fault *f, enum rdb_error error, uint64_t at, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Writes bytes into out (cap > 0) as printable ASCII, the rest as \xHH, cut short with "..." when
 * they do not fit. Always NUL-terminated. Any thread. */
void rdb_text_escape(const void *bytes, size_t len, char *out, size_t cap);

#endif
