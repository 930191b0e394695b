/* SPDX-License-Identifier: BSD-3-Clause
 *
 * CONFIG REWRITE: the file follows the values in force, and stays the operator's otherwise.
 *
 * The file is read into a second configuration, includes followed. A directive whose value there
 * equals the one in force keeps its lines as they are. For any other, the first line is rewritten
 * and further ones go; where there is no line, or an include behind it would win, the value is
 * appended. The new file takes the old one's place by rename, after fsync, so a crash leaves one or
 * the other.
 */
#include "app/config_table.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

static const char marker[] = "# Appended by CONFIG REWRITE:";

struct rewrite {
	struct config *cfg;
	struct config *file;           /* what the file says */
	char **lines;                  /* owned, without line ends */
	const struct directive **dirs; /* of each line; NULL: a comment, an include ... */
	unsigned nr_lines;
	unsigned nr_until_include; /* lines up to the last include */
	bool *stale;               /* per directive: the file's value is not the one in force */
	bool *done;                /* per directive: written */
	bool *users;               /* per line: it is a `user` line that is written anew */
	char *user_lines;          /* owned: what comes in their place; NULL: they stay */
	bool marked;               /* the marker line is there */
	struct stat st;            /* of the old file */
	bool exists;
};

/* --- reading the old file --------------------------------------------------------------------- */

static int add_line(struct rewrite *r, const char *text)
{
	char **lines = reallocarray(r->lines, r->nr_lines + 1, sizeof(*lines));
	const struct directive **dirs;
	char reason[CONFIG_ERR_MAX];
	char **words;
	bool *users;
	int nr;

	if (!lines)
		return -ENOMEM;
	r->lines = lines;
	dirs = reallocarray(r->dirs, r->nr_lines + 1, sizeof(*dirs));
	if (!dirs)
		return -ENOMEM;
	r->dirs = dirs;
	users = reallocarray(r->users, r->nr_lines + 1, sizeof(*users));
	if (!users)
		return -ENOMEM;
	r->users = users;
	r->users[r->nr_lines] = false;
	r->lines[r->nr_lines] = strdup(text);
	if (!r->lines[r->nr_lines])
		return -ENOMEM;
	r->dirs[r->nr_lines++] = NULL;
	if (strcmp(text, marker) == 0)
		r->marked = true;
	if (text[strspn(text, " \t\r\n")] == '#')
		return 0;
	words = config_split(text, &nr);
	if (words && nr > 0) {
		r->dirs[r->nr_lines - 1] = config_find(words[0]);
		r->users[r->nr_lines - 1] = r->user_lines && strcasecmp(words[0], "user") == 0;
		if (strcasecmp(words[0], "include") == 0)
			r->nr_until_include = r->nr_lines;
	}
	config_split_free(words, nr);
	/* A line that cannot be read any more is kept: the next start will say so. */
	config_load_line(r->file, text, reason, sizeof(reason));
	return 0;
}

static int read_old(struct rewrite *r, const char *path)
{
	FILE *in = fopen(path, "re");
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;
	int rc = 0;

	if (!in)
		return errno == ENOENT ? 0 : -errno;
	r->exists = fstat(fileno(in), &r->st) == 0;
	while (rc == 0 && (len = getline(&line, &cap, in)) >= 0) {
		if (len > 0 && line[len - 1] == '\n')
			line[len - 1] = '\0';
		rc = add_line(r, line);
	}
	if (rc == 0 && ferror(in))
		rc = -EIO;
	free(line);
	fclose(in);
	return rc;
}

static int find_stale(struct rewrite *r)
{
	for (const struct directive *d = config_directives; d->name; d++) {
		char *want = config_value_format(r->cfg, d);
		char *have = config_value_format(r->file, d);
		bool known = want && have;

		if (known)
			r->stale[config_index(d)] = strcmp(want, have) != 0;
		free(want);
		free(have);
		if (!known)
			return -ENOMEM;
	}
	return 0;
}

/* --- writing the new one ---------------------------------------------------------------------- */

static int print_words(FILE *out, const char *name, char *const *words, int nr)
{
	fputs(name, out);
	if (nr == 0)
		fputs(" \"\"", out);
	for (int i = 0; i < nr; i++) {
		char *quoted = config_quote(words[i]);

		if (!quoted)
			return -ENOMEM;
		fprintf(out, " %s", quoted);
		free(quoted);
	}
	fputc('\n', out);
	return 0;
}

static void print_size(FILE *out, const char *name, uint64_t bytes)
{
	static const char *const units[] = {"", "kb", "mb", "gb"};
	int unit = 0;

	while (unit < 3 && bytes > 0 && bytes % 1024 == 0) {
		bytes /= 1024;
		unit++;
	}
	fprintf(out, "%s %" PRIu64 "%s\n", name, bytes, units[unit]);
}

/* The words of a value that is a list. */
static int print_list(FILE *out, const struct directive *d, const char *value)
{
	int nr, rc = 0;
	char **words = config_split_plain(value, &nr);

	if (!words)
		return -ENOMEM;
	if (d->flags & DIR_WORDS)
		rc = print_words(out, d->name, words, nr);
	else /* one a line */
		for (int i = 0; i < nr && rc == 0; i++)
			rc = print_words(out, d->name, &words[i], 1);
	config_split_free(words, nr);
	return rc;
}

