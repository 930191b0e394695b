/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Directives whose single value has a form of its own: event classes, percentiles, shutdown
 * options, lists of cores ...
 */
#include "app/config_table.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int one_word(int argc, const struct config_err *err)
{
	if (argc == 1)
		return 0;
	return config_err_set(err, err->at_start ? "takes one value" : "wrong number of arguments");
}

static int store_text(struct config *cfg, const struct directive *d, const char *text)
{
	return config_value_replace(cfg, config_value_str(cfg, d), text);
}

static char *text_format(struct config *cfg, const struct directive *d)
{
	return strdup(*config_value_str(cfg, d));
}

/* --- notify-keyspace-events ------------------------------------------------------------------- */

/* The classes that A stands for come first, in the order in which Redis prints them. */
static const char event_classes[] = "g$lshzxetdnKEm";
#define EVENTS_ALL 0x3ff /* g to d */

static int notify_set(struct config *cfg, const struct directive *d, int argc,
	const char *const *argv, const struct config_err *err)
{
	int64_t mask = 0;
	int rc = one_word(argc, err);

	if (rc != 0)
		return rc;
	for (const char *p = argv[0]; *p; p++) {
		const char *hit = strchr(event_classes, *p);

		if (*p == 'A')
			mask |= EVENTS_ALL;
		else if (hit)
			mask |= 1ll << (hit - event_classes);
		else
			return config_err_set(
				err, "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.");
	}
	config_value_store(cfg, d, mask);
	return 0;
}

static char *notify_format(struct config *cfg, const struct directive *d)
{
	int64_t mask = config_value_num(cfg, d);
	char buf[sizeof(event_classes) + 1], *p = buf;
	bool all = (mask & EVENTS_ALL) == EVENTS_ALL;

	if (all)
		*p++ = 'A';
	for (const char *e = event_classes; *e; e++) {
		/* A hides n, as it does in Redis. */
		if ((mask >> (e - event_classes) & 1) && !(all && e <= strchr(event_classes, 'n')))
			*p++ = *e;
	}
	*p = '\0';
	return strdup(buf);
}

const struct directive_ops config_notify_ops = {notify_set, notify_format};

/* --- oom-score-adj-values --------------------------------------------------------------------- */

static int oom_values_set(struct config *cfg, const struct directive *d, int argc,
	const char *const *argv, const struct config_err *err)
{
	int64_t v[3];
	char text[32];

	if (argc != 3)
		return config_err_set(
			err, err->at_start ? "takes three values" : "wrong number of arguments");
	for (int i = 0; i < 3; i++)
		if (!config_parse_int(argv[i], &v[i]) || v[i] < -2000 || v[i] > 2000)
			return config_err_set(err,
				"Invalid oom-score-adj-values, elements must be between -2000 and "
				"2000.");
	snprintf(text, sizeof(text), "%d %d %d", (int)v[0], (int)v[1], (int)v[2]);
	return store_text(cfg, d, text);
}

const struct directive_ops config_oom_values_ops = {oom_values_set, text_format, true};

/* --- latency-tracking-info-percentiles -------------------------------------------------------- */

#define MAX_PERCENTILES 32

/* As few digits as read back to the same number. */
static void print_double(char buf[40], double v)
{
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(buf, 40, "%.*g", digits, v);
		if (strtod(buf, NULL) == v)
			return;
	}
}

static int percentiles_set(struct config *cfg, const struct directive *d, int argc,
	const char *const *argv, const struct config_err *err)
{
	char text[MAX_PERCENTILES * 41] = "", num[40];

	if (argc == 1 && argv[0][0] == '\0')
		argc = 0;
	if (argc > MAX_PERCENTILES)
		return config_err_set(err, "at most %d percentiles", MAX_PERCENTILES);
	for (int i = 0; i < argc; i++) {
		char *end;
		double v = strtod(argv[i], &end);

		if (*end || end == argv[i] || isnan(v) || isspace((unsigned char)argv[i][0]))
			return config_err_set(
				err, "Invalid latency-tracking-info-percentiles parameters");
		if (v < 0 || v > 100)
			return config_err_set(err,
				"latency-tracking-info-percentiles parameters should sit "
				"between [0.0,100.0]");
		print_double(num, v);
		strcat(strcat(text, i ? " " : ""), num);
	}
	return store_text(cfg, d, text);
}

