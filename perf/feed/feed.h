/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Self-driven load: the clients of one core, made of prepared frames in memory.
 *
 * Each client is as much of a TCP peer as a loss-free wire needs: it opens its connection, keeps
 * one request frame of `pipeline` commands under way, compares the reply with the bytes that it has
 * to be, and is then ready to send the next one. No time passes between the two directions, so the
 * core that serves the clients also drives them and no other processor is needed.
 *
 *	feed_next()   a frame for the server: SYN, ACK, or the next request      --> server
 *	feed_take()   a frame of the server: checked, its client is ready again  <-- server
 *
 * Bytes only: nothing here knows of a driver. One thread per struct feed.
 */
#ifndef MILLRACE_PERF_FEED_H
#define MILLRACE_PERF_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FEED_FRAME_MAX 1514u

/* FEED_BULK: GETs of values that many frames hold, stored piece by piece with SETRANGE. */
enum feed_op { FEED_GET, FEED_SET, FEED_MIX, FEED_PING, FEED_BULK };

struct feed_cfg {
	unsigned conns;    /* per core */
	unsigned pipeline; /* commands per frame */
	enum feed_op op;   /* FEED_MIX: as many SETs as GETs */
	uint32_t nr_keys;
	uint32_t value_len; /* bytes, at least 8 */
	double zipf;        /* exponent; 0: uniform */
	unsigned warmup_s, seconds;
	bool soft_csum; /* frames carry checksums that the server has to verify */
};

/* Reads "conns=64,pipeline=1,op=get|set|mix|ping|bulk,keys=N,value=N,zipf=X,warmup=S,seconds=S,
 * csum=soft|hard"; what is not named is as above from left to right, with 1000000 keys of 32 bytes,
 * uniform, 1 s and 3 s, hard. 0, or -EINVAL with a message. */
int feed_cfg_parse(const char *text, struct feed_cfg *cfg, char *err, size_t err_len);

struct feed;

struct feed_peer {
	uint8_t server_mac[6];
	uint32_t server_ip; /* host order */
	uint16_t server_port;
	/* Does the flow from this client address and port belong to the core? */
	bool (*is_mine)(void *ctx, uint32_t client_ip, uint16_t client_port);
	void *ctx;
};

/* The clients of core number `id` of `nr`; it loads the keys k with k % nr == id. NULL: no
 * memory. */
struct feed *feed_create(
	const struct feed_cfg *cfg, const struct feed_peer *peer, unsigned id, unsigned nr);
void feed_destroy(struct feed **feed);

/* The next frame for the server, into frame (FEED_FRAME_MAX bytes). Returns its length, or 0: every
 * client waits for the server. */
uint32_t feed_next(struct feed *feed, uint8_t *frame);

/* Takes a frame of the server. False: it is not what it has to be; feed_error() says why. */
bool feed_take(struct feed *feed, const uint8_t *frame, uint32_t len);
const char *feed_error(const struct feed *feed);

/* Every client is connected; all keys of the core are in the server. */
bool feed_is_connected(const struct feed *feed);
bool feed_is_loaded(const struct feed *feed);
/* From now on requests are those of cfg->op. */
void feed_start(struct feed *feed);
/* Commands whose reply was right, the loading's included. */
uint64_t feed_nr_replies(const struct feed *feed);

#endif