static int print_directive(struct rewrite *r, FILE *out, const struct directive *d)
{
	char *value = config_value_format(r->cfg, d);
	int rc = 0;

	r->done[config_index(d)] = true;
	if (!value)
		return -ENOMEM;
	if (d->ops == &config_replicaof_ops && !*value)
		rc = 0; /* a master: no line */
	else if (d->type == DIR_MEM)
		print_size(out, d->name, (uint64_t)config_value_num(r->cfg, d));
	else if (d->flags & (DIR_WORDS | DIR_REPEATS))
		rc = print_list(out, d, value);
	else
		rc = print_words(out, d->name, &value, 1);
	free(value);
	return rc;
}

static void print_marker(struct rewrite *r, FILE *out)
{
	if (!r->marked)
		fprintf(out, "%s\n", marker);
	r->marked = true;
}

/* All users, once. */
static int print_users(struct rewrite *r, FILE *out)
{
	char *line, *next = r->user_lines;
	int rc = 0;

	while (rc == 0 && (line = strsep(&next, "\n"))) {
		int nr;
		char **words = config_split_plain(line, &nr);

		if (!words)
			return -ENOMEM;
		if (nr > 0)
			rc = print_words(out, words[0], words + 1, nr - 1);
		config_split_free(words, nr);
	}
	r->user_lines[0] = '\0';
	return rc;
}

static int print_all(struct rewrite *r, FILE *out)
{
	int rc = 0;

	for (unsigned i = 0; i < r->nr_lines && rc == 0; i++) {
		const struct directive *d = r->dirs[i];

		if (r->users[i])
			rc = print_users(r, out);
		else if (!d || !r->stale[config_index(d)])
			fprintf(out, "%s\n", r->lines[i]);
		else if (!r->done[config_index(d)] && i >= r->nr_until_include)
			rc = print_directive(r, out, d);
	}
	for (const struct directive *d = config_directives; d->name && rc == 0; d++) {
		if (!r->stale[config_index(d)] || r->done[config_index(d)])
			continue;
		print_marker(r, out);
		rc = print_directive(r, out, d);
	}
	if (rc == 0 && r->user_lines && r->user_lines[0]) {
		print_marker(r, out);
		rc = print_users(r, out);
	}
	return rc;
}

/* --- taking the old one's place --------------------------------------------------------------- */

static int sync_folder(const char *path)
{
	char folder[PATH_MAX];
	char *slash;
	FILE *f;
	int rc;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (!slash)
		strcpy(folder, ".");
	else
		slash[slash == folder ? 1 : 0] = '\0';
	f = fopen(folder, "re");
	if (!f)
		return -errno;
	rc = fsync(fileno(f)) == 0 ? 0 : -errno;
	fclose(f);
	return rc;
}

/* Writes the open temporary file and makes it durable. Closes fd. */
static int fill(struct rewrite *r, int fd)
{
	FILE *out = fdopen(fd, "w");
	int rc;

	if (!out) {
		rc = -errno;
		close(fd);
		return rc;
	}
	rc = print_all(r, out);
	if (rc == 0 && (fflush(out) != 0 || ferror(out)))
		rc = -EIO;
	if (rc == 0 && fchmod(fd, r->exists ? r->st.st_mode & 0777 : 0644) != 0)
		rc = -errno;
	if (rc == 0 && r->exists && fchown(fd, r->st.st_uid, r->st.st_gid) != 0 && errno != EPERM)
		rc = -errno;
	if (rc == 0 && fsync(fd) != 0)
		rc = -errno;
	fclose(out);
	return rc;
}

static int replace(struct rewrite *r, const char *path)
{
	char tmp[PATH_MAX];
	int fd, rc;

	if (snprintf(tmp, sizeof(tmp), "%s.XXXXXX", path) >= (int)sizeof(tmp))
		return -ENAMETOOLONG;
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	rc = fill(r, fd);
	if (rc == 0 && rename(tmp, path) != 0)
		rc = -errno;
	if (rc != 0) {
		unlink(tmp);
		return rc;
	}
	return sync_folder(path);
}

static int rewrite(struct rewrite *r, const char *path)
{
	char real[PATH_MAX];
	int rc;

	const struct config_hooks *hooks = &r->cfg->state->hooks;

	if (realpath(path, real)) /* a link stays one */
		path = real;
	if (hooks->user_lines) {
		r->user_lines = hooks->user_lines(hooks->ctx);
		if (!r->user_lines)
			return -ENOMEM;
	}
	r->file = config_create_dry();
	r->stale = calloc(config_nr_directives, sizeof(*r->stale));
	r->done = calloc(config_nr_directives, sizeof(*r->done));
	if (!r->file || !r->stale || !r->done)
		return -ENOMEM;
	rc = read_old(r, path);
	if (rc == 0)
		rc = find_stale(r);
	return rc == 0 ? replace(r, path) : rc;
}

int config_rewrite(struct config *cfg, const char *path, char *err, size_t err_len)
{
	struct rewrite r = {.cfg = cfg};
	int rc = rewrite(&r, path);

	if (rc != 0)
		snprintf(err, err_len, "%s", strerror(-rc));
	for (unsigned i = 0; i < r.nr_lines; i++)
		free(r.lines[i]);
	free(r.lines);
	free(r.users);
	free(r.user_lines);
	free(r.dirs);
	free(r.stale);
	free(r.done);
	config_destroy(&r.file);
	return rc;
}
