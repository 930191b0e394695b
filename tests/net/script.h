/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Scripts that say, segment by segment and with times, what one stack must send to a peer that the
 * script plays. A text file, read line by line; '#' starts a comment.
 *
 * Directives, before the first event:
 *
 *	set NAME VALUE    a setting of the stack or its application (script_set.c lists them)
 *	include FILE      reads the lines of another script here
 *
 * Events: TIME WHO WHAT, one a line, in order.
 *
 *	+0      peer   SYN 0 wnd 65535 mss 1460     the peer sends this segment
 *	+0      stack  SYN+ACK 0 ack 1 wnd 65535    the stack must have sent this one, no other
 *	+10ms   app    write 1000                   the application acts
 *	+0      up     accept                       the application must have been told
 *	+0      is     state ESTABLISHED            must be true
 *	+0      conn   2                            what follows is of another connection
 *	+0      isn    +100000                      the next ISN of the peer, relative to the one
 *	                                            before; that of the stack is new, too
 *
 * "peer+" and "app+": the next line belongs to the same burst; what the stack has to send comes
 * after it.
 *
 * TIME is relative to the line before: +0, +200us, +1.5ms, +3s. What is expected must come at that
 * very microsecond. With "~" it may be later by up to two ticks of the timer wheel (a timer is
 * never early), and by so much with "~5ms". What a line expects and does not come, and what comes
 * without a line that expects it, segment or upcall, are faults.
 *
 * A segment is FLAGS SEQ[..END] and then any of
 *
 *	ack N             with the flag ACK
 *	wnd N             as it lies in the header; left out: as in this direction before
 *	mss N  ws N  sackok  ts VAL/ECR  sack A..B A..B
 *	urg N  ect0  ect1  ce
 *	junk              payload that is not what belongs there (only peer)
 *	badsum            a wrong checksum (only peer)
 *	raw HEX           options as they are, instead of the named ones (only peer)
 *	port N            to another port (only peer)
 *	by N              several segments at once of N bytes each; FIN and PSH are of the last
 *
 * FLAGS are joined by '+': SYN ACK FIN RST PSH URG ECE CWR; "-" is none. Options that a segment has
 * and the line does not name are a fault, and so is any flag, wrong checksum or payload that is not
 * the stream's bytes at that place. Sequence numbers count from the sender's ISN, which is 0, so
 * that the stream's first byte is 1; ack and sack count from the other side's.
 *
 * Timestamps: the peer's are as the script writes them. The stack's are in milliseconds since the
 * start of the script; "now" is the time of the segment. The peer may echo "last", the last that it
 * has got. An expected "*" (also of wnd) is anything.
 *
 * Other things the peer can send: "icmp CODE SEQ [MTU]", an ICMP destination unreachable with this
 * code that quotes a segment of the stack's with this SEQ.
 *
 * Each script runs several times: with sequence numbers that wrap in either direction, and over
 * IPv6, where packets may be 20 bytes larger so that segments have the same size. "set family 4"
 * or "set family 6" says that it holds for one family only.
 */
#ifndef MILLRACE_TESTS_NET_SCRIPT_H
#define MILLRACE_TESTS_NET_SCRIPT_H

#include "dataplane/tcp/options.h"
#include "tests/net/wire.h"

#include <stdbool.h>
#include <stdint.h>

#define SCRIPT_WORDS_MAX 24
#define SCRIPT_CONNS     16
#define SCRIPT_WHY_BYTES 512
#define SCRIPT_SLACK_US  (2u << TIMER_TICK_SHIFT)

enum script_who {
	SCRIPT_SET,
	SCRIPT_PEER,
	SCRIPT_STACK,
	SCRIPT_APP,
	SCRIPT_UP,
	SCRIPT_IS,
	SCRIPT_CONN,
	SCRIPT_ISN,
};

enum script_ts { SCRIPT_TS_VALUE, SCRIPT_TS_ANY, SCRIPT_TS_NOW };

/* A segment as a script names it: sequence numbers are relative. */
struct script_seg {
	uint32_t seq;
	uint32_t end; /* without SYN and FIN */
	uint32_t ack;
	uint32_t wnd;
	uint16_t urg;
	uint16_t port; /* 0: the usual */
	uint8_t flags;
	uint8_t ecn; /* of the IP header */
	bool has_wnd;
	bool is_any_wnd;
	bool is_junk;
	bool is_badsum;
	bool is_echo_last; /* ts.../last */
	enum script_ts tsval;
	enum script_ts tsecr;
	struct tcp_opts opts;
	uint8_t raw[TCP_OPTIONS_MAX];
	uint32_t raw_len; /* 0: opts */
};

struct script_line {
	const char *file; /* borrowed from the script */
	uint32_t nr;
	enum script_who who;
	bool is_burst; /* the next line belongs to the same burst */
	uint64_t wait_us;
	uint64_t slack_us;
	bool has_seg;
	uint32_t by; /* not 0: still to be cut into so many bytes each */
	struct script_seg seg;
	char *words[SCRIPT_WORDS_MAX]; /* of WHAT */
	uint32_t nr_words;
};

struct script {
	char name[64];
	struct script_line *lines;
	uint32_t nr_lines;
	uint32_t max_lines;
	char *texts[16]; /* what the words lie in */
	char *files[16];
	uint32_t nr_texts;
};

/* Sequence numbers for one run. */
struct script_variant {
	const char *name;
	uint32_t peer_isn;
	bool is_v6;
	bool has_iss;
	uint32_t iss; /* wanted of the stack; met to within a thousand */
};

/* Reads path; includes are relative to its folder's parent. False: why says what is wrong. */
bool script_load(struct script *s, const char *path, char *why);
void script_free(struct script *s);

/* Runs it. False: why says where it failed, and how. */
bool script_run(const struct script *s, const struct script_variant *v, char *why);

/* script_parse.c, for the others: "200ms" to microseconds; a number, also negative or hexadecimal.
   False: it is none. */
bool script_time(const char *word, uint64_t *us);
bool script_number(const char *word, uint32_t *value);

/* script_set.c: takes one setting over. False: no such setting, or a bad value. */
struct script_app_cfg {
	bool echo;
	bool refuse;
	bool close_at_eof;
	uint64_t take; /* bytes that data() takes in all */
	uint32_t backlog;
	uint64_t clock_us; /* at the start */
	uint32_t family;   /* 4 or 6: for that one only; 0: both */
};
bool script_set(const struct script_line *line, struct net_cfg *cfg, struct script_app_cfg *app);

/* script_seg.c: between words and wire. Relative numbers become absolute with these. */
struct script_base {
	uint32_t from; /* ISN of the sender */
	uint32_t to;   /* of the receiver */
	uint32_t ts;   /* of the sender, at the start of the script */
	uint32_t ts_to;
};
/* Builds the frame of a segment to the stack, from this port. Returns its length. */
uint32_t script_seg_build(uint8_t *frame, const struct host *from, const struct host *to,
	const struct script_seg *seg, uint16_t sport, const struct script_base *base);
/* Reads a frame of the stack's. False: why says what is malformed about it. Its payload starts at
   *payload. */
bool script_seg_read(const struct sniff *s, struct script_seg *seg, uint16_t *sport,
	uint16_t *dport, const uint8_t **payload, char *why);
/* Builds an ICMP destination unreachable that quotes a segment of the stack's. */
uint32_t script_icmp_build(uint8_t *frame, const struct host *to, const struct raw_tcp *quoted,
	uint8_t code, uint16_t mtu);
/* Writes a segment as a script would. */
void script_seg_print(char *text, uint32_t size, const struct script_seg *seg);

#endif