const struct directive_ops config_percentiles_ops = {percentiles_set, text_format, true};

/* --- shutdown-on-sigint, shutdown-on-sigterm -------------------------------------------------- */

#define SHUTDOWN_BOTH 3 /* save and nosave */

static int shutdown_set(struct config *cfg, const struct directive *d, int argc,
	const char *const *argv, const struct config_err *err)
{
	int64_t mask = 0;

	for (int i = 0; i < argc; i++) {
		const struct enum_name *n = d->names;

		while (n->name && strcasecmp(n->name, argv[i]) != 0)
			n++;
		if (!n->name)
			argc = 0;
		else
			mask |= n->value;
	}
	if (argc == 0)
		return config_err_set(err,
			"argument(s) must be one of the following: default, save, nosave, now, "
			"force");
	if ((mask & SHUTDOWN_BOTH) == SHUTDOWN_BOTH)
		return config_err_set(
			err, "shutdown options SAVE and NOSAVE can't be used simultaneously");
	config_value_store(cfg, d, mask);
	return 0;
}

static char *shutdown_format(struct config *cfg, const struct directive *d)
{
	int64_t mask = config_value_num(cfg, d);
	char buf[64] = "";

	if (mask == 0)
		return strdup("default");
	for (const struct enum_name *n = d->names; n->name; n++)
		if (mask & n->value)
			strcat(strcat(buf, *buf ? " " : ""), n->name);
	return strdup(buf);
}

const struct directive_ops config_shutdown_ops = {shutdown_set, shutdown_format};

/* --- maxmemory-clients: bytes, or a share of maxmemory kept as a negative number -------------- */

static int maxmemory_clients_set(struct config *cfg, const struct directive *d, int argc,
	const char *const *argv, const struct config_err *err)
{
	uint64_t bytes;
	int64_t percent = -1;
	char num[8];
	size_t len;
	int rc = one_word(argc, err);

	if (rc != 0)
		return rc;
	len = strlen(argv[0]);
	if (len > 1 && len < sizeof(num) && argv[0][len - 1] == '%') {
		memcpy(num, argv[0], len - 1);
		num[len - 1] = '\0';
		if (!config_parse_int(num, &percent) || percent < 0)
			return config_err_set(err, "argument must be a memory or percent value");
		if (percent > 100)
			return config_err_set(
				err, "percentage argument must be less or equal to 100");
		config_value_store(cfg, d, -percent);
		return 0;
	}
	if (!config_parse_size(argv[0], &bytes) || bytes > INT64_MAX)
		return config_err_set(err, "argument must be a memory or percent value");
	config_value_store(cfg, d, (int64_t)bytes);
	return 0;
}

static char *maxmemory_clients_format(struct config *cfg, const struct directive *d)
{
	int64_t v = config_value_num(cfg, d);
	char *text;

	return asprintf(&text, v < 0 ? "%" PRId64 "%%" : "%" PRId64, v < 0 ? -v : v) < 0 ? NULL
											 : text;
}

const struct directive_ops config_maxmemory_clients_ops = {
	maxmemory_clients_set, maxmemory_clients_format};

/* --- proc-title-template ---------------------------------------------------------------------- */

