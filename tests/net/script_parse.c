/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Scripts from text: see script.h for the language.
 */
#include "tests/net/script.h"

#include "dataplane/timer.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	uint8_t bit;
} flag_names[] = {
	{"FIN", TCP_FIN},
	{"SYN", TCP_SYN},
	{"RST", TCP_RST},
	{"PSH", TCP_PSH},
	{"ACK", TCP_ACK},
	{"URG", TCP_URG},
	{"ECE", 0x40},
	{"CWR", 0x80},
};

bool script_number(const char *word, uint32_t *value)
{
	char *end;
	const int64_t n = strtoll(word, &end, 0);

	*value = (uint32_t)n;
	return end != word && !*end && n >= INT32_MIN && n <= UINT32_MAX;
}

bool script_time(const char *word, uint64_t *us)
{
	char *unit;
	const double n = strtod(word, &unit);
	double scale;

	if (unit == word || n < 0)
		return false;
	if (strcmp(unit, "us") == 0)
		scale = 1;
	else if (strcmp(unit, "ms") == 0)
		scale = 1000;
	else if (strcmp(unit, "s") == 0)
		scale = 1000000;
	else if (n == 0 && !*unit)
		scale = 0;
	else
		return false;
	*us = (uint64_t)(n * scale + 0.5);
	return true;
}

/* "+200ms~5ms" */
static bool event_time(char *word, struct script_line *line)
{
	char *tilde = strchr(word, '~');

	if (*word != '+')
		return false;
	if (tilde) {
		*tilde++ = '\0';
		line->slack_us = SCRIPT_SLACK_US;
		if (*tilde && !script_time(tilde, &line->slack_us))
			return false;
	}
	return script_time(word + 1, &line->wait_us);
}

static bool flags_parse(char *word, uint8_t *flags)
{
	char *save = NULL;

	*flags = 0;
	if (strcmp(word, "-") == 0)
		return true;
	for (char *f = strtok_r(word, "+", &save); f; f = strtok_r(NULL, "+", &save)) {
		const uint8_t before = *flags;

		for (size_t i = 0; i < sizeof(flag_names) / sizeof(flag_names[0]); i++) {
			if (strcmp(f, flag_names[i].name) == 0)
				*flags |= flag_names[i].bit;
		}
		if (*flags == before)
			return false;
	}
	return true;
}

/* "A" or "A..B" */
static bool range_parse(char *word, uint32_t *start, uint32_t *end)
{
	char *dots = strstr(word, "..");

	if (dots)
		*dots = '\0';
	if (!script_number(word, start))
		return false;
	*end = *start;
	return !dots || script_number(dots + 2, end);
}

static bool ts_part(const char *word, enum script_ts *kind, uint32_t *value)
{
	*kind = strcmp(word, "*") == 0     ? SCRIPT_TS_ANY
		: strcmp(word, "now") == 0 ? SCRIPT_TS_NOW
					   : SCRIPT_TS_VALUE;
	return *kind != SCRIPT_TS_VALUE || script_number(word, value);
}

static bool ts_parse(char *word, struct script_seg *seg)
{
	char *slash = strchr(word, '/');

	if (!slash)
		return false;
	*slash++ = '\0';
	seg->opts.has_ts = true;
	if (!ts_part(word, &seg->tsval, &seg->opts.tsval))
		return false;
	seg->is_echo_last = strcmp(slash, "last") == 0;
	return seg->is_echo_last || ts_part(slash, &seg->tsecr, &seg->opts.tsecr);
}

