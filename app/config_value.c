/* SPDX-License-Identifier: BSD-3-Clause
 *
 * One value of the configuration: read from words, kept, printed.
 *
 * Scalars are stored with one relaxed store, so that cores may read them meanwhile. A string is
 * copied first and swapped in under cfg->lock. A word that is refused changes nothing.
 */
#include "app/config_table.h"

#include "checks.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int config_err_set(const struct config_err *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err->buf, err->len, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* --- reading ---------------------------------------------------------------------------------- */

bool config_parse_int(const char *text, int64_t *value)
{
	const char *p = text + (*text == '-');
	bool neg = *text == '-';
	uint64_t mag = 0, limit = neg ? (uint64_t)INT64_MAX + 1 : INT64_MAX;

	/* One spelling for each number: no blanks, no plus sign, no leading zeros. */
	if (*p < '0' || *p > '9' || (p[0] == '0' && (p[1] != '\0' || neg)))
		return false;
	for (; *p; p++) {
		unsigned digit = (unsigned)(*p - '0');

		if (digit > 9 || mag > (limit - digit) / 10)
			return false;
		mag = mag * 10 + digit;
	}
	*value = neg ? (int64_t)(0 - mag) : (int64_t)mag;
	return true;
}

bool config_parse_size(const char *text, uint64_t *bytes)
{
	static const struct {
		const char *unit;
		uint64_t factor;
	} units[] = {
		{"", 1},
		{"b", 1},
		{"k", 1000},
		{"kb", 1024},
		{"m", 1000 * 1000},
		{"mb", 1024 * 1024},
		{"g", 1000ull * 1000 * 1000},
		{"gb", 1024ull * 1024 * 1024},
	};
	const char *p = text;
	uint64_t n = 0;

	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++) {
		if (__builtin_mul_overflow(n, 10u, &n) ||
			__builtin_add_overflow(n, (unsigned)(*p - '0'), &n))
			return false;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcasecmp(p, units[i].unit) == 0)
			return !__builtin_mul_overflow(n, units[i].factor, bytes);
	}
	return false;
}

static int read_bool(const char *word, int64_t *v, const struct config_err *err)
{
	if (strcasecmp(word, "yes") == 0)
		*v = 1;
	else if (strcasecmp(word, "no") == 0)
		*v = 0;
	else if (err->at_start)
		return config_err_set(err, "'%s' is not one of yes, no", word);
	else
		return config_err_set(err, "argument must be 'yes' or 'no'");
	return 0;
}

static int read_enum(
	const struct directive *d, const char *word, int64_t *v, const struct config_err *err)
{
	char list[256] = "";

	for (const struct enum_name *n = d->names; n->name; n++) {
		if (strcasecmp(word, n->name) == 0) {
			*v = n->value;
			return 0;
		}
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s",
			*list ? ", " : "", n->name);
	}
	if (err->at_start)
		return config_err_set(err, "'%s' is not one of %s", word, list);
	return config_err_set(err, "argument(s) must be one of the following: %s", list);
}

static int range_error(const struct directive *d, const char *word, const struct config_err *err)
{
	char lo[24], hi[24];

	snprintf(lo, sizeof(lo), d->type == DIR_OCTAL ? "%" PRIo64 : "%" PRId64, d->min);
	snprintf(hi, sizeof(hi), d->type == DIR_OCTAL ? "%" PRIo64 : "%" PRIu64, d->max);
	if (err->at_start)
		return config_err_set(err, "'%s' is not between %s and %s", word, lo, hi);
	return config_err_set(err, "argument must be between %s and %s inclusive", lo, hi);
}

static int read_int(
	const struct directive *d, const char *word, int64_t *v, const struct config_err *err)
{
	if (!config_parse_int(word, v)) {
		if (err->at_start)
			return config_err_set(err, "'%s' is not an integer", word);
		return config_err_set(err, "argument couldn't be parsed into an integer");
	}
	if (*v < d->min || (*v > 0 && (uint64_t)*v > d->max))
		return range_error(d, word, err);
	return 0;
}

static int read_size(
	const struct directive *d, const char *word, int64_t *v, const struct config_err *err)
{
	uint64_t n;

	if (!err->at_start && *word == '\0') { /* Redis takes no digits for 0 */
		n = 0;
	} else if (!config_parse_size(word, &n)) {
		if (err->at_start)
			return config_err_set(err,
				"'%s' is not a size: bytes, or with k, kb, m, mb, g, gb", word);
		return config_err_set(err, "argument must be a memory value");
	}
	if (n < (uint64_t)d->min || n > d->max)
		return range_error(d, word, err);
	*v = (int64_t)n;
	return 0;
}

static int read_octal(
	const struct directive *d, const char *word, int64_t *v, const struct config_err *err)
{
	size_t len = strlen(word);

	if (len == 0 || len > 20 || strspn(word, "01234567") != len) {
		if (err->at_start)
			return config_err_set(err, "'%s' is not an octal number", word);
		return config_err_set(err, "argument couldn't be parsed as an octal number");
	}
	*v = (int64_t)(strtoull(word, NULL, 8) & INT64_MAX);
	if ((uint64_t)*v > d->max)
		return range_error(d, word, err);
	return 0;
}

