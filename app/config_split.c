/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Words of a configuration line, in redis.conf's quoting.
 *
 * Words are separated by white space. In double quotes, \n \r \t \b \a and \xHH stand for bytes and
 * \ before anything else for that byte; in single quotes only \' does. A closing quote ends its
 * word: white space or the end must follow. A word has no NUL byte: \x00 is refused like a quote
 * that is not closed.
 */
#include "app/config_table.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void config_split_free(char **argv, int argc)
{
	for (int i = 0; argv && i < argc; i++)
		free(argv[i]);
	free(argv);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Reads what follows a backslash at p[0]. Returns the bytes used. */
static size_t read_escape(const char *p, char *out)
{
	static const char from[] = "nrtba", to[] = "\n\r\t\b\a";
	const char *hit;

	if (p[1] == 'x' && hex_digit(p[2]) >= 0 && hex_digit(p[3]) >= 0) {
		*out = (char)(hex_digit(p[2]) * 16 + hex_digit(p[3]));
		return 4;
	}
	hit = strchr(from, p[1]);
	*out = hit ? to[hit - from] : p[1];
	return 2;
}

/* Reads one word at *line, which is not white space, into out (large enough for the rest of the
 * line). Advances *line behind it. False: a quote is not closed, or something clings to it. */
static bool read_word(const char **line, char *out)
{
	const char *p = *line;
	char quote = '\0';

	while (*p && (quote || !isspace((unsigned char)*p))) {
		if (quote == '"' && *p == '\\' && p[1]) {
			p += read_escape(p, out);
			if (*out++ == '\0')
				return false;
		} else if (quote == '\'' && *p == '\\' && p[1] == '\'') {
			*out++ = '\'';
			p += 2;
		} else if (quote && *p == quote) {
			p++;
			quote = '\0';
			if (*p && !isspace((unsigned char)*p))
				return false;
		} else if (!quote && (*p == '"' || *p == '\'')) {
			quote = *p++;
		} else {
			*out++ = *p++;
		}
	}
	*out = '\0';
	*line = p;
	return quote == '\0';
}

/* Adds a copy of the word to the array. False: no memory. */
static bool push_word(char ***argv, int *argc, const char *word)
{
	char **bigger = reallocarray(*argv, (size_t)*argc + 2, sizeof(**argv));

	if (!bigger)
		return false;
	*argv = bigger;
	bigger[*argc] = strdup(word);
	if (!bigger[*argc])
		return false;
	bigger[++*argc] = NULL;
	return true;
}

char **config_split(const char *line, int *argc)
{
	char **argv = calloc(1, sizeof(*argv));
	char *word = malloc(strlen(line) + 1);
	int n = 0;

	*argc = 0;
	if (!argv || !word)
		goto err_free;
	for (;;) {
		while (isspace((unsigned char)*line))
			line++;
		if (!*line)
			break;
		if (!read_word(&line, word)) {
			*argc = -1;
			goto err_free;
		}
		if (!push_word(&argv, &n, word))
			goto err_free;
	}
	free(word);
	*argc = n;
	return argv;

err_free:
	free(word);
	config_split_free(argv, n);
	return NULL;
}

char **config_split_plain(const char *text, int *argc)
{
	char **argv = calloc(1, sizeof(*argv));
	char *copy = strdup(text), *rest = copy, *word;
	int n = 0;

	*argc = 0;
	if (!argv || !copy)
		goto err_free;
	while (*text && (word = strsep(&rest, " ")))
		if (!push_word(&argv, &n, word))
			goto err_free;
	free(copy);
	*argc = n;
	return argv;

err_free:
	free(copy);
	config_split_free(argv, n);
	return NULL;
}

char *config_quote(const char *word)
{
	size_t len = 0;
	char *text;
	FILE *out;

	if (*word && !strpbrk(word, "\"'\\") && *word != '#') {
		const char *p = word;

		while (isgraph((unsigned char)*p))
			p++;
		if (!*p)
			return strdup(word);
	}
	out = open_memstream(&text, &len);
	if (!out)
		return NULL;
	fputc('"', out);
	for (const char *p = word; *p; p++) {
		if (*p == '"' || *p == '\\')
			fprintf(out, "\\%c", *p);
		else if (isprint((unsigned char)*p))
			fputc(*p, out);
		else
			fprintf(out, "\\x%02x", (unsigned char)*p);
	}
	fputc('"', out);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
