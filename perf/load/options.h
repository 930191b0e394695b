/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What millrace-load is asked to do: its command line.
 */
#ifndef MILLRACE_PERF_LOAD_OPTIONS_H
#define MILLRACE_PERF_LOAD_OPTIONS_H

#include "dataplane/ip/net.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPTIONS_MAX_CORES 16

enum load_mode {
	MODE_REQUESTS, /* closed loop, or open with a rate */
	MODE_BULK,     /* the same, told in bits per second */
	MODE_CHURN,    /* connect, PING, close */
	MODE_IDLE,     /* connections that do nothing */
	MODE_FRAMES,   /* Ethernet frames to an echo and back */
	MODE_ECHO,     /* that echo */
};

struct options {
	enum load_mode mode;
	/* device */
	const char *nic;
	const char *eal_args;
	int huge; /* 1 yes, 0 no, -1 if there are free ones */
	unsigned nr_addrs;
	struct net_addr addrs[NET_MAX_ADDRS];
	struct ip_addr gateway, gateway_v6, server; /* zero: none */
	uint16_t port;
	unsigned nr_cores;
	int cpus[OPTIONS_MAX_CORES]; /* -1: not pinned */
	/* load */
	unsigned connections, pipeline;
	uint32_t ratio_set, ratio_get;
	const char *command; /* NULL: SET and GET by the ratio */
	double theta;        /* 0: uniform */
	uint32_t nr_keys, key_size, value_min, value_max;
	bool load;
	double seconds, warm_up_s;
	uint64_t nr_requests; /* 0: as long as it takes */
	double rate;          /* requests a second, 0: closed loop */
	unsigned frame_size, window;
	uint64_t seed;
	const char *json;
	bool quiet;
};

enum options_result { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_WRONG };

/* Reads the command line. OPTIONS_HELP: help was asked for. OPTIONS_WRONG: err says what is wrong
 * and what is right. Strings are borrowed from argv. */
enum options_result options_parse(
	struct options *o, int argc, char **argv, char *err, size_t err_len);
const char *options_help(void);

#endif
