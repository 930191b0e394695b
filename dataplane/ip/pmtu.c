/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A table of bounded size: a station has its place in one of PMTU_SETS sets, where it pushes out
 * the one whose time ends first. What has run out stays until then, to remember how often it was
 * guessed.
 */
#include "dataplane/ip/pmtu.h"

#include "dataplane/ip/siphash.h"
#include "dataplane/tcp/stack.h"

#include <errno.h>
#include <stdlib.h>

#define PMTU_SETS       64u /* a power of two */
#define PMTU_WAYS       4u
#define PMTU_TOLD_US    600000000ull /* RFC 1191, 6.3; RFC 8201, 4 */
#define PMTU_GUESSED_US 60000000ull
#define PMTU_MAX_DOUBLE 6u

struct pmtu_entry {
	struct ip_addr ip; /* zero: free */
	uint64_t until_us;
	uint32_t mtu; /* 0: it has run out */
	uint8_t nr_guesses;
};

struct pmtu_table {
	struct net *net;
	struct timer timer; /* armed while an entry is in force */
	struct siphash_key key;
	uint32_t nr; /* in force */
	struct pmtu_entry entries[PMTU_SETS][PMTU_WAYS];
};

static struct pmtu_entry *set_of(const struct pmtu_table *t, const struct ip_addr *ip)
{
	return (struct pmtu_entry *)t->entries[siphash(&t->key, ip, sizeof(*ip)) % PMTU_SETS];
}

static struct pmtu_entry *entry_find(const struct pmtu_table *t, const struct ip_addr *ip)
{
	struct pmtu_entry *set = set_of(t, ip);

	for (uint32_t i = 0; i < PMTU_WAYS; i++)
		if (ip_addr_eq(&set[i].ip, ip))
			return &set[i];
	return NULL;
}

uint32_t pmtu_get(const struct net *net, const struct ip_addr *ip)
{
	const struct pmtu_table *t = net->pmtu;
	const struct pmtu_entry *e = t->nr ? entry_find(t, ip) : NULL;

	return e && e->mtu ? e->mtu : net->cfg.mtu;
}

static struct pmtu_entry *entry_take(struct pmtu_table *t, const struct ip_addr *ip)
{
	struct pmtu_entry *e = entry_find(t, ip), *set = set_of(t, ip);

	if (e)
		return e;
	e = set;
	for (uint32_t i = 1; i < PMTU_WAYS; i++)
		if (set[i].until_us < e->until_us)
			e = &set[i];
	t->nr -= e->mtu != 0;
	*e = (struct pmtu_entry){.ip = *ip};
	return e;
}

static void timer_rearm(struct pmtu_table *t)
{
	uint64_t next_us = UINT64_MAX;

	for (uint32_t i = 0; i < PMTU_SETS * PMTU_WAYS; i++) {
		const struct pmtu_entry *e = &t->entries[i / PMTU_WAYS][i % PMTU_WAYS];

		if (e->mtu && e->until_us < next_us)
			next_us = e->until_us;
	}
	if (next_us != UINT64_MAX)
		timer_arm(&t->net->wheel, &t->timer, next_us);
}

void pmtu_lower(struct net *net, const struct ip_addr *ip, uint32_t mtu, enum pmtu_source source)
{
	struct pmtu_table *t = net->pmtu;
	struct pmtu_entry *e = entry_take(t, ip);
	uint64_t life_us = PMTU_TOLD_US;

	t->nr += e->mtu == 0;
	e->mtu = mtu;
	if (source == PMTU_GUESSED) {
		life_us = PMTU_GUESSED_US << e->nr_guesses;
		if (e->nr_guesses < PMTU_MAX_DOUBLE)
			e->nr_guesses++;
	}
	e->until_us = net->now_us + life_us;
	timer_rearm(t);
}

static void table_timeout(struct timer *timer, uint64_t now_us)
{
	struct pmtu_table *t =
		(struct pmtu_table *)((char *)timer - offsetof(struct pmtu_table, timer));

	for (uint32_t i = 0; i < PMTU_SETS * PMTU_WAYS; i++) {
		struct pmtu_entry *e = &t->entries[i / PMTU_WAYS][i % PMTU_WAYS];

		if (!e->mtu || e->until_us > now_us)
			continue;
		e->mtu = 0;
		t->nr--;
		tcp_path_raise(t->net, &e->ip);
	}
	timer_rearm(t);
}

int pmtu_setup(struct net *net)
{
	struct pmtu_table *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->net = net;
	t->key = siphash_key_load(net->cfg.secret);
	timer_init(&t->timer, table_timeout);
	net->pmtu = t;
	return 0;
}

void pmtu_teardown(struct net *net)
{
	if (!net->pmtu)
		return;
	timer_cancel(&net->wheel, &net->pmtu->timer);
	free(net->pmtu);
	net->pmtu = NULL;
}