/* --- keeping ---------------------------------------------------------------------------------- */

static void *value_place(const struct config *cfg, const struct directive *d)
{
	if (d->size == 0)
		return &cfg->state->cells[config_index(d)];
	return (char *)cfg + d->off;
}

int64_t config_value_num(const struct config *cfg, const struct directive *d)
{
	void *place = value_place(cfg, d);

	switch (d->size) {
	case 1: return __atomic_load_n((bool *)place, __ATOMIC_RELAXED);
	case 4: {
		uint32_t v = __atomic_load_n((uint32_t *)place, __ATOMIC_RELAXED);

		return d->max > INT_MAX ? (int64_t)v : (int32_t)v;
	}
	default: return __atomic_load_n((int64_t *)place, __ATOMIC_RELAXED);
	}
}

void config_value_store(struct config *cfg, const struct directive *d, int64_t v)
{
	void *place = value_place(cfg, d);

	if (d->cap_max != 0 && v < d->cap_min)
		v = d->cap_min;
	if (d->cap_max != 0 && v > d->cap_max)
		v = d->cap_max;
	switch (d->size) {
	case 1: __atomic_store_n((bool *)place, v != 0, __ATOMIC_RELAXED); break;
	case 4: __atomic_store_n((uint32_t *)place, (uint32_t)v, __ATOMIC_RELAXED); break;
	default: __atomic_store_n((int64_t *)place, v, __ATOMIC_RELAXED); break;
	}
}

char **config_value_str(struct config *cfg, const struct directive *d)
{
	return value_place(cfg, d);
}

int config_value_replace(struct config *cfg, char **place, const char *text)
{
	char *copy = strdup(text), *old;

	if (!copy)
		return -ENOMEM;
	rte_spinlock_lock(&cfg->lock);
	old = *place;
	*place = copy;
	rte_spinlock_unlock(&cfg->lock);
	free(old);
	return 0;
}

static int set_string(struct config *cfg, const struct directive *d, const char *word,
	const struct config_err *err)
{
	if ((d->flags & DIR_FILENAME) && strchr(word, '/'))
		return config_err_set(err, "%s can't be a path, just a filename", d->name);
	if ((d->flags & DIR_NOT_EMPTY) && *word == '\0')
		return config_err_set(err, "%s can't be empty", d->name);
	return config_value_replace(cfg, config_value_str(cfg, d), word);
}

int config_value_set(struct config *cfg, const struct directive *d, int argc,
	const char *const *argv, const struct config_err *err)
{
	int64_t v = 0;
	int rc = 0;

	if (d->type == DIR_OWN)
		return d->ops->set(cfg, d, argc, argv, err);
	if (argc != 1)
		return config_err_set(
			err, err->at_start ? "takes one value" : "wrong number of arguments");
	switch (d->type) {
	case DIR_BOOL: rc = read_bool(argv[0], &v, err); break;
	case DIR_INT: rc = read_int(d, argv[0], &v, err); break;
	case DIR_MEM: rc = read_size(d, argv[0], &v, err); break;
	case DIR_ENUM: rc = read_enum(d, argv[0], &v, err); break;
	case DIR_OCTAL: rc = read_octal(d, argv[0], &v, err); break;
	case DIR_STR: return set_string(cfg, d, argv[0], err);
	case DIR_OWN: break;
	}
	if (rc == 0)
		config_value_store(cfg, d, v);
	return rc;
}

/* --- printing --------------------------------------------------------------------------------- */

static char *format_num(const char *fmt, int64_t v)
{
	char buf[32];

	snprintf(buf, sizeof(buf), fmt, v);
	return strdup(buf);
}

static const char *enum_text(const struct directive *d, int64_t v)
{
	for (const struct enum_name *n = d->names; n->name; n++)
		if (n->value == v)
			return n->name;
	return "unknown";
}

char *config_value_format(struct config *cfg, const struct directive *d)
{
	char *text = NULL;

	switch (d->type) {
	case DIR_BOOL: return strdup(config_value_num(cfg, d) ? "yes" : "no");
	case DIR_ENUM: return strdup(enum_text(d, config_value_num(cfg, d)));
	case DIR_INT: return format_num("%" PRId64, config_value_num(cfg, d));
	case DIR_MEM: return format_num("%" PRIu64, config_value_num(cfg, d));
	case DIR_OCTAL: return format_num("%" PRIo64, config_value_num(cfg, d));
	case DIR_STR:
		rte_spinlock_lock(&cfg->lock);
		text = strdup(*config_value_str(cfg, d));
		rte_spinlock_unlock(&cfg->lock);
		break;
	case DIR_OWN:
		rte_spinlock_lock(&cfg->lock);
		text = d->ops->format(cfg, d);
		rte_spinlock_unlock(&cfg->lock);
		break;
	}
	return text;
}
