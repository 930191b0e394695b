/* SPDX-License-Identifier: BSD-3-Clause
 *
 * IEEE 802.1Q: one VLAN, its tags put on and taken off by the stack or by the device.
 */
#include "dataplane/ip/flow.h"
#include "tests/net/tap.h"
#include "tests/net/v6.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SEC  1000000ull
#define VLAN 7

static enum lab_verdict tag_check(struct lab *lab, struct sniff *s, void *ctx)
{
	uint32_t *nr = ctx;

	assert_int_equal(get_be16(s->bytes + 12), ETH_TYPE_VLAN);
	assert_int_equal(get_be16(s->bytes + 14), VLAN);
	++*nr;
	return LAB_PASS;
}

static void streams_in_a_vlan_are_exact(void **state)
{
	for (int family = 4; family <= 6; family += 2) {
		struct lab lab;
		uint32_t nr = 0;

		lab_init(&lab, (uint64_t)family);
		if (family == 6)
			lab_use_v6(&lab);
		lab.a.cfg.vlan = lab.b.cfg.vlan = VLAN;
		lab.loss = 100;
		lab.hook = tag_check;
		lab.hook_ctx = &nr;
		lab_up(&lab, 8);
		lab.a.app.tx_total = lab.b.app.tx_total = 1u << 20;
		lab_establish(&lab);
		lab_run(&lab, 60 * SEC);
		assert_int_equal(lab.a.app.rx_done, 1u << 20);
		assert_int_equal(lab.b.app.rx_done, 1u << 20);
		assert_true(nr > 1400);
		lab_down(&lab);
	}
}

/* Puts a tag into a frame; returns its length. */
static uint32_t tag_put(uint8_t *frame, uint32_t len, uint16_t tag)
{
	memmove(frame + 16, frame + 12, len - 12);
	put_be16(frame + 12, ETH_TYPE_VLAN);
	put_be16(frame + 14, tag);
	return len + 4;
}

static void vlan_tap_up(struct lab *lab, struct tap *tap, uint64_t seed, uint16_t vlan)
{
	struct ip_addr nine = lab_v6(9);

	lab_init(lab, seed);
	lab_use_v6(lab);
	lab->b.cfg.vlan = vlan;
	tap_set(lab, tap);
	lab_up(lab, 8);
	net_neigh_learn(&lab->b.net, &nine, v6_mac9, true);
}

static void frames_of_other_vlans_are_dropped(void **state)
{
	static const uint16_t others[] = {0, 1, 6, 8, 4095, 0xe000 | 8};
	struct lab lab;
	struct tap tap;
	struct v6_ip ip = {.dst = lab_v6(2)};
	uint8_t frame[2048];
	uint32_t len, nr = 0;

	vlan_tap_up(&lab, &tap, 1, VLAN);
	lab_inject(&lab.b, frame, v6_ping_build(frame, &ip, 20)); /* no tag */
	assert_int_equal(host_drops(&lab.b, DROP_ETH_VLAN), ++nr);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		len = tag_put(frame, v6_ping_build(frame, &ip, 20), others[i]);
		lab_inject(&lab.b, frame, len);
		assert_int_equal(host_drops(&lab.b, DROP_ETH_VLAN), ++nr);
	}
	/* Two tags, the outer one ours. */
	len = tag_put(frame, v6_ping_build(frame, &ip, 20), VLAN);
	len = tag_put(frame, len, VLAN);
	lab_inject(&lab.b, frame, len);
	assert_int_equal(host_drops(&lab.b, DROP_ETH_VLAN), ++nr);
	assert_int_equal(tap.nr, 0);
	/* Cut anywhere within its headers. */
	len = tag_put(frame, v6_ping_build(frame, &ip, 20), VLAN);
	for (uint32_t cut = 0; cut < 58; cut++)
		lab_inject(&lab.b, frame, cut);
	assert_int_equal(tap.nr, 0);
	/* Ours, of any priority. */
	lab_inject(&lab.b, frame, len);
	assert_int_equal(tap.nr, 1);
	len = tag_put(frame, v6_ping_build(frame, &ip, 20), 0xa000 | VLAN);
	lab_inject(&lab.b, frame, len);
	assert_int_equal(tap.nr, 2);
	assert_int_equal(get_be16(tap.bytes[1] + 12), ETH_TYPE_VLAN);
	assert_int_equal(get_be16(tap.bytes[1] + 14), VLAN);
	assert_int_equal(get_be16(tap.bytes[1] + 16), ETH_TYPE_IPV6);
	lab_down(&lab);
}

