/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf/load/options.h"

#include "app/nic_address.h"
#include "perf/load/keys.h"
#include "perf/load/value.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CONNECTIONS 64000u /* source ports of one address */
#define MAX_PIPELINE    4096u
#define MAX_CPUS        1024

enum option_number {
	OPT_NIC = 256,
	OPT_NIC_ADDRESS,
	OPT_NIC_GATEWAY,
	OPT_EAL_ARGS,
	OPT_HUGE,
	OPT_SERVER,
	OPT_PORT,
	OPT_CORES,
	OPT_CONNECTIONS,
	OPT_PIPELINE,
	OPT_RATIO,
	OPT_COMMAND,
	OPT_PATTERN,
	OPT_KEYS,
	OPT_KEY_SIZE,
	OPT_DATA_SIZE,
	OPT_LOAD,
	OPT_SECONDS,
	OPT_WARM_UP,
	OPT_REQUESTS,
	OPT_RATE,
	OPT_SEED,
	OPT_JSON,
	OPT_QUIET,
	OPT_HELP,
};

static const struct option longs[] = {
	{"nic", required_argument, NULL, OPT_NIC},
	{"nic-address", required_argument, NULL, OPT_NIC_ADDRESS},
	{"nic-gateway", required_argument, NULL, OPT_NIC_GATEWAY},
	{"eal-args", required_argument, NULL, OPT_EAL_ARGS},
	{"huge-pages", required_argument, NULL, OPT_HUGE},
	{"server", required_argument, NULL, OPT_SERVER},
	{"port", required_argument, NULL, OPT_PORT},
	{"cores", required_argument, NULL, OPT_CORES},
	{"connections", required_argument, NULL, OPT_CONNECTIONS},
	{"pipeline", required_argument, NULL, OPT_PIPELINE},
	{"ratio", required_argument, NULL, OPT_RATIO},
	{"command", required_argument, NULL, OPT_COMMAND},
	{"key-pattern", required_argument, NULL, OPT_PATTERN},
	{"keys", required_argument, NULL, OPT_KEYS},
	{"key-size", required_argument, NULL, OPT_KEY_SIZE},
	{"data-size", required_argument, NULL, OPT_DATA_SIZE},
	{"load", no_argument, NULL, OPT_LOAD},
	{"seconds", required_argument, NULL, OPT_SECONDS},
	{"warm-up", required_argument, NULL, OPT_WARM_UP},
	{"requests", required_argument, NULL, OPT_REQUESTS},
	{"rate", required_argument, NULL, OPT_RATE},
	{"seed", required_argument, NULL, OPT_SEED},
	{"json", required_argument, NULL, OPT_JSON},
	{"quiet", no_argument, NULL, OPT_QUIET},
	{"help", no_argument, NULL, OPT_HELP},
	{NULL, 0, NULL, 0},
};

const char *options_help(void)
{
	return "millrace-load: load for servers of the Redis protocol, over a DPDK device and\n"
	       "millrace's own TCP. Every reply is checked.\n"
	       "\n"
	       "usage: millrace-load --nic DEVICE --nic-address A/LEN --server ADDR [option...]\n"
	       "\n"
	       "Where\n"
	       "  --nic DEVICE          net_memif0,role=client,id=0,socket=/path  net_af_xdp0,iface=x\n"
	       "                        0000:01:00.0 ...\n"
	       "  --nic-address A/LEN   our address on it (several: A/LEN,B/LEN)\n"
	       "  --nic-gateway A       if the server is not on that network\n"
	       "  --server ADDR         the server's IPv4 or IPv6 address\n"
	       "  --port P              (6379)\n"
	       "  --cores LIST          CPUs, one thread each, as 0 or 2-3 or 0,2; connections are\n"
	       "                        spread over them (one thread, not pinned)\n"
	       "  --huge-pages yes|no|auto   (auto)\n"
	       "  --eal-args TEXT       further arguments for DPDK\n"
	       "\n"
	       "What\n"
	       "  --connections N       (50)\n"
	       "  --pipeline N          requests under way on a connection (1)\n"
	       "  --ratio SET:GET       (0:1)\n"
	       "  --command \"WORDS\"     another command instead: PING, \"INCR {key}\",\n"
	       "                        \"LPUSH {key} {value}\" ...\n"
	       "  --keys N              how many keys (1000000)\n"
	       "  --key-pattern P       uniform, zipf or zipf:THETA (uniform; zipf alone: 0.99)\n"
	       "  --key-size N          bytes (14)\n"
	       "  --data-size N[-M]     bytes of a value, each length equally likely (32)\n"
	       "  --load                first SET every key once; then a GET without a value is wrong\n"
	       "\n"
	       "How long\n"
	       "  --seconds S           of measuring (10)\n"
	       "  --warm-up S           before that (1)\n"
	       "  --requests N          ends after so many (0: by time alone)\n"
	       "  --rate N              open loop: N requests a second on a fixed schedule; latency\n"
	       "                        counts from when a request was due (0: closed loop, a request\n"
	       "                        follows each reply)\n"
	       "  --seed N              of all random numbers (1)\n"
	       "\n"
	       "Result\n"
	       "  --json FILE           the result as JSON too (- is standard output)\n"
	       "  --quiet               no line each second\n"
	       "\n"
	       "SIGINT ends it early with the result so far. Exit status: 0; 1 when a reply was wrong,\n"
	       "a connection was lost or nothing was measured; 2 when it could not run.\n";
}

