/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reading the configuration at start: file, includes, standard input, command line.
 *
 * Every line is applied as it is read, so the last occurrence of a directive wins. The first line
 * that cannot be applied ends it, with a message that names its place.
 */
#include "app/config_table.h"

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define MAX_INCLUDE_DEPTH 16
#define MAX_WORDS         256 /* in one option of the command line */

struct loader {
	struct config *cfg;
	char *err;
	size_t err_len;
	unsigned depth;
};

static int load_file(struct loader *l, const char *path);

/* Writes the message: place, directive, reason, and the line itself below. */
static int fail_at(struct loader *l, const char *place, unsigned lineno, const char *name,
	const char *reason, const char *line)
{
	size_t len;

	if (lineno)
		snprintf(l->err, l->err_len, "%s:%u: ", place, lineno);
	else
		snprintf(l->err, l->err_len, "%s: ", place);
	len = strlen(l->err);
	snprintf(l->err + len, l->err_len - len, "%s%s%s\n    %s", name, *name ? ": " : "", reason,
		line);
	return -EINVAL;
}

static int out_of_memory(struct loader *l)
{
	snprintf(l->err, l->err_len, "out of memory");
	return -ENOMEM;
}

static bool has_wildcard(const char *pattern)
{
	return strpbrk(pattern, "*?[") != NULL;
}

/* Files that a wildcard matches are read in alphabetical order; that none does is no error. */
static int include(struct loader *l, const char *place, unsigned lineno, int argc, char **argv,
	const char *line)
{
	glob_t files;
	int rc = 0;

	if (argc != 2)
		return fail_at(l, place, lineno, argv[0], "takes one file or pattern", line);
	if (l->depth >= MAX_INCLUDE_DEPTH)
		return fail_at(l, place, lineno, argv[0], "includes are nested too deeply", line);
	l->depth++;
	if (has_wildcard(argv[1]) && glob(argv[1], 0, NULL, &files) == 0) {
		for (size_t i = 0; i < files.gl_pathc && rc == 0; i++)
			rc = load_file(l, files.gl_pathv[i]);
		globfree(&files);
	} else if (!has_wildcard(argv[1])) {
		rc = load_file(l, argv[1]);
	}
	l->depth--;
	return rc;
}

/* Applies the words of one line. line: as the message shows it. */
static int apply(struct loader *l, const char *place, unsigned lineno, int argc, char **argv,
	const char *line)
{
	char reason[CONFIG_ERR_MAX];
	struct config_err e = {reason, sizeof(reason), true};
	int rc;

	if (strcasecmp(argv[0], "include") == 0)
		return include(l, place, lineno, argc, argv, line);
	rc = config_apply(l->cfg, argc, (const char *const *)argv, &e);
	if (rc == -ENOMEM)
		return out_of_memory(l);
	return rc == 0 ? 0 : fail_at(l, place, lineno, argv[0], reason, line);
}

static int load_line(struct loader *l, const char *place, unsigned lineno, char *line)
{
	size_t len = strlen(line);
	char **argv;
	int argc, rc;

	line += strspn(line, " \t\r\n");
	for (len = strlen(line); len > 0 && strchr(" \t\r\n", line[len - 1]); len--)
		;
	line[len] = '\0';
	if (len == 0 || line[0] == '#')
		return 0;
	argv = config_split(line, &argc);
	if (!argv)
		return argc == 0 ? out_of_memory(l)
				 : fail_at(l, place, lineno, "", "a quote is not closed", line);
	rc = argc ? apply(l, place, lineno, argc, argv, line) : 0;
	config_split_free(argv, argc);
	return rc;
}

static int load_stream(struct loader *l, FILE *in, const char *place)
{
	char *line = NULL;
	size_t cap = 0;
	unsigned lineno = 0;
	ssize_t len;
	int rc = 0;

	errno = 0;
	while (rc == 0 && (len = getline(&line, &cap, in)) >= 0) {
		lineno++;
		if (memchr(line, '\0', (size_t)len))
			rc = fail_at(l, place, lineno, "",
				"has a NUL byte: this is no configuration file", "");
		else
			rc = load_line(l, place, lineno, line);
	}
	if (rc == 0 && ferror(in)) {
		rc = -errno;
		snprintf(l->err, l->err_len, "%s: %s", place, strerror(errno));
	}
	free(line);
	return rc;
}

static int load_file(struct loader *l, const char *path)
{
	FILE *in = fopen(path, "re");
	int rc;

	if (!in) {
		rc = -errno;
		snprintf(l->err, l->err_len, "%s: %s", path, strerror(errno));
		return rc;
	}
	rc = load_stream(l, in, path);
	fclose(in);
	return rc;
}

int config_load_line(struct config *cfg, const char *text, char *err, size_t err_len)
{
	struct loader l = {.cfg = cfg, .err = err, .err_len = err_len};
	char *line = strdup(text);
	int rc;

	if (!line)
		return out_of_memory(&l);
	rc = load_line(&l, "line", 1, line);
	free(line);
	return rc;
}

/* --- the command line ------------------------------------------------------------------------- */

