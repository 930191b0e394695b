/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Frames without TCP: to an echo and back, as many under way as there are connections; and the
 * echo. What the device can do with frames of this length, and so what a server's rate of GETs can
 * be held against. A frame that does not come back is lost and sent anew.
 */
#include "dataplane/nic_memif.h"
#include "dataplane/nic_priv.h"
#include "perf/load/frame.h"
#include "perf/load/worker.h"

#include <errno.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <stdlib.h>
#include <string.h>

#define BURST        64u
#define LOST_S       1.0
#define KEYS_A_FRAME (FRAME_MAX / 16u)

struct frames {
	struct frame_format format;
	uint8_t mac[6], peer[6]; /* broadcast until something has come back */
	uint32_t seq;
	uint64_t looked_tsc; /* for lost ones */
	uint32_t stride;
	uint16_t nr_out, out_at; /* made and not yet taken by the device: out[out_at..nr_out) */
	struct rte_mbuf *out[BURST];
	uint8_t sent[]; /* of each flow: the frame under way, stride bytes apart */
};

/* --- the echo --- */

static int echo_make(struct worker *w)
{
	w->frames = calloc(1, sizeof(*w->frames));
	return w->frames ? 0 : -ENOMEM;
}

static void echo_begin(struct worker *w)
{
}

static uint16_t burst_receive(struct worker *w, struct rte_mbuf **ms)
{
	uint16_t n;

	nic_burst_begin(w->core);
	n = rte_eth_rx_burst(w->run->nic->port, 0, ms, BURST);
	nic_burst_end(w->core);
	return n;
}

/* The device takes what it has room for; the rest waits, and meanwhile nothing is received. */
static void out_flush(struct worker *w)
{
	struct frames *f = w->frames;
	uint16_t n;

	nic_burst_begin(w->core);
	n = rte_eth_tx_burst(
		w->run->nic->port, 0, f->out + f->out_at, (uint16_t)(f->nr_out - f->out_at));
	nic_burst_end(w->core);
	f->out_at = (uint16_t)(f->out_at + n);
	w->core->ctr.tx_pkts += n;
	w->has_moved |= n > 0;
	if (f->out_at == f->nr_out)
		f->out_at = f->nr_out = 0;
}

static void out_discard(struct worker *w)
{
	struct frames *f = w->frames;

	rte_pktmbuf_free_bulk(f->out + f->out_at, (unsigned)(f->nr_out - f->out_at));
	f->nr_out = f->out_at = 0;
}

static void echo_work(struct worker *w)
{
	struct frames *f = w->frames;
	uint8_t mac[6];

	worker_tell(&w->is_drained, true);
	if (w->phase == PHASE_CLOSE) {
		out_discard(w);
		return;
	}
	if (f->nr_out == 0) {
		f->nr_out = burst_receive(w, f->out);
		w->core->ctr.rx_pkts += f->nr_out;
		worker_count(&w->ctr.answers, f->nr_out);
		for (uint16_t i = 0; i < f->nr_out; i++) {
			uint8_t *frame = rte_pktmbuf_mtod(f->out[i], uint8_t *);

			memcpy(mac, frame, 6);
			memcpy(frame, frame + 6, 6);
			memcpy(frame + 6, mac, 6);
			worker_count_in(w, f->out[i]->pkt_len);
		}
	}
	if (f->nr_out)
		out_flush(w);
}

const struct worker_mode worker_echo = {.make = echo_make, .begin = echo_begin, .work = echo_work};

/* --- the client --- */

static int frames_make(struct worker *w)
{
	struct frame_format format;
	uint32_t stride;
	struct frames *f;

	if (frame_format_init(&format, &w->run->get, w->pipeline))
		return -EMSGSIZE;
	stride = (format.len + 63u) / 64u * 64u;
	f = calloc(1, sizeof(*f) + (size_t)w->nr_conns * stride);
	if (!f)
		return -ENOMEM;
	f->format = format;
	f->stride = stride;
	memset(f->peer, 0xff, sizeof(f->peer));
	w->frames = f;
	return 0;
}

