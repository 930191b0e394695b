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
#include <stdio.h>

#define OPTIONS_MAX_CORES 16

enum load_mode {
	MODE_REQUESTS, /* closed loop, or open with a rate */
	MODE_BULK,     /* the same with defaults of large values, for bits per second */
	MODE_CHURN,    /* connect, perhaps one command, close */
	MODE_IDLE,     /* connections that do nothing */
	MODE_FRAMES,   /* frames as of GETs, to an echo and back */
	MODE_ECHO,     /* that echo */
	MODE_NR,
};

struct options {
	enum load_mode mode;
	bool is_help;
	/* device */
	const char *nic;
	const char *eal_args;
	int huge; /* 1 yes, 0 no, -1 if there are free ones */
	unsigned nr_addrs;
	struct net_addr addrs[NET_MAX_ADDRS];
	struct ip_addr gateway, gateway_v6, server; /* zero: none */
	uint32_t port;
	unsigned nr_cores;
	int cpus[OPTIONS_MAX_CORES]; /* -1: not pinned */
	/* load */
	uint32_t connections, pipeline;
	uint32_t ratio_set, ratio_get;
	const char *command; /* NULL: SET and GET by the ratio */
	double theta;        /* 0: uniform */
	uint32_t nr_keys, key_size, value_min, value_max;
	bool load;
	double seconds, warm_up_s;
	uint64_t nr_requests; /* 0: as long as it takes */
	double rate;          /* requests a second, 0: closed loop */
	double give_up_s;     /* without anything from the server */
	uint64_t seed;
	/* result */
	const char *json;
	bool quiet;
};

/* Reads the command line. 0; -EINVAL: err says what is wrong and what would be right. Strings are
 * borrowed from argv. */
int options_parse(struct options *o, int argc, char **argv, char *err, size_t err_len);
void options_help(FILE *to);
/* As --mode takes it. */
const char *options_mode_name(enum load_mode mode);

#endif
