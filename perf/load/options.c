/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The options stand in one table: what they are called, what they take, where it goes, and what
 * --help says of them.
 */
#include "perf/load/options.h"

#include "app/nic_address.h"
#include "perf/load/keys.h"
#include "perf/load/value.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CONNECTIONS 64000 /* source ports of one address */
#define MAX_CPUS        1024

enum opt_kind {
	OPT_GROUP, /* no option: a heading of the help */
	OPT_FLAG,
	OPT_TEXT,
	OPT_COUNT,   /* uint32_t, with k, m, g for thousands */
	OPT_COUNT64, /* uint64_t */
	OPT_REAL,    /* double */
	OPT_OWN,     /* has its own function */
};

struct opt {
	const char *name;
	const char *arg;
	const char *help;
	enum opt_kind kind;
	size_t at;       /* in struct options */
	double min, max; /* of numbers */
	bool (*take)(struct options *o, const char *arg);
	const char *want; /* what the argument must be */
	uint32_t modes;   /* in which it means something; 0: in all */
};

#define IN(mode) (1u << (mode))
#define REQUESTS (IN(MODE_REQUESTS) | IN(MODE_BULK))
#define TCP      (REQUESTS | IN(MODE_CHURN) | IN(MODE_IDLE))
#define RATED    (REQUESTS | IN(MODE_CHURN)) /* can have a rate and a number of requests */
#define KEYED    (RATED | IN(MODE_FRAMES))   /* has keys */
#define TIMED    (TCP | IN(MODE_FRAMES))

/* A whole number, with k, m, g for thousands (bytes: for 1024s, with an optional b). */
static bool parse_count(const char *text, bool bytes, double min, double max, uint64_t *out)
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
	return (double)*out >= min && (double)*out <= max;
}

static bool parse_real(const char *text, double min, double max, double *out)
{
	char *end;

	errno = 0;
	*out = strtod(text, &end);
	return end != text && !*end && !errno && *out >= min && *out <= max;
}

static const char *const mode_names[MODE_NR] = {
	"requests", "bulk", "churn", "idle", "frames", "echo"};

const char *options_mode_name(enum load_mode mode)
{
	return mode_names[mode];
}

static bool take_mode(struct options *o, const char *arg)
{
	for (unsigned i = 0; i < MODE_NR; i++) {
		if (strcmp(arg, mode_names[i]) == 0) {
			o->mode = (enum load_mode)i;
			return true;
		}
	}
	return false;
}

static bool take_addresses(struct options *o, const char *arg)
{
	const int n = nic_address_parse(arg, o->addrs);

	o->nr_addrs = n > 0 ? (unsigned)n : 0;
	return n > 0;
}

static bool take_gateway(struct options *o, const char *arg)
{
	return nic_gateway_parse(arg, &o->gateway, &o->gateway_v6) == 0;
}

static bool take_server(struct options *o, const char *arg)
{
	return ip_addr_parse(arg, &o->server);
}

static bool take_huge(struct options *o, const char *arg)
{
	o->huge = strcmp(arg, "yes") == 0 ? 1 : strcmp(arg, "no") == 0 ? 0 : -1;
	return o->huge >= 0 || strcmp(arg, "auto") == 0;
}

static bool take_cores(struct options *o, const char *arg)
{
	o->nr_cores = 0;
	while (*arg) {
		char *end;
		long lo = strtol(arg, &end, 10), hi = lo;

		if (end == arg || lo < 0)
			return false;
		if (*end == '-') {
			arg = end + 1;
			hi = strtol(arg, &end, 10);
			if (end == arg)
				return false;
		}
		if (hi < lo || hi >= MAX_CPUS || (*end && (*end != ',' || !end[1])))
			return false;
		for (long cpu = lo; cpu <= hi; cpu++) {
			if (o->nr_cores == OPTIONS_MAX_CORES)
				return false;
			o->cpus[o->nr_cores++] = (int)cpu;
		}
		arg = *end ? end + 1 : end;
	}
	return o->nr_cores > 0;
}

static bool take_ratio(struct options *o, const char *arg)
{
	unsigned set, get;
	char rest;

	if (strspn(arg, "0123456789:") != strlen(arg) ||
		sscanf(arg, "%6u:%6u%c", &set, &get, &rest) != 2 || set + get == 0)
		return false;
	o->ratio_set = set;
	o->ratio_get = get;
	return true;
}