static bool parse_number(const char *text, double min, double max, double *out)
{
	char *end;

	errno = 0;
	*out = strtod(text, &end);
	return end != text && !*end && !errno && *out >= min && *out <= max;
}

/* A whole number, with k, m, g for thousands (bytes: for 1024s, with an optional b). */
static bool parse_count(const char *text, bool bytes, uint64_t min, uint64_t max, uint64_t *out)
{
	const uint64_t k = bytes ? 1024 : 1000;
	uint64_t unit = 1;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*out = strtoull(text, &end, 10);
	switch (*end | 0x20) {
	case 'g': unit *= k; /* fall through */
	case 'm': unit *= k; /* fall through */
	case 'k':
		unit *= k;
		end++;
		break;
	default: break;
	}
	if (bytes && unit > 1 && (*end | 0x20) == 'b')
		end++;
	if (errno || *end || *out > UINT64_MAX / unit)
		return false;
	*out *= unit;
	return *out >= min && *out <= max;
}

static bool parse_addresses(const char *text, struct options *o)
{
	const int n = nic_address_parse(text, o->addrs);

	o->nr_addrs = n > 0 ? (unsigned)n : 0;
	return n > 0;
}

static bool parse_cores(const char *text, struct options *o)
{
	o->nr_cores = 0;
	while (*text) {
		char *end;
		long lo = strtol(text, &end, 10), hi = lo;

		if (end == text || lo < 0)
			return false;
		if (*end == '-') {
			text = end + 1;
			hi = strtol(text, &end, 10);
			if (end == text)
				return false;
		}
		if (hi < lo || hi >= MAX_CPUS || (*end && (*end != ',' || !end[1])))
			return false;
		for (long cpu = lo; cpu <= hi; cpu++) {
			if (o->nr_cores == OPTIONS_MAX_CORES)
				return false;
			o->cpus[o->nr_cores++] = (int)cpu;
		}
		text = *end ? end + 1 : end;
	}
	return o->nr_cores > 0;
}

static bool parse_ratio(const char *text, struct options *o)
{
	unsigned set, get;
	char rest;

	if (sscanf(text, "%9u:%9u%c", &set, &get, &rest) != 2 || strchr(text, '-') ||
		set + get == 0)
		return false;
	o->ratio_set = set;
	o->ratio_get = get;
	return true;
}

static bool parse_pattern(const char *text, struct options *o)
{
	o->theta = 0;
	if (strcmp(text, "uniform") == 0)
		return true;
	o->theta = 0.99;
	if (strcmp(text, "zipf") == 0)
		return true;
	return strncmp(text, "zipf:", 5) == 0 && parse_number(text + 5, 0, 10, &o->theta);
}

static bool parse_sizes(const char *text, struct options *o)
{
	char copy[64], *dash;
	uint64_t min, max;

	if (snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy))
		return false;
	dash = strchr(copy, '-');
	if (dash)
		*dash = 0;
	if (!parse_count(copy, true, 0, VALUE_LEN_MAX, &min))
		return false;
	max = min;
	if (dash && !parse_count(dash + 1, true, min, VALUE_LEN_MAX, &max))
		return false;
	o->value_min = (uint32_t)min;
	o->value_max = (uint32_t)max;
	return true;
}

static bool parse_huge(const char *text, struct options *o)
{
	o->huge = strcmp(text, "yes") == 0 ? 1 : strcmp(text, "no") == 0 ? 0 : -1;
	return o->huge >= 0 || strcmp(text, "auto") == 0;
}