static bool raw_parse(const char *word, struct script_seg *seg)
{
	for (; isxdigit(word[0]) && isxdigit(word[1]); word += 2) {
		const char pair[3] = {word[0], word[1]};

		if (seg->raw_len == sizeof(seg->raw))
			return false;
		seg->raw[seg->raw_len++] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return !*word && seg->raw_len && seg->raw_len % 4 == 0;
}

static bool is_range(const char *word)
{
	return strstr(word, "..") != NULL;
}

/* Words that stand alone. */
static bool seg_flag_word(const char *word, struct script_seg *seg)
{
	if (strcmp(word, "sackok") == 0)
		seg->opts.has_sack_ok = true;
	else if (strcmp(word, "ect0") == 0)
		seg->ecn = 2;
	else if (strcmp(word, "ect1") == 0)
		seg->ecn = 1;
	else if (strcmp(word, "ce") == 0)
		seg->ecn = 3;
	else if (strcmp(word, "junk") == 0)
		seg->is_junk = true;
	else if (strcmp(word, "badsum") == 0)
		seg->is_badsum = true;
	else
		return false;
	return true;
}

/* A word and its value. */
static bool seg_value_word(const char *word, char *value, struct script_seg *seg)
{
	uint32_t n = 0;

	if (strcmp(word, "ts") == 0)
		return ts_parse(value, seg);
	if (strcmp(word, "raw") == 0)
		return raw_parse(value, seg);
	if (strcmp(word, "wnd") == 0 && strcmp(value, "*") == 0) {
		seg->is_any_wnd = seg->has_wnd = true;
		return true;
	}
	if (!script_number(value, &n))
		return false;
	if (strcmp(word, "ack") == 0) {
		seg->ack = n;
		return seg->flags & TCP_ACK;
	}
	if (strcmp(word, "wnd") == 0) {
		seg->has_wnd = true;
		seg->wnd = n;
	} else if (strcmp(word, "mss") == 0) {
		seg->opts.has_mss = true;
		seg->opts.mss = (uint16_t)n;
	} else if (strcmp(word, "ws") == 0) {
		seg->opts.has_wscale = true;
		seg->opts.wscale = (uint8_t)n;
	} else if (strcmp(word, "urg") == 0) {
		seg->urg = (uint16_t)n;
	} else if (strcmp(word, "port") == 0) {
		seg->port = (uint16_t)n;
	} else {
		return false;
	}
	return n <= 65535;
}

static bool seg_parse(struct script_line *line)
{
	struct script_seg *seg = &line->seg;
	uint32_t i = 2;
	bool has_ack = false;

	if (line->nr_words < 2 || !flags_parse(line->words[0], &seg->flags) ||
		!range_parse(line->words[1], &seg->seq, &seg->end))
		return false;
	while (i < line->nr_words) {
		char *word = line->words[i++];

		if (strcmp(word, "sack") == 0) {
			while (i < line->nr_words && is_range(line->words[i])) {
				struct tcp_range *r = &seg->opts.sacks[seg->opts.nr_sacks++];

				if (seg->opts.nr_sacks > TCP_MAX_SACKS ||
					!range_parse(line->words[i++], &r->start, &r->end))
					return false;
			}
			if (!seg->opts.nr_sacks)
				return false;
			continue;
		}
		has_ack = has_ack || strcmp(word, "ack") == 0;
		if (strcmp(word, "by") == 0) {
			if (i == line->nr_words || !script_number(line->words[i++], &line->by) ||
				!line->by)
				return false;
			continue;
		}
		if (seg_flag_word(word, seg))
			continue;
		if (i == line->nr_words || !seg_value_word(word, line->words[i++], seg))
			return false;
	}
	line->has_seg = true;
	return has_ack == !!(seg->flags & TCP_ACK);
}

static bool who_parse(char *word, struct script_line *line)
{
	static const char *const names[] = {
		[SCRIPT_SET] = "set",
		[SCRIPT_PEER] = "peer",
		[SCRIPT_STACK] = "stack",
		[SCRIPT_APP] = "app",
		[SCRIPT_UP] = "up",
		[SCRIPT_IS] = "is",
		[SCRIPT_CONN] = "conn",
		[SCRIPT_ISN] = "isn",
	};
	const size_t len = strlen(word);

	if (len && word[len - 1] == '+') {
		word[len - 1] = '\0';
		line->is_burst = true;
	}
	for (uint32_t i = SCRIPT_PEER; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(word, names[i]) == 0) {
			line->who = i;
			return !line->is_burst || i == SCRIPT_PEER || i == SCRIPT_APP;
		}
	}
	return false;
}

