/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Packet buffers as the protocol code sees them: no type of any driver appears here.
 *
 *   buf              data                  data + len          buf + buf_len
 *    |--- headroom ---|======== bytes =======|----- tailroom -----|
 *
 * Invariants: buf <= data and data + len <= buf + buf_len. A packet has exactly one owner at every
 * line; whoever owns it frees it or hands it on. `next` belongs to the owner (queues link with it).
 * The NIC layer keeps struct pkt in the private area of its own buffer, tests allocate it.
 *
 * A packet to send may go on in others (PKT_TX_CHAIN), which are its own and go with it. Their
 * bytes lie in a buffer or, by reference, where the output buffer has them:
 *
 *	headers and some data --more--> a piece of a value --more--> "\r\n$1048576\r\n"
 *	      len                       \________________ more_len _________________/
 */
#ifndef MILLRACE_DATAPLANE_PKT_H
#define MILLRACE_DATAPLANE_PKT_H

#include "checks.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest piece that a packet shows by reference. */
#define PKT_REF_MAX 65535u

/* Every allocated packet starts with at least this much room in front of its data. */
#define PKT_HEADROOM 128u

enum pkt_flag {
	PKT_RX_IP_CSUM_GOOD = 1u << 0, /* the device verified the IPv4 header checksum */
	PKT_RX_L4_CSUM_GOOD = 1u << 1, /* the device verified the TCP checksum */
	PKT_RX_HASH = 1u << 2,         /* `hash` holds the flow hash already */
	PKT_TX_IP_CSUM = 1u << 3,      /* the device shall fill in the IPv4 header checksum */
	PKT_TX_L4_CSUM = 1u << 4,      /* the device shall finish the TCP checksum: the field holds
	                                  the pseudo header's sum; l2_len and l3_len are set */
	PKT_TX_IPV6 = 1u << 5,         /* it is an IPv6 packet: what the device has to know */
	PKT_RX_CE = 1u << 6,           /* a router says that it is congested (RFC 3168) */
	PKT_TX_ECT = 1u << 7,          /* routers may mark it so: ECT(0) */
	PKT_RX_VLAN = 1u << 8,         /* the device took an 802.1Q tag off: `vlan` holds it */
	PKT_TX_VLAN = 1u << 9,         /* the device shall put one on */
	PKT_TX_CHAIN = 1u << 10,       /* it goes on in `more`, and is cut by `seg_len` */
};

/* What TCP notes about a received segment; the values are in host order. */
struct pkt_tcp {
	uint32_t seq;
	uint32_t end; /* seq + payload + SYN + FIN */
	uint32_t ack;
	uint32_t wnd; /* as on the wire, not scaled */
	uint8_t flags;
};

struct obuf_seg;

struct pkt {
	struct pkt *next;
	uint8_t *data;
	uint8_t *buf;
	union {
		struct pkt_tcp tcp; /* received */
		struct {            /* to send, with PKT_TX_CHAIN or part of such a packet */
			uint16_t
				seg_len; /* TCP payload of the segments that it stands for; 0: it is
			                      one segment */
			uint8_t l4_len;  /* with seg_len: TCP header, bytes */
			uint32_t more_len; /* of all that follows, bytes */
			struct pkt *more;
			struct obuf_seg
				*ref; /* whose bytes these are; owned; NULL: they lie in buf */
		};
	};
	uint32_t len;
	uint16_t buf_len;
	uint16_t vlan; /* 802.1Q: priority and VLAN, host order */
	uint32_t hash;
	uint16_t flags; /* enum pkt_flag */
	uint8_t l2_len; /* of a packet to send: Ethernet header, bytes */
	uint8_t l3_len; /* of a packet to send: IP header, bytes */
};

_Static_assert(sizeof(struct pkt) == 64, "one cache line");

struct pkt_pool;

struct pkt_pool_ops {
	/* Returns an owned packet with data = buf + PKT_HEADROOM, len, flags and next zero; NULL
	   when the pool is empty. */
	struct pkt *(*alloc)(struct pkt_pool *pool);
	/* Takes p with all that it goes on in; p may have come from another core's pool of the
	   same kind. */
	void (*free)(struct pkt_pool *pool, struct pkt *p);
	/* Returns an owned packet without room of its own whose data is a piece of an output buffer
	   of at most PKT_REF_MAX bytes. Takes the caller's reference to seg, but on failure (NULL).
	   NULL: the device cannot send such packets. */
	struct pkt *(*refer)(
		struct pkt_pool *pool, const uint8_t *bytes, uint32_t len, struct obuf_seg *seg);
};

/* Embedded in what the NIC layer (or a test) has as a pool. One per core, used by it only. */
struct pkt_pool {
	const struct pkt_pool_ops *ops;
};

static inline struct pkt *pkt_alloc(struct pkt_pool *pool)
{
	return pool->ops->alloc(pool);
}

static inline void pkt_free(struct pkt_pool *pool, struct pkt *p)
{
	pool->ops->free(pool, p);
}

static inline uint32_t pkt_headroom(const struct pkt *p)
{
	return (uint32_t)(p->data - p->buf);
}

static inline uint32_t pkt_tailroom(const struct pkt *p)
{
	return p->buf_len - pkt_headroom(p) - p->len;
}

/* Prepends n bytes and returns where they start. Running out of headroom is a bug. */
static inline uint8_t *pkt_push(struct pkt *p, uint32_t n)
{
	BUG_ON(n > pkt_headroom(p));
	p->data -= n;
	p->len += n;
	return p->data;
}

/* Strips n bytes from the front. Callers have checked that they are there. */
static inline uint8_t *pkt_pull(struct pkt *p, uint32_t n)
{
	BUG_ON(n > p->len);
	p->data += n;
	p->len -= n;
	return p->data;
}

/* Appends n bytes and returns where they start. Running out of tailroom is a bug. */
static inline uint8_t *pkt_put(struct pkt *p, uint32_t n)
{
	uint8_t *at = p->data + p->len;

	BUG_ON(n > pkt_tailroom(p));
	p->len += n;
	return at;
}

/* Bytes of a packet to send with all that it goes on in. */
static inline uint32_t pkt_total(const struct pkt *p)
{
	return p->flags & PKT_TX_CHAIN ? p->len + p->more_len : p->len;
}

/* The same of the largest that it is cut into. */
static inline uint32_t pkt_wire_len(const struct pkt *p)
{
	if (p->flags & PKT_TX_CHAIN && p->seg_len)
		return (uint32_t)p->l4_len + p->seg_len;
	return pkt_total(p);
}

/* Makes p go on in piece (taken), whose last packet so far is *tail: p itself at first. */
static inline void pkt_chain(struct pkt *p, struct pkt **tail, struct pkt *piece)
{
	if (!(p->flags & PKT_TX_CHAIN)) {
		p->flags |= PKT_TX_CHAIN;
		p->more_len = 0;
		p->seg_len = 0;
		p->ref = NULL;
	}
	(*tail)->more = piece;
	piece->more = NULL;
	p->more_len += piece->len;
	*tail = piece;
}

/* Cuts the packet to its first len bytes. */
static inline void pkt_trim(struct pkt *p, uint32_t len)
{
	BUG_ON(len > p->len);
	p->len = len;
}

#endif
