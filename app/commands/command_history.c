/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What commands have learnt since their first version, and remarks on their keys. Versions are
 * those of Redis.
 *
 * History: entries with "; " between them, each a version, a blank, and what came. Notes: the index
 * of a key specification, a blank, and the remark, in the order of the specifications.
 */
#include "app/commands/command_facts.h"

#include <string.h>

static const struct {
	const char *name, *text;
} history[] = {
	{"acl|getuser", "6.2.0 patterns of channels; 7.0.0 selectors, and patterns as rules"},
	{"acl|setuser", "6.2.0 patterns of channels; 7.0.0 selectors, rights by key"},
	{"auth", "6.0.0 the name of a user"},
	{"bgsave", "3.2.2 SCHEDULE"},
	{"bitcount", "7.0.0 BYTE and BIT"},
	{"bitpos", "7.0.0 BYTE and BIT"},
	{"blpop", "6.0.0 fractions of a second in timeout"},
	{"brpop", "6.0.0 fractions of a second in timeout"},
	{"brpoplpush", "6.0.0 fractions of a second in timeout"},
	{"bzpopmax", "6.0.0 fractions of a second in timeout"},
	{"bzpopmin", "6.0.0 fractions of a second in timeout"},
	{"client|kill", "2.8.12 options, in the place of an address; 2.8.12 ID; 3.2.0 TYPE master; "
			"5.0.0 TYPE replica, slave being the older word; 6.2.0 LADDR"},
	{"client|list", "2.8.12 id in the lines; 5.0.0 TYPE; 6.0.0 user in the lines; "
			"6.2.0 ID, and argv-mem, tot-mem, laddr and redir in the lines; "
			"7.0.0 resp, multi-mem, rbs and rbp in the lines; 7.0.3 ssub in the lines"},
	{"client|pause", "6.2.0 the mode, WRITE or ALL"},
	{"cluster|meet", "4.0.0 cluster_bus_port"},
	{"cluster|slots", "4.0.0 ids of nodes; 7.0.0 more about the network"},
	{"command|info", "7.0.0 all commands, when none is named"},
	{"config|get", "7.0.0 several patterns"},
	{"config|set", "7.0.0 several parameters"},
	{"exists", "3.0.3 several keys"},
	{"expire", "7.0.0 NX, XX, GT and LT"},
	{"expireat", "7.0.0 NX, XX, GT and LT"},
	{"flushall", "4.0.0 ASYNC; 6.2.0 SYNC"},
	{"flushdb", "4.0.0 ASYNC; 6.2.0 SYNC"},
	{"geoadd", "6.2.0 CH, NX and XX"},
	{"georadius", "6.2.0 ANY with COUNT; 7.0.0 units in capitals"},
	{"georadius_ro", "6.2.0 ANY with COUNT"},
	{"georadiusbymember", "7.0.0 units in capitals"},
	{"geosearch", "7.0.0 units in capitals"},
	{"geosearchstore", "7.0.0 units in capitals"},
	{"hdel", "2.4.0 several fields"},
	{"hello", "6.2.0 nothing but the present state, without protover"},
	{"hset", "4.0.0 several fields"},
	{"info", "7.0.0 several sections"},
	{"lpop", "6.2.0 count"},
	{"lpush", "2.4.0 several elements"},
	{"lpushx", "4.0.0 several elements"},
	{"migrate", "3.0.0 COPY and REPLACE; 3.0.6 KEYS; 4.0.7 AUTH; 6.0.0 AUTH2"},
	{"pexpire", "7.0.0 NX, XX, GT and LT"},
	{"pexpireat", "7.0.0 NX, XX, GT and LT"},
	{"pttl", "2.8.0 -2 for a key that does not exist"},
	{"renamenx", "3.2.0 both names may be the same"},
	{"restore", "3.0.0 REPLACE; 5.0.0 ABSTTL; 5.0.0 IDLETIME and FREQ"},
	{"restore-asking", "3.0.0 REPLACE; 5.0.0 ABSTTL; 5.0.0 IDLETIME and FREQ"},
	{"rpop", "6.2.0 count"},
	{"rpush", "2.4.0 several elements"},
	{"rpushx", "4.0.0 several elements"},
	{"sadd", "2.4.0 several members"},
	{"scan", "6.0.0 TYPE"},
	{"script|flush", "6.2.0 ASYNC and SYNC"},
	{"set", "2.6.12 EX, PX, NX and XX; 6.0.0 KEEPTTL; 6.2.0 GET, EXAT and PXAT; "
		"7.0.0 NX together with GET"},
	{"shutdown", "7.0.0 NOW, FORCE and ABORT"},
	{"slowlog|get", "4.0.0 address and name of the client in the reply"},
	{"spop", "3.2.0 count"},
	{"srandmember", "2.6.0 count"},
	{"srem", "2.4.0 several members"},
	{"ttl", "2.8.0 -2 for a key that does not exist"},
	{"xadd", "6.2.0 NOMKSTREAM, MINID and LIMIT; 7.0.0 an id of which ms alone is given"},
	{"xautoclaim", "7.0.0 the ids of deleted entries in the reply"},
	{"xgroup|create", "7.0.0 ENTRIESREAD"},
	{"xgroup|setid", "7.0.0 ENTRIESREAD"},
	{"xinfo|groups", "7.0.0 entries-read and lag"},
	{"xinfo|stream", "6.0.0 FULL; 7.0.0 max-deleted-entry-id, entries-added, "
			 "recorded-first-entry-id, entries-read and lag"},
	{"xpending", "6.2.0 IDLE, and ranges without their ends"},
	{"xrange", "6.2.0 ranges without their ends"},
	{"xrevrange", "6.2.0 ranges without their ends"},
	{"xsetid", "7.0.0 ENTRIESADDED and MAXDELETEDID"},
	{"xtrim", "6.2.0 MINID and LIMIT"},
	{"zadd", "2.4.0 several members; 3.0.2 XX, NX, CH and INCR; 6.2.0 GT and LT"},
	{"zrange", "6.2.0 REV, BYSCORE, BYLEX and LIMIT"},
	{"zrangebyscore", "2.0.0 WITHSCORES"},
	{"zrem", "2.4.0 several members"},
	{"zrevrangebyscore", "2.1.6 ranges without their ends"},
};

