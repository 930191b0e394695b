/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Arguments of commands: words, numbers and glob patterns.
 *
 * Arguments are hostile bytes of any length without a terminator; nothing here reads beyond their
 * length.
 */
#include "app/commands/command.h"

#include "dataplane/resp.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Longest text that is tried as a floating-point number, as in Redis. */
#define LONG_DOUBLE_TEXT_MAX (5 * 1024)

struct slice slice_str(const char *s)
{
	return (struct slice){.ptr = s, .len = strlen(s)};
}

bool arg_is(const struct slice *a, const char *word)
{
	size_t len = strlen(word);

	return a->len == len && strncasecmp(a->ptr, word, len) == 0;
}

bool arg_int(const struct slice *a, int64_t *out)
{
	return resp_int_parse(a->ptr, a->len, out);
}

bool arg_int_reply(struct client *c, const struct slice *a, int64_t *out)
{
	if (arg_int(a, out))
		return true;
	reply_err(c, REPLY_NOT_INT);
	return false;
}

bool arg_int_range_reply(struct client *c, const struct slice *a, int64_t min, int64_t max,
	int64_t *out, const char *err)
{
	int64_t v;

	if (arg_int(a, &v) && v >= min && v <= max) {
		*out = v;
		return true;
	}
	reply_err(c, err ? err : REPLY_NOT_INT);
	return false;
}

bool arg_long_double(const struct slice *a, long double *out)
{
	char text[LONG_DOUBLE_TEXT_MAX];
	char *end;

	if (a->len == 0 || a->len >= sizeof(text) || isspace((unsigned char)a->ptr[0]))
		return false;
	memcpy(text, a->ptr, a->len);
	text[a->len] = '\0';
	errno = 0;
	long double v = strtold(text, &end);

	if ((size_t)(end - text) != a->len || isnan(v))
		return false;
	if (errno == EINVAL || (errno == ERANGE && (isinf(v) || v == 0)))
		return false;
	*out = v;
	return true;
}

bool arg_double(const struct slice *a, double *out)
{
	char small[128], *text = small, *end;

	if (a->len == 0 || isspace((unsigned char)a->ptr[0]))
		return false;
	if (a->len >= sizeof(small)) {
		text = malloc(a->len + 1);
		if (!text)
			return false;
	}
	memcpy(text, a->ptr, a->len);
	text[a->len] = '\0';
	errno = 0;
	*out = strtod(text, &end);
	bool ok = (size_t)(end - text) == a->len && !isnan(*out) &&
		  !(errno == ERANGE && (isinf(*out) || *out == 0));

	if (text != small)
		free(text);
	return ok;
}

bool arg_double_reply(struct client *c, const struct slice *a, double *out, const char *err)
{
	if (arg_double(a, out))
		return true;
	reply_err(c, err ? err : REPLY_NOT_FLOAT);
	return false;
}

size_t format_long_double(char *buf, size_t size, long double v)
{
	if (isinf(v))
		return (size_t)snprintf(buf, size, "%s", v > 0 ? "inf" : "-inf");
	int n = snprintf(buf, size, "%.17Lf", v);

	if (n <= 0 || (size_t)n >= size)
		return 0;
	size_t len = (size_t)n;

	while (buf[len - 1] == '0')
		len--;
	if (buf[len - 1] == '.')
		len--;
	if (len == 2 && buf[0] == '-' && buf[1] == '0') {
		buf[0] = '0';
		len = 1;
	}
	buf[len] = '\0';
	return len;
}

int command_keys_counted(
	const struct slice *argv, uint32_t argc, uint32_t at, uint32_t *pos, uint32_t max)
{
	int64_t nr;

	if (at >= argc || !arg_int(&argv[at], &nr) || nr < 1 || nr > (int64_t)(argc - at - 1))
		return -1;
	for (uint32_t i = 0; i < (uint32_t)nr && i < max; i++)
		pos[i] = at + 1 + i;
	return (int)nr;
}

/* --- glob patterns ---------------------------------------------------------------------------- */

static int fold(signed char ch, bool nocase)
{
	return nocase && ch >= 'A' && ch <= 'Z' ? ch - 'A' + 'a' : ch;
}

/* Tests ch against the class that opens at pat[*pos] == '[' and moves *pos behind it. A class
 * without an end reaches to the end of the pattern. Ranges compare as signed characters and escaped
 * members never fold case: both are Redis'. */
static bool class_match(const char *pat, size_t len, size_t *pos, char ch, bool nocase)
{
	const signed char *p = (const signed char *)pat;
	size_t i = *pos + 1;
	bool negate = i < len && p[i] == '^';
	bool found = false;
	int want = fold((signed char)ch, nocase);

	i += negate;
	while (i < len && p[i] != ']') {
		if (p[i] == '\\' && len - i >= 2) {
			found |= p[i + 1] == (signed char)ch;
			i += 2;
		} else if (len - i >= 3 && p[i + 1] == '-') {
			int a = p[i], b = p[i + 2];
			int lo = fold((signed char)(a < b ? a : b), nocase);
			int hi = fold((signed char)(a < b ? b : a), nocase);

			found |= want >= lo && want <= hi;
			i += 3;
		} else {
			found |= fold(p[i], nocase) == want;
			i++;
		}
	}
	*pos = i < len ? i + 1 : len;
	return found != negate;
}

/* Matches the one element at pat[*pos], which is no star, and moves *pos behind it. */
static bool one_match(const char *pat, size_t len, size_t *pos, char ch, bool nocase)
{
	size_t i = *pos;

	switch (pat[i]) {
	case '?': *pos = i + 1; return true;
	case '[': return class_match(pat, len, pos, ch, nocase);
	case '\\':
		if (len - i >= 2)
			i++;
		break;
	default: break;
	}
	*pos = i + 1;
	return fold((signed char)pat[i], nocase) == fold((signed char)ch, nocase);
}

/* Each element but the star takes exactly one character, so on a mismatch only the last star can
 * take more: no recursion, and at most pat_len * len steps. */
bool glob_match(const char *pat, size_t pat_len, const char *s, size_t len, bool nocase)
{
	size_t p = 0, i = 0;
	size_t star_p = 0, star_i = 0;
	bool star = false;

	while (i < len) {
		if (p < pat_len && pat[p] == '*') {
			star = true;
			star_p = ++p;
			star_i = i;
			if (p == pat_len)
				return true;
			continue;
		}
		if (p < pat_len && one_match(pat, pat_len, &p, s[i], nocase)) {
			i++;
			continue;
		}
		if (!star)
			return false;
		p = star_p;
		i = ++star_i;
	}
	while (p < pat_len && pat[p] == '*')
		p++;
	return p == pat_len;
}