static struct script_line *line_add(struct script *s)
{
	if (s->nr_lines == s->max_lines) {
		s->max_lines = s->max_lines ? s->max_lines * 2 : 64;
		s->lines = realloc(s->lines, s->max_lines * sizeof(*s->lines));
		if (!s->lines)
			abort();
	}
	memset(&s->lines[s->nr_lines], 0, sizeof(*s->lines));
	return &s->lines[s->nr_lines++];
}

/* Makes of the last line, which is a train, a line for each of its segments. */
static void train_cut(struct script *s)
{
	for (;;) {
		struct script_line *line = &s->lines[s->nr_lines - 1];
		struct script_line rest = *line;

		if (line->seg.end - line->seg.seq <= line->by)
			return;
		line->seg.end = rest.seg.seq = line->seg.seq + line->by;
		line->seg.flags &= (uint8_t) ~(TCP_FIN | TCP_PSH);
		rest.wait_us = rest.slack_us = 0;
		*line_add(s) = rest;
	}
}

/* Words of one line, from its text. */
static bool line_parse(struct script_line *line, char *text)
{
	char *save = NULL;
	char *word = strtok_r(text, " \t", &save);

	if (strcmp(word, "set") != 0) {
		if (!event_time(word, line))
			return false;
		word = strtok_r(NULL, " \t", &save);
		if (!word || !who_parse(word, line))
			return false;
	}
	while ((word = strtok_r(NULL, " \t", &save))) {
		if (line->nr_words == SCRIPT_WORDS_MAX)
			return false;
		line->words[line->nr_words++] = word;
	}
	if (!line->nr_words)
		return false;
	if (line->slack_us && line->who != SCRIPT_STACK && line->who != SCRIPT_UP)
		return false;
	if (line->who == SCRIPT_STACK)
		return seg_parse(line);
	if (line->who == SCRIPT_PEER && strcmp(line->words[0], "icmp") != 0)
		return seg_parse(line);
	return true;
}

static char *file_read(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = NULL;
	size_t size = 0;

	if (!f)
		return NULL;
	if (getdelim(&text, &size, '\0', f) < 0) {
		free(text);
		text = NULL;
	}
	fclose(f);
	return text;
}

static bool text_load(struct script *s, const char *path, char *why);

/* path/x.seg includes path/../file */
static bool include(struct script *s, const char *path, const char *file, char *why)
{
	const char *slash = strrchr(path, '/');
	char inner[512];

	snprintf(inner, sizeof(inner), "%.*s/../%s", slash ? (int)(slash - path) : 1,
		slash ? path : ".", file);
	return text_load(s, inner, why);
}

static bool text_load(struct script *s, const char *path, char *why)
{
	char *text = s->nr_texts < 16 ? file_read(path) : NULL;
	uint32_t nr = 0;
	char *next;

	if (!text) {
		snprintf(why, SCRIPT_WHY_BYTES, "%s: cannot be read", path);
		return false;
	}
	s->files[s->nr_texts] = strdup(strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
	s->texts[s->nr_texts++] = text;
	const char *file = s->files[s->nr_texts - 1];
	for (char *at = text; at; at = next) {
		char *hash;

		nr++;
		next = strchr(at, '\n');
		if (next)
			*next++ = '\0';
		hash = strchr(at, '#');
		if (hash)
			*hash = '\0';
		at += strspn(at, " \t");
		if (!*at)
			continue;
		if (strncmp(at, "include ", 8) == 0) {
			if (!include(s, path, at + 8, why))
				return false;
			continue;
		}
		struct script_line *line = line_add(s);
		line->file = file;
		line->nr = nr;
		if (!line_parse(line, at)) {
			snprintf(why, SCRIPT_WHY_BYTES, "%s:%u: cannot be understood", file, nr);
			return false;
		}
		if (line->by)
			train_cut(s);
	}
	return true;
}

bool script_load(struct script *s, const char *path, char *why)
{
	const char *slash = strrchr(path, '/');

	memset(s, 0, sizeof(*s));
	snprintf(s->name, sizeof(s->name), "%s", slash ? slash + 1 : path);
	return text_load(s, path, why);
}

void script_free(struct script *s)
{
	for (uint32_t i = 0; i < s->nr_texts; i++) {
		free(s->texts[i]);
		free(s->files[i]);
	}
	free(s->lines);
	memset(s, 0, sizeof(*s));
}