static void frames_begin(struct worker *w)
{
	struct frames *f = w->frames;

	if (w->phase != PHASE_WARM_UP && w->phase != PHASE_MEASURE)
		return;
	memcpy(f->mac, w->run->nic->mac.addr_bytes, sizeof(f->mac));
	for (uint32_t i = 0; i < w->nr_conns; i++)
		if (w->conns[i].head == w->conns[i].tail && !w->conns[i].is_queued)
			worker_queue_put(w, &w->conns[i]);
}

static void frame_take(struct worker *w, const uint8_t *frame, uint32_t len, uint64_t now)
{
	struct frames *f = w->frames;
	const uint32_t flow = frame_flow(&f->format, frame, len);
	struct load_conn *c = flow < w->nr_conns ? &w->conns[flow] : NULL;

	if (!c)
		return; /* somebody else's */
	worker_count_in(w, len);
	if (c->head == c->tail || !frame_is_same(&f->format, frame, f->sent + flow * f->stride)) {
		worker_count(&w->ctr.wrong, 1);
		return;
	}
	memcpy(f->peer, frame + 6, sizeof(f->peer));
	c->head++;
	w->nr_under_way--;
	worker_reply(w, &c->ring[0], CHECK_RIGHT, now);
	worker_queue_put(w, c);
}

static void frames_receive(struct worker *w)
{
	struct rte_mbuf *ms[BURST];
	const uint16_t n = burst_receive(w, ms);
	const uint64_t now = rte_rdtsc();

	for (uint16_t i = 0; i < n; i++)
		frame_take(w, rte_pktmbuf_mtod(ms[i], uint8_t *), ms[i]->data_len, now);
	if (n)
		rte_pktmbuf_free_bulk(ms, n);
	w->core->ctr.rx_pkts += n;
	w->has_moved |= n > 0;
}

static bool frame_make(struct worker *w, struct load_conn *c)
{
	struct frames *f = w->frames;
	const uint32_t flow = (uint32_t)(c - w->conns);
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->run->nic->mpool);
	uint8_t *copy = f->sent + flow * f->stride;
	uint32_t keys[KEYS_A_FRAME];

	if (!m)
		return false;
	for (uint32_t i = 0; i < f->format.nr_requests; i++)
		keys[i] = keys_next(&w->keys);
	frame_write(&f->format, copy, flow, f->seq++, f->mac, f->peer, keys);
	memcpy(rte_pktmbuf_append(m, (uint16_t)f->format.len), copy, f->format.len);
	f->out[f->nr_out++] = m;
	c->ring[0] = (struct expect){.sent = w->tsc, .class = CLASS_OTHER};
	c->tail++;
	w->nr_under_way++;
	worker_count(&w->ctr.sent, 1);
	if (w->phase == PHASE_MEASURE)
		worker_count(&w->ctr.measured_out, f->format.len);
	return true;
}

static void lost_look(struct worker *w)
{
	const uint64_t wait = (uint64_t)(LOST_S * w->run->hz);

	if (w->tsc - w->frames->looked_tsc < wait / 8)
		return;
	w->frames->looked_tsc = w->tsc;
	for (uint32_t i = 0; i < w->nr_conns; i++) {
		struct load_conn *c = &w->conns[i];

		if (c->head == c->tail || w->tsc - c->ring[0].sent < wait)
			continue;
		c->head++;
		w->nr_under_way--;
		worker_count(&w->ctr.unanswered, 1);
		worker_queue_put(w, c);
	}
}

static void frames_work(struct worker *w)
{
	struct frames *f = w->frames;
	struct load_conn *c;

	if (w->phase == PHASE_CLOSE) {
		out_discard(w);
		return;
	}
	frames_receive(w);
	if (w->phase == PHASE_WARM_UP || w->phase == PHASE_MEASURE)
		while (f->nr_out < BURST && (c = worker_queue_get(w))) {
			if (!frame_make(w, c)) {
				worker_queue_put(w, c);
				break;
			}
		}
	if (f->nr_out)
		out_flush(w);
	lost_look(w);
	worker_tell(&w->is_drained, w->nr_under_way == 0);
}

const struct worker_mode worker_frames = {
	.make = frames_make, .begin = frames_begin, .work = frames_work};