static bool take_pattern(struct options *o, const char *arg)
{
	o->theta = 0;
	if (strcmp(arg, "uniform") == 0)
		return true;
	o->theta = 0.99;
	if (strcmp(arg, "zipf") == 0)
		return true;
	return strncmp(arg, "zipf:", 5) == 0 && parse_real(arg + 5, 0, 10, &o->theta);
}

static bool take_key_size(struct options *o, const char *arg)
{
	uint64_t n;

	if (!parse_count(arg, true, 1, 1024, &n))
		return false;
	o->key_size = (uint32_t)n;
	return true;
}

static bool take_data_size(struct options *o, const char *arg)
{
	char copy[64], *dash;
	uint64_t min, max;

	if (snprintf(copy, sizeof(copy), "%s", arg) >= (int)sizeof(copy))
		return false;
	dash = strchr(copy, '-');
	if (dash)
		*dash = 0;
	if (!parse_count(copy, true, 0, VALUE_LEN_MAX, &min))
		return false;
	max = min;
	if (dash && !parse_count(dash + 1, true, (double)min, VALUE_LEN_MAX, &max))
		return false;
	o->value_min = (uint32_t)min;
	o->value_max = (uint32_t)max;
	return true;
}

static bool take_rate(struct options *o, const char *arg)
{
	uint64_t n;

	if (!parse_count(arg, false, 0, 1e8, &n))
		return false;
	o->rate = (double)n;
	return true;
}

#define AT(field) offsetof(struct options, field)

static const struct opt table[] = {
	{NULL, NULL, "Where", OPT_GROUP},
	{"nic", "DEVICE",
		"a DPDK device: net_memif0,role=client,id=0,socket=/path\n"
		"net_af_xdp0,iface=eth0  0000:01:00.0 ...",
		OPT_TEXT, AT(nic)},
	{"nic-address", "A/LEN", "our address on it; several: A/LEN,B/LEN", OPT_OWN,
		.take = take_addresses, .modes = TCP,
		.want = "addresses with prefix lengths, as 10.0.0.1/24 or 10.0.0.1/24,fd00::1/64"},
	{"nic-gateway", "A", "if the server is not on that network", OPT_OWN, .take = take_gateway,
		.modes = TCP, .want = "an address, at most one of each family"},
	{"server", "ADDR", "the server's address, IPv4 or IPv6", OPT_OWN, .take = take_server,
		.modes = TCP, .want = "an IPv4 or IPv6 address"},
	{"port", "P", "(6379)", OPT_COUNT, AT(port), 1, 65535, .modes = TCP},
	{"cores", "LIST",
		"CPUs, one thread each, as 0 or 2-3 or 0,2; connections\n"
		"are spread over them (one thread, not pinned)",
		OPT_OWN, .take = take_cores,
		.want = "a list of at most 16 CPUs, as 0 or 2-3 or 0,2"},
	{"huge-pages", "yes|no|auto", "(auto)", OPT_OWN, .take = take_huge,
		.want = "yes, no or auto"},
	{"eal-args", "TEXT", "further arguments for DPDK", OPT_TEXT, AT(eal_args)},

	{NULL, NULL, "What", OPT_GROUP},
	{"mode", "MODE",
		"requests  as below\n"
		"bulk      the same, but --load of 64 values of 1 MB and 4\n"
		"          connections, if nothing else is said\n"
		"churn     connect, with --command one request, close;\n"
		"          --connections at a time\n"
		"idle      connections that do nothing, and what they cost\n"
		"frames    the frames of GETs, one under way for each\n"
		"          connection, to an echo and back, without TCP\n"
		"echo      that echo, until SIGINT\n"
		"(requests)",
		OPT_OWN, .take = take_mode, .want = "requests, bulk, churn, idle, frames or echo"},
	{"connections", "N", "(50)", OPT_COUNT, AT(connections), 1, MAX_CONNECTIONS,
		.modes = TIMED},
	{"pipeline", "N", "requests under way on a connection (1)", OPT_COUNT, AT(pipeline), 1,
		4096, .modes = REQUESTS | IN(MODE_FRAMES)},
	{"ratio", "SET:GET", "(0:1)", OPT_OWN, .take = take_ratio, .modes = REQUESTS,
		.want = "two numbers up to 999999, not both 0, as 1:9"},
	{"command", "WORDS",
		"another command instead, as PING or \"INCR {key}\" or\n"
		"\"LPUSH {key} {value}\"",
		OPT_TEXT, AT(command), .modes = RATED},
	{"keys", "N", "how many keys (1000000)", OPT_COUNT, AT(nr_keys), 1, KEYS_MAX,
		.modes = KEYED},
	{"key-pattern", "P", "uniform, zipf or zipf:THETA (uniform; zipf alone: 0.99)", OPT_OWN,
		.take = take_pattern, .modes = KEYED,
		.want = "uniform, zipf or zipf:THETA with THETA up to 10"},
	{"key-size", "N", "bytes (14)", OPT_OWN, .take = take_key_size, .modes = KEYED,
		.want = "1 to 1024 bytes"},
	{"data-size", "N[-M]", "bytes of a value; a range: each length equally likely (32)",
		OPT_OWN, .take = take_data_size, .modes = RATED,
		.want = "bytes up to 512mb, or a range, as 32 or 64-4kb"},
	{"load", NULL, "first SET every key once; then a GET without a value is wrong", OPT_FLAG,
		AT(load), .modes = REQUESTS},

	{NULL, NULL, "How long", OPT_GROUP},
	{"seconds", "S", "of measuring (10)", OPT_REAL, AT(seconds), 0.1, 1e6, .modes = TIMED},
	{"warm-up", "S", "before that (1)", OPT_REAL, AT(warm_up_s), 0, 1e6,
		.modes = RATED | IN(MODE_FRAMES)},
	{"requests", "N", "ends after so many (0: by time alone)", OPT_COUNT64, AT(nr_requests), 0,
		1e18, .modes = RATED},
	{"rate", "N",
		"open loop: N requests (or connections) a second on a\n"
		"fixed schedule, and latency counts from when one was due\n"
		"(0: a request follows each reply)",
		OPT_OWN, .take = take_rate, .modes = RATED,
		.want = "at most 100m requests a second"},
	{"give-up", "S", "ends it when nothing comes from the server for so long (10)", OPT_REAL,
		AT(give_up_s), 0.5, 1e6, .modes = TIMED},
	{"seed", "N", "of all random numbers (1)", OPT_COUNT64, AT(seed), 0, 1e18},

	{NULL, NULL, "Result", OPT_GROUP},
	{"json", "FILE", "the result as JSON too (-: standard output)", OPT_TEXT, AT(json)},
	{"quiet", NULL, "no line each second", OPT_FLAG, AT(quiet)},
	{"help", NULL, "this", OPT_FLAG, AT(is_help)},
};
#define NR_OPTS (sizeof(table) / sizeof(table[0]))

