/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The table of connections and the secrets' uses: ISNs and timestamp offsets.
 *
 * The table's hash has a secret key, unlike the flow hash, so that nobody can choose addresses
 * that share a bucket.
 */
#include "dataplane/tcp/conn.h"

#include <string.h>

/* The 128-bit product folded: mixes every bit of both into every bit. */
static inline uint64_t fold_mul(uint64_t a, uint64_t b)
{
	const unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint32_t tcp_key_hash(const struct tcp_stack *ts, const struct tcp_key *key)
{
	const uint64_t *k = ts->table_key;
	const uint64_t ports = (uint64_t)key->lport << 16 | key->rport;
	const uint64_t wide = key->laddr.w[0] + (key->raddr.w[0] << 32 | key->raddr.w[0] >> 32);
	const uint64_t addrs = fold_mul(key->laddr.w[1] ^ k[0], key->raddr.w[1] ^ k[1]);

	return (uint32_t)fold_mul(addrs ^ k[2], fold_mul(ports ^ k[3], wide ^ k[0]) ^ k[1]);
}

static bool key_eq(const struct tcp_key *a, const struct tcp_key *b)
{
	return a->lport == b->lport && a->rport == b->rport && ip_addr_eq(&a->raddr, &b->raddr) &&
	       ip_addr_eq(&a->laddr, &b->laddr);
}

struct tcp_node *tcp_table_find(
	const struct tcp_stack *ts, const struct tcp_key *key, uint32_t hash)
{
	struct tcp_node *node = ts->buckets[hash & ts->mask];

	while (node && (node->hash != hash || !key_eq(&node->key, key)))
		node = node->next;
	return node;
}

void tcp_table_add(struct tcp_stack *ts, struct tcp_node *node)
{
	struct tcp_node **bucket = &ts->buckets[node->hash & ts->mask];

	node->next = *bucket;
	*bucket = node;
}

void tcp_table_remove(struct tcp_stack *ts, struct tcp_node *node)
{
	struct tcp_node **at = &ts->buckets[node->hash & ts->mask];

	while (*at != node)
		at = &(*at)->next;
	*at = node->next;
	node->next = NULL;
}

/* RFC 6528: a clock of 4 us ticks, plus a secret function of the connection. */
uint32_t tcp_isn(const struct tcp_stack *ts, const struct tcp_key *key)
{
	return (uint32_t)(ts->net->now_us / 4) + (uint32_t)siphash(&ts->isn_key, key, sizeof(*key));
}

/* RFC 7323, 5.4 and 7.1: one clock, but nobody can tell from one connection's value another's or
   our uptime. */
uint32_t tcp_ts_offset(const struct tcp_stack *ts, const struct tcp_key *key)
{
	return (uint32_t)siphash(&ts->ts_key, key, sizeof(*key));
}