/* One option. False: its argument is not what it has to be, and *want says what that is. */
static bool option_take(struct options *o, int opt, const char *arg, const char **want)
{
	uint64_t n = 0;
	double d = 0;
	bool ok = true;

	switch (opt) {
	case OPT_NIC: o->nic = arg; break;
	case OPT_EAL_ARGS: o->eal_args = arg; break;
	case OPT_COMMAND: o->command = arg; break;
	case OPT_JSON: o->json = arg; break;
	case OPT_LOAD: o->load = true; break;
	case OPT_QUIET: o->quiet = true; break;
	case OPT_NIC_ADDRESS:
		*want = "addresses with prefix lengths, as 10.0.0.1/24 or 10.0.0.1/24,fd00::1/64";
		return parse_addresses(arg, o);
	case OPT_NIC_GATEWAY:
		*want = "an address, of each family one at most";
		return nic_gateway_parse(arg, &o->gateway, &o->gateway_v6) == 0;
	case OPT_SERVER: *want = "an IPv4 or IPv6 address"; return ip_addr_parse(arg, &o->server);
	case OPT_HUGE: *want = "yes, no or auto"; return parse_huge(arg, o);
	case OPT_CORES:
		*want = "a list of at most 16 CPUs, as 0 or 2-3 or 0,2";
		return parse_cores(arg, o);
	case OPT_RATIO: *want = "two numbers, as 1:9"; return parse_ratio(arg, o);
	case OPT_PATTERN:
		*want = "uniform, zipf or zipf:THETA with THETA up to 10";
		return parse_pattern(arg, o);
	case OPT_DATA_SIZE:
		*want = "bytes up to 512mb, or a range, as 32 or 64-4kb";
		return parse_sizes(arg, o);
	case OPT_PORT:
		*want = "1 to 65535";
		ok = parse_count(arg, false, 1, 65535, &n);
		o->port = (uint16_t)n;
		break;
	case OPT_CONNECTIONS:
		*want = "1 to 64000";
		ok = parse_count(arg, false, 1, MAX_CONNECTIONS, &n);
		o->connections = (unsigned)n;
		break;
	case OPT_PIPELINE:
		*want = "1 to 4096";
		ok = parse_count(arg, false, 1, MAX_PIPELINE, &n);
		o->pipeline = (unsigned)n;
		break;
	case OPT_KEYS:
		*want = "1 to 1073741824";
		ok = parse_count(arg, false, 1, KEYS_MAX, &n);
		o->nr_keys = (uint32_t)n;
		break;
	case OPT_KEY_SIZE:
		*want = "1 to 1024 bytes";
		ok = parse_count(arg, true, 1, 1024, &n);
		o->key_size = (uint32_t)n;
		break;
	case OPT_REQUESTS:
		*want = "a number";
		return parse_count(arg, false, 0, UINT64_MAX, &o->nr_requests);
	case OPT_SEED: *want = "a number"; return parse_count(arg, false, 0, UINT64_MAX, &o->seed);
	case OPT_SECONDS: *want = "0.1 to 1000000"; return parse_number(arg, 0.1, 1e6, &o->seconds);
	case OPT_WARM_UP: *want = "0 to 1000000"; return parse_number(arg, 0, 1e6, &o->warm_up_s);
	case OPT_RATE:
		*want = "requests a second, up to 100m";
		ok = parse_count(arg, false, 0, 100000000, &n);
		d = (double)n;
		o->rate = d;
		break;
	default: return false;
	}
	return ok;
}

static enum options_result options_complete(struct options *o, char *err, size_t err_len)
{
	const char *missing = !o->nic ? "--nic" : !o->nr_addrs ? "--nic-address" : NULL;

	if (!missing && ip_addr_is_none(&o->server))
		missing = "--server";
	if (missing) {
		snprintf(err, err_len, "%s is missing; --help tells what it is", missing);
		return OPTIONS_WRONG;
	}
	if (o->connections < o->nr_cores) {
		snprintf(err, err_len,
			"--connections %u: at least one for each of the %u --cores is needed",
			o->connections, o->nr_cores);
		return OPTIONS_WRONG;
	}
	return OPTIONS_RUN;
}

enum options_result options_parse(
	struct options *o, int argc, char **argv, char *err, size_t err_len)
{
	int opt, index;

	*o = (struct options){.mode = MODE_REQUESTS,
		.huge = -1,
		.eal_args = "",
		.port = 6379,
		.nr_cores = 1,
		.cpus = {-1},
		.connections = 50,
		.pipeline = 1,
		.ratio_get = 1,
		.nr_keys = 1000000,
		.value_min = 32,
		.value_max = 32,
		.seconds = 10,
		.warm_up_s = 1,
		.seed = 1};
	optind = 1;
	opterr = 0;
	while ((opt = getopt_long(argc, argv, "", longs, &index)) != -1) {
		const char *want = "";

		if (opt == OPT_HELP)
			return OPTIONS_HELP;
		if (opt == '?') {
			snprintf(err, err_len,
				"%s: no such option, or its argument is missing; --help lists them",
				argv[optind - 1]);
			return OPTIONS_WRONG;
		}
		if (!option_take(o, opt, optarg, &want)) {
			snprintf(err, err_len, "--%s %s: must be %s", longs[index].name, optarg,
				want);
			return OPTIONS_WRONG;
		}
	}
	if (optind < argc) {
		snprintf(err, err_len, "%s: not an option; --help lists them", argv[optind]);
		return OPTIONS_WRONG;
	}
	return options_complete(o, err, err_len);
}