/* IEEE 802.1Q, 6.9: tag 0 is a priority without a VLAN. */
static void without_a_vlan_only_priorities_are_tagged(void **state)
{
	struct lab lab;
	struct tap tap;
	struct v6_ip ip = {.dst = lab_v6(2)};
	uint8_t frame[2048];
	uint32_t len;

	vlan_tap_up(&lab, &tap, 2, 0);
	len = tag_put(frame, v6_ping_build(frame, &ip, 20), VLAN);
	lab_inject(&lab.b, frame, len);
	assert_int_equal(host_drops(&lab.b, DROP_ETH_VLAN), 1);
	for (uint32_t cut = 14; cut < 58; cut++)
		lab_inject(&lab.b, frame, cut);
	assert_int_equal(tap.nr, 0);
	len = tag_put(frame, v6_ping_build(frame, &ip, 20), 0xa000);
	lab_inject(&lab.b, frame, len);
	assert_int_equal(tap.nr, 1);
	assert_int_equal(get_be16(tap.bytes[0] + 12), ETH_TYPE_IPV6);
	lab_down(&lab);
}

static struct pkt last_sent; /* its fields; the buffer is gone */

static void note_tx(void *ctx, struct pkt *p)
{
	struct host *h = ctx;

	last_sent = *p;
	assert_int_equal(get_be16(p->data + 12), ETH_TYPE_IPV6);
	pkt_free(&h->pool.pool, p);
}

static void inject_stripped(struct host *to, const uint8_t *frame, uint32_t len, uint16_t vlan)
{
	struct pkt *p = pkt_alloc(&to->pool.pool);

	memcpy(pkt_put(p, len), frame, len);
	p->flags = PKT_RX_VLAN;
	p->vlan = vlan;
	net_input(&to->net, p);
}

static void the_device_may_handle_tags(void **state)
{
	struct lab lab;
	struct tap tap;
	struct net_ops ops;
	struct v6_ip ip = {.dst = lab_v6(2)};
	uint8_t frame[2048];
	uint32_t len;

	vlan_tap_up(&lab, &tap, 3, VLAN);
	lab.b.net.cfg.offloads |= NET_TX_VLAN;
	ops = *lab.b.net.ops;
	ops.tx = note_tx;
	lab.b.net.ops = &ops;
	len = v6_ping_build(frame, &ip, 20);
	inject_stripped(&lab.b, frame, len, 8);
	assert_int_equal(host_drops(&lab.b, DROP_ETH_VLAN), 1);
	assert_int_equal(last_sent.len, 0);
	inject_stripped(&lab.b, frame, len, 0x6000 | VLAN);
	assert_int_equal(last_sent.len, len);
	assert_int_equal(last_sent.flags & PKT_TX_VLAN, PKT_TX_VLAN);
	assert_int_equal(last_sent.vlan, VLAN);
	assert_int_equal(last_sent.l2_len, 14);
	lab_down(&lab);
}

static void tags_do_not_change_the_flow(void **state)
{
	struct v6_ip ip = {.dst = lab_v6(2)};
	const struct raw_tcp t = {.sport = 1234, .dport = 6379};
	uint8_t frame[256];
	struct pkt p = {.data = frame};
	uint32_t want, hash;

	p.len = v6_tcp_build(frame, &ip, &t);
	assert_true(net_flow_hash(&p, &want));
	p.len = tag_put(frame, p.len, VLAN);
	assert_true(net_flow_hash(&p, &hash));
	assert_int_equal(hash, want);
	for (uint32_t len = p.len; len > 0; len--) {
		p.len = len - 1;
		net_flow_hash(&p, &hash);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(streams_in_a_vlan_are_exact),
		cmocka_unit_test(frames_of_other_vlans_are_dropped),
		cmocka_unit_test(without_a_vlan_only_priorities_are_tagged),
		cmocka_unit_test(the_device_may_handle_tags),
		cmocka_unit_test(tags_do_not_change_the_flow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
