/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What "set" of a script can set. Times have units.
 */
#include "tests/net/script.h"

#include <stddef.h>
#include <string.h>

#define CFG(name)                                                                                  \
	{                                                                                          \
#name, offsetof(struct net_cfg, tcp.name), sizeof(((struct net_cfg *)0)->tcp.name) \
	}

static const struct {
	const char *name;
	size_t offset;
	size_t size; /* of the field: 8 is a time */
} tcp_fields[] = {
	CFG(rto_init_us),
	CFG(rto_min_us),
	CFG(rto_max_us),
	CFG(delack_us),
	CFG(msl_us),
	CFG(linger_us),
	CFG(keepidle_us),
	CFG(keepintvl_us),
	CFG(keepcnt),
	CFG(max_rtx),
	CFG(syn_rtx),
	CFG(synack_rtx),
	CFG(rcv_buf),
	CFG(snd_max),
	CFG(max_ooo_pkts),
	CFG(max_rx_pkts),
	CFG(max_conns),
	CFG(max_timewait),
	CFG(rst_per_s),
	CFG(port_lo),
	CFG(port_hi),
	CFG(tlp),
};

static bool tcp_set(const char *name, const char *word, struct net_cfg *cfg)
{
	for (size_t i = 0; i < sizeof(tcp_fields) / sizeof(tcp_fields[0]); i++) {
		uint8_t *at = (uint8_t *)cfg + tcp_fields[i].offset;
		uint64_t us = 0;
		uint32_t n = 0;

		if (strcmp(name, tcp_fields[i].name) != 0)
			continue;
		if (tcp_fields[i].size == 8) {
			if (!script_time(word, &us))
				return false;
			memcpy(at, &us, 8);
			return true;
		}
		if (!script_number(word, &n))
			return false;
		memcpy(at, &n, tcp_fields[i].size); /* little-endian */
		return true;
	}
	return false;
}

bool script_set(const struct script_line *line, struct net_cfg *cfg, struct script_app_cfg *app)
{
	const char *name = line->words[0], *word = line->words[1];
	uint32_t n = 0;

	if (line->nr_words != 2)
		return false;
	if (strcmp(name, "clock") == 0)
		return script_time(word, &app->clock_us);
	if (strcmp(name, "cc") == 0) {
		cfg->tcp.cc = strcmp(word, "newreno") == 0 ? TCP_CC_NEWRENO : TCP_CC_CUBIC;
		return strcmp(word, "newreno") == 0 || strcmp(word, "cubic") == 0;
	}
	if (strcmp(name, "ecn") == 0) {
		cfg->tcp.ecn = strcmp(word, "off") == 0 ? TCP_ECN_OFF : TCP_ECN_ASK;
		return strcmp(word, "off") == 0 || strcmp(word, "ask") == 0;
	}
	if (tcp_set(name, word, cfg))
		return true;
	if (!script_number(word, &n))
		return false;
	if (strcmp(name, "mtu") == 0)
		cfg->mtu = (uint16_t)n;
	else if (strcmp(name, "echo") == 0)
		app->echo = n;
	else if (strcmp(name, "refuse") == 0)
		app->refuse = n;
	else if (strcmp(name, "close_at_eof") == 0)
		app->close_at_eof = n;
	else if (strcmp(name, "take") == 0)
		app->take = n;
	else if (strcmp(name, "family") == 0)
		app->family = n;
	else if (strcmp(name, "backlog") == 0)
		app->backlog = n;
	else
		return false;
	return true;
}