static bool template_valid(const char *p)
{
	static const char *const names[] = {
		"{title}",
		"{listen-addr}",
		"{server-mode}",
		"{port}",
		"{tls-port}",
		"{unixsocket}",
		"{config-file}",
	};

	if (!*p)
		return false;
	while ((p = strchr(p, '{'))) {
		size_t len = 0;

		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && len == 0; i++)
			if (strncmp(p, names[i], strlen(names[i])) == 0)
				len = strlen(names[i]);
		if (len == 0 && p[1] == '{') /* an escaped brace */
			len = 2;
		if (len == 0)
			return false;
		p += len;
	}
	return true;
}

static int proc_title_set(struct config *cfg, const struct directive *d, int argc,
	const char *const *argv, const struct config_err *err)
{
	int rc = one_word(argc, err);

	if (rc != 0)
		return rc;
	if (!template_valid(argv[0]))
		return config_err_set(
			err, "template format is invalid or contains unknown variables");
	return store_text(cfg, d, argv[0]);
}

const struct directive_ops config_proc_title_ops = {proc_title_set, text_format, true};

/* --- cluster-announce-hostname ---------------------------------------------------------------- */

static int hostname_set(struct config *cfg, const struct directive *d, int argc,
	const char *const *argv, const struct config_err *err)
{
	int rc = one_word(argc, err);

	if (rc != 0)
		return rc;
	if (strlen(argv[0]) >= 256)
		return config_err_set(err, "Hostnames must be less than 256 characters");
	for (const char *p = argv[0]; *p; p++)
		if (!isalnum((unsigned char)*p) && *p != '-' && *p != '.')
			return config_err_set(err,
				"Hostnames may only contain alphanumeric characters, hyphens or "
				"dots");
	return store_text(cfg, d, argv[0]);
}

const struct directive_ops config_hostname_ops = {hostname_set, text_format, true};

/* --- poll-cores ------------------------------------------------------------------------------- */

#define MAX_CPU 1023

/* Reads a number of a core at *p. False: none there, or too large. */
static bool read_cpu(const char **p, unsigned *cpu)
{
	const char *start = *p;

	*cpu = 0;
	while (isdigit((unsigned char)**p) && *cpu <= MAX_CPU)
		*cpu = *cpu * 10 + (unsigned)(*(*p)++ - '0');
	return *p > start && *cpu <= MAX_CPU;
}

static bool cores_valid(const char *p)
{
	unsigned lo, hi;

	for (;;) {
		if (!read_cpu(&p, &lo))
			return false;
		if (*p == '-') {
			p++;
			if (!read_cpu(&p, &hi) || hi < lo)
				return false;
		}
		if (!*p)
			return true;
		if (*p++ != ',')
			return false;
	}
}

static int cores_set(struct config *cfg, const struct directive *d, int argc,
	const char *const *argv, const struct config_err *err)
{
	int rc = one_word(argc, err);

	if (rc != 0)
		return rc;
	if (*argv[0] && !cores_valid(argv[0]))
		return config_err_set(err, "'%s' is not a list of cores, as 1-3 or 1,4-5", argv[0]);
	return store_text(cfg, d, argv[0]);
}

const struct directive_ops config_cores_ops = {cores_set, text_format, true};

/* --- partitions ------------------------------------------------------------------------------- */

#define MAX_PARTITIONS 65536

static int partitions_set(struct config *cfg, const struct directive *d, int argc,
	const char *const *argv, const struct config_err *err)
{
	int64_t v;
	int rc = one_word(argc, err);

	if (rc != 0)
		return rc;
	if (!config_parse_int(argv[0], &v) || v < 1 || v > MAX_PARTITIONS || (v & (v - 1)) != 0)
		return config_err_set(err, "'%s' is not a power of two between 1 and %d", argv[0],
			MAX_PARTITIONS);
	config_value_store(cfg, d, v);
	return 0;
}

static char *partitions_format(struct config *cfg, const struct directive *d)
{
	char *text;

	return asprintf(&text, "%" PRId64, config_value_num(cfg, d)) < 0 ? NULL : text;
}

const struct directive_ops config_partitions_ops = {partitions_set, partitions_format};