void options_help(FILE *to)
{
	fprintf(to,
		"millrace-load: load for servers of the Redis protocol, over a DPDK device and\n"
		"millrace's own TCP. Every reply is checked.\n\n"
		"usage: millrace-load --nic DEVICE --nic-address A/LEN --server ADDR "
		"[OPTION...]\n"
		"       millrace-load --mode frames|echo --nic DEVICE [OPTION...]\n");
	for (size_t i = 0; i < NR_OPTS; i++) {
		const struct opt *opt = &table[i];
		const char *line = opt->help;
		char head[64];

		if (opt->kind == OPT_GROUP) {
			fprintf(to, "\n%s\n", opt->help);
			continue;
		}
		snprintf(head, sizeof(head), "--%s %s", opt->name, opt->arg ? opt->arg : "");
		while (*line) {
			const size_t n = strcspn(line, "\n");

			fprintf(to, "  %-22s %.*s\n", line == opt->help ? head : "", (int)n, line);
			line += n + (line[n] == '\n');
		}
	}
	fprintf(to,
		"\nSIGINT ends it early with the result so far. Exit status: 0; 1 when a reply was "
		"wrong,\na connection was lost or nothing was measured; 2 when it could not "
		"run.\n");
}

/* False: the argument is not what it has to be. */
static bool opt_take(struct options *o, const struct opt *opt, const char *arg)
{
	char *at = (char *)o + opt->at;
	uint64_t n = 0;

	switch (opt->kind) {
	case OPT_FLAG: *(bool *)at = true; return true;
	case OPT_TEXT: *(const char **)at = arg; return true;
	case OPT_COUNT:
		if (!parse_count(arg, false, opt->min, opt->max, &n))
			return false;
		*(uint32_t *)at = (uint32_t)n;
		return true;
	case OPT_COUNT64: return parse_count(arg, false, opt->min, opt->max, (uint64_t *)at);
	case OPT_REAL: return parse_real(arg, opt->min, opt->max, (double *)at);
	case OPT_OWN: return opt->take(o, arg);
	default: return false;
	}
}

