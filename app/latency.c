/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The latency monitor.
 */
#include "app/latency.h"

#include "app/server.h"
#include "dataplane/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct event_ring {
	char name[LATENCY_NAME_MAX];
	uint32_t max_ms;
	uint32_t nr;   /* samples held */
	uint32_t next; /* where the next one goes */
	struct latency_sample samples[LATENCY_SAMPLES];
};

struct latency {
	rte_spinlock_t lock; /* guards all below */
	unsigned nr_events;
	struct event_ring events[LATENCY_MAX_EVENTS];
};

struct latency *latency_create(void)
{
	struct latency *lat = calloc(1, sizeof(*lat));

	if (lat)
		rte_spinlock_init(&lat->lock);
	return lat;
}

void latency_destroy(struct latency **lat)
{
	free(*lat);
	*lat = NULL;
}

static struct event_ring *ring_find(struct latency *lat, const char *name, size_t len)
{
	for (unsigned i = 0; i < lat->nr_events; i++) {
		struct event_ring *r = &lat->events[i];

		if (strlen(r->name) == len && strncasecmp(r->name, name, len) == 0)
			return r;
	}
	return NULL;
}

static struct event_ring *ring_create(struct latency *lat, const char *name)
{
	struct event_ring *r;

	if (lat->nr_events == LATENCY_MAX_EVENTS || strlen(name) >= LATENCY_NAME_MAX)
		return NULL;
	r = &lat->events[lat->nr_events++];
	memset(r, 0, sizeof(*r));
	snprintf(r->name, sizeof(r->name), "%s", name);
	return r;
}

static void ring_add(struct event_ring *r, uint32_t ms, int64_t now_s)
{
	struct latency_sample *last;

	if (ms > r->max_ms)
		r->max_ms = ms;
	last = &r->samples[(r->next + LATENCY_SAMPLES - 1) % LATENCY_SAMPLES];
	if (r->nr && last->time_s == now_s) {
		last->ms = ms > last->ms ? ms : last->ms;
		return;
	}
	r->samples[r->next] = (struct latency_sample){.time_s = now_s, .ms = ms};
	r->next = (r->next + 1) % LATENCY_SAMPLES;
	if (r->nr < LATENCY_SAMPLES)
		r->nr++;
}

static bool over_threshold(struct server *srv, int64_t ms)
{
	int64_t threshold =
		atomic_load_explicit(&srv->cfg->latency_threshold_ms, memory_order_relaxed);

	return threshold > 0 && ms >= threshold && srv->latency;
}

void latency_add_at(struct server *srv, const char *event, int64_t ms, int64_t now_ms)
{
	struct latency *lat = srv->latency;
	struct event_ring *r;

	if (!over_threshold(srv, ms))
		return;
	rte_spinlock_lock(&lat->lock);
	r = ring_find(lat, event, strlen(event));
	if (!r)
		r = ring_create(lat, event);
	if (r)
		ring_add(r, ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX, now_ms / 1000);
	rte_spinlock_unlock(&lat->lock);
}

void latency_add(struct server *srv, const char *event, int64_t ms)
{
	if (over_threshold(srv, ms))
		latency_add_at(srv, event, ms, clock_unix_us() / 1000);
}

static void ring_copy(const struct event_ring *r, struct latency_event *out)
{
	uint32_t first = (r->next + LATENCY_SAMPLES - r->nr) % LATENCY_SAMPLES;

	memcpy(out->name, r->name, sizeof(out->name));
	out->max_ms = r->max_ms;
	out->nr = r->nr;
	for (uint32_t i = 0; i < r->nr; i++)
		out->samples[i] = r->samples[(first + i) % LATENCY_SAMPLES];
}

int latency_get(struct latency *lat, unsigned i, struct latency_event *out)
{
	int err = -ENOENT;

	rte_spinlock_lock(&lat->lock);
	if (i < lat->nr_events) {
		ring_copy(&lat->events[i], out);
		err = 0;
	}
	rte_spinlock_unlock(&lat->lock);
	return err;
}

int latency_find(struct latency *lat, const char *name, size_t len, struct latency_event *out)
{
	struct event_ring *r;

	rte_spinlock_lock(&lat->lock);
	r = ring_find(lat, name, len);
	if (r)
		ring_copy(r, out);
	rte_spinlock_unlock(&lat->lock);
	return r ? 0 : -ENOENT;
}

unsigned latency_reset(struct latency *lat, const char *name, size_t len)
{
	struct event_ring *r;
	unsigned nr = 0;

	rte_spinlock_lock(&lat->lock);
	if (!name) {
		nr = lat->nr_events;
		lat->nr_events = 0;
	} else {
		r = ring_find(lat, name, len);
		if (r) {
			nr = 1;
			*r = lat->events[--lat->nr_events];
		}
	}
	rte_spinlock_unlock(&lat->lock);
	return nr;
}