static bool is_option(const char *arg)
{
	return arg[0] == '-' && arg[1] == '-';
}

static bool is_stdin(const char *const *argv, int argc, int i)
{
	return strcmp(argv[i], "-") == 0 && (i == 0 || i == argc - 1);
}

/* Applies "name value ..." whose name is argv[*i] behind its dashes, and moves *i behind it. The
 * name's own argument may hold values too ("--port 6380"). The argument right behind a lone name
 * is its value even when it has dashes in front; --save alone, or with another option behind it,
 * means --save "". */
static int load_option(struct loader *l, int argc, char **argv, int *i)
{
	char *words[MAX_WORDS + 1], shown[256];
	int nr_own, nr = 0, rc;
	char **own = config_split(argv[*i] + 2, &nr_own);

	if (!own)
		return nr_own == 0 ? out_of_memory(l)
				   : fail_at(l, "command line", 0, "", "a quote is not closed",
					     argv[*i]);
	snprintf(shown, sizeof(shown), "%s", argv[(*i)++]);
	if (nr_own == 0 || nr_own > MAX_WORDS / 2) {
		config_split_free(own, nr_own);
		return fail_at(l, "command line", 0, "", "an option needs a name", shown);
	}
	for (; nr < nr_own; nr++)
		words[nr] = own[nr];
	if (nr == 1 && strcasecmp(words[0], "save") == 0 && (*i == argc || is_option(argv[*i])))
		words[nr++] = (char *)"";
	while (*i < argc && nr < MAX_WORDS && (nr == 1 || !is_option(argv[*i])) &&
		!is_stdin((const char *const *)argv, argc, *i)) {
		size_t len = strlen(shown);

		snprintf(shown + len, sizeof(shown) - len, " %s", argv[*i]);
		words[nr++] = argv[(*i)++];
	}
	words[nr] = NULL;
	rc = apply(l, "command line", 0, nr, words, shown);
	config_split_free(own, nr_own);
	return rc;
}

static int load_options(struct loader *l, int argc, char **argv, int first)
{
	int rc = 0;

	for (int i = first; i < argc && rc == 0;) {
		if (is_stdin((const char *const *)argv, argc, i))
			i++;
		else if (is_option(argv[i]))
			rc = load_option(l, argc, argv, &i);
		else
			rc = fail_at(l, "command line", 0, argv[i],
				"options are --name value; a file comes first", argv[i]);
	}
	return rc;
}

/* --- what only the whole can tell ------------------------------------------------------------- */

static int check_whole(struct loader *l)
{
	const struct config *cfg = l->cfg;
	const char *text = NULL;

	if (cfg->nr_nic_addresses > cfg->nr_nics)
		text = "nic-address: there are more addresses than nic directives";
	else if (cfg->nr_nic_gateways > cfg->nr_nics)
		text = "nic-gateway: there are more gateways than nic directives";
	else if (cfg->nr_nic_vlans > cfg->nr_nics)
		text = "nic-vlan: there are more VLANs than nic directives";
	else if (cfg->nr_nic_mtus > cfg->nr_nics)
		text = "nic-mtu: there are more MTUs than nic directives";
	else if (cfg->nr_nics > cfg->nr_nic_addresses)
		text = "nic: each nic needs a nic-address, in the same order";
	if (!text)
		return 0;
	snprintf(l->err, l->err_len, "%s", text);
	return -EINVAL;
}

static bool reads_stdin(int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		if (is_stdin((const char *const *)argv, argc, i))
			return true;
	return false;
}

/* The file's path from the root: the working directory may change later. */
static int absolute_path(struct loader *l, const char *path, char *buf, size_t size)
{
	char cwd[PATH_MAX] = "";
	int len;

	if (path[0] != '/' && !getcwd(cwd, sizeof(cwd))) {
		snprintf(l->err, l->err_len, "getcwd: %s", strerror(errno));
		return -EINVAL;
	}
	len = snprintf(buf, size, "%s%s%s", cwd, *cwd ? "/" : "", path);
	if (len >= 0 && (size_t)len < size)
		return 0;
	buf[0] = '\0';
	snprintf(l->err, l->err_len, "%s: %s", path, strerror(ENAMETOOLONG));
	return -ENAMETOOLONG;
}

int config_load(struct config *cfg, int argc, char **argv, char *config_file,
	size_t config_file_len, char *err, size_t err_len)
{
	struct loader l = {.cfg = cfg, .err = err, .err_len = err_len};
	bool has_file = argc > 0 && argv[0][0] != '-';
	int rc = 0;

	err[0] = '\0';
	config_file[0] = '\0';
	if (has_file) {
		rc = absolute_path(&l, argv[0], config_file, config_file_len);
		if (rc == 0)
			rc = load_file(&l, argv[0]);
	}
	if (rc == 0 && reads_stdin(argc, argv))
		rc = load_stream(&l, stdin, "standard input");
	if (rc == 0)
		rc = load_options(&l, argc, argv, has_file ? 1 : 0);
	return rc == 0 ? check_whole(&l) : rc;
}