static const struct {
	const char *name;
	unsigned spec;
	const char *text;
} notes[] = {
	{"bitfield", 0, "A subcommand may read the key, change it, or both"},
	{"eval", 0, "What the script does with its keys is not known: it may read and change them"},
	{"eval_ro", 0, "What the script does with its keys is not known: it may read them"},
	{"fcall", 0,
		"What the function does with its keys is not known: it may read and change them"},
	{"fcall_ro", 0, "What the function does with its keys is not known: it may read them"},
	{"getex", 0, "It changes the time to live, so it is an update"},
	{"pfcount", 0, "It may store the count that it has found, and replicas get that too"},
	{"set", 0, "GET reads the value that was there"},
	{"sort", 1, "Names that BY and GET make of the elements cannot be told in advance"},
	{"sort", 2, "STORE may stand anywhere among the options"},
	{"sort_ro", 1, "Names that BY and GET make of the elements cannot be told in advance"},
	{"xadd", 0, "It may remove entries as well, so it is an update"},
};

const char *command_history_find(const char *full_name)
{
	for (size_t i = 0; i < sizeof(history) / sizeof(history[0]); i++)
		if (strcmp(history[i].name, full_name) == 0)
			return history[i].text;
	return NULL;
}

bool command_history_next(const char **text, struct slice *version, struct slice *what)
{
	const char *s = *text, *end;

	if (!s || !*s)
		return false;
	*version = (struct slice){s, strcspn(s, " ")};
	s += version->len + 1;
	end = strchr(s, ';');
	*what = (struct slice){s, end ? (size_t)(end - s) : strlen(s)};
	*text = end ? end + 2 : s + what->len;
	return true;
}

const char *command_key_note(const char *full_name, unsigned spec)
{
	for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++)
		if (notes[i].spec == spec && strcmp(notes[i].name, full_name) == 0)
			return notes[i].text;
	return NULL;
}