static const struct opt *opt_find(const char *name, size_t len)
{
	for (size_t i = 0; i < NR_OPTS; i++)
		if (table[i].name && strlen(table[i].name) == len &&
			memcmp(table[i].name, name, len) == 0)
			return &table[i];
	return NULL;
}

/* Reads the option at argv[*i], with its argument behind "=" or in the next word, and notes in *seen
 * that it was there. */
static int opt_read(
	struct options *o, int argc, char **argv, int *i, uint64_t *seen, char *err, size_t err_len)
{
	const char *word = argv[*i], *name = word + 2;
	const bool is_option = strncmp(word, "--", 2) == 0;
	const size_t len = is_option ? strcspn(name, "=") : 0;
	const struct opt *opt = is_option ? opt_find(name, len) : NULL;
	const char *arg = opt && name[len] ? name + len + 1 : NULL;

	if (!opt) {
		snprintf(err, err_len, "%s: there is no such option; --help lists them", word);
		return -EINVAL;
	}
	*seen |= UINT64_C(1) << (opt - table);
	if (opt->arg && !arg && *i + 1 < argc)
		arg = argv[++*i];
	if (opt->arg && !arg) {
		snprintf(err, err_len, "--%s needs %s", opt->name, opt->arg);
		return -EINVAL;
	}
	if (!opt->arg && arg) {
		snprintf(err, err_len, "--%s takes no argument", opt->name);
		return -EINVAL;
	}
	if (opt_take(o, opt, arg))
		return 0;
	if (opt->want)
		snprintf(err, err_len, "--%s %s: must be %s", opt->name, arg, opt->want);
	else
		snprintf(err, err_len, "--%s %s: must be a number from %.12g to %.12g", opt->name,
			arg, opt->min, opt->max);
	return -EINVAL;
}

/* Everything that was said means something in this mode, and nothing is missing. */
static int mode_check(const struct options *o, uint64_t seen, char *err, size_t err_len)
{
	const bool is_raw = o->mode == MODE_FRAMES || o->mode == MODE_ECHO;
	const char *missing = !o->nic ? "nic" : !is_raw && !o->nr_addrs ? "nic-address" : NULL;

	for (size_t i = 0; i < NR_OPTS; i++) {
		if (!(seen >> i & 1) || !table[i].modes || table[i].modes & IN(o->mode))
			continue;
		snprintf(err, err_len, "--%s: means nothing in --mode %s", table[i].name,
			mode_names[o->mode]);
		return -EINVAL;
	}
	if (!missing && !is_raw && ip_addr_is_none(&o->server))
		missing = "server";
	if (missing) {
		snprintf(err, err_len, "--%s is missing; --help tells what it is", missing);
		return -EINVAL;
	}
	if (is_raw && o->nr_cores > 1) {
		snprintf(err, err_len, "--cores: frames and echo have one thread");
		return -EINVAL;
	}
	return 0;
}

/* What was not said. */
static int complete(struct options *o, char *err, size_t err_len)
{
	const bool is_bulk = o->mode == MODE_BULK;

	if (is_bulk)
		o->load = true;
	if (o->value_min == UINT32_MAX)
		o->value_min = o->value_max = is_bulk ? 1u << 20 : 32;
	if (!o->nr_keys)
		o->nr_keys = is_bulk ? 64 : 1000000;
	if (!o->connections && o->mode != MODE_ECHO)
		o->connections = is_bulk ? 4 : 50;
	if (o->connections < o->nr_cores && o->mode != MODE_ECHO) {
		snprintf(err, err_len,
			"--connections %u: at least one for each of the %u --cores is needed",
			o->connections, o->nr_cores);
		return -EINVAL;
	}
	return 0;
}

int options_parse(struct options *o, int argc, char **argv, char *err, size_t err_len)
{
	uint64_t seen = 0;
	int rc = 0;

	_Static_assert(NR_OPTS <= 64, "a bit each");
	*o = (struct options){.mode = MODE_REQUESTS,
		.huge = -1,
		.eal_args = "",
		.port = 6379,
		.nr_cores = 1,
		.cpus = {-1},
		.pipeline = 1,
		.ratio_get = 1,
		.value_min = UINT32_MAX, /* nothing said: complete() */
		.seconds = 10,
		.warm_up_s = 1,
		.give_up_s = 10,
		.seed = 1};
	for (int i = 1; i < argc && rc == 0; i++)
		rc = opt_read(o, argc, argv, &i, &seen, err, err_len);
	if (rc || o->is_help)
		return rc;
	rc = mode_check(o, seen, err, err_len);
	return rc ? rc : complete(o, err, err_len);
}
