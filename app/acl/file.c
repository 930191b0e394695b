/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/acl/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct loader {
	struct acl *acl;
	const char *path;
	unsigned line;
	struct textbuf *err;
	struct acl_user **users; /* owned, with the references */
	unsigned nr_users;
	bool failed; /* no memory */
};

static bool users_have(const struct loader *l, const char *name)
{
	for (unsigned i = 0; i < l->nr_users; i++)
		if (strcmp(l->users[i]->name, name) == 0)
			return true;
	return false;
}

static struct acl_user *user_add(struct loader *l, const char *name)
{
	struct acl_user **users = reallocarray(l->users, l->nr_users + 1, sizeof(*users));
	bool all = atomic_load_explicit(&l->acl->all_channels, memory_order_relaxed);

	if (!users)
		return NULL;
	l->users = users;
	users[l->nr_users] = acl_user_create(name, strlen(name), all);
	return users[l->nr_users] ? users[l->nr_users++] : NULL;
}

static struct slice trimmed(struct slice s)
{
	while (s.len && strchr("\t\r\n", *s.ptr) && *s.ptr) {
		s.ptr++;
		s.len--;
	}
	while (s.len && strchr("\t\r\n", s.ptr[s.len - 1]) && s.ptr[s.len - 1])
		s.len--;
	return s;
}

/* Tells every command that there is not, but of other errors the first: it may be the cause of the
 * rest. */
static void apply(struct loader *l, struct acl_user *u, const struct acl_rules *rules)
{
	bool all = atomic_load_explicit(&l->acl->all_channels, memory_order_relaxed);
	bool told = false;

	for (unsigned i = 0; i < rules->nr; i++) {
		struct slice rule = trimmed(rules->at[i]);
		enum acl_rule_result rc = acl_rule_apply(&l->acl->catalog, u, &rule, all);

		if (rc == ACL_RULE_UNKNOWN)
			textbuf_addf(l->err, "%s:%u: Error in applying operation '%.*s': %s. ",
				l->path, l->line, (int)rule.len, rule.ptr, acl_rule_text(rc));
		else if (rc != ACL_RULE_OK && !told)
			textbuf_addf(l->err, "%s:%u: %s. ", l->path, l->line, acl_rule_text(rc));
		told |= rc != ACL_RULE_OK && rc != ACL_RULE_UNKNOWN;
	}
}

/* A line cut at single blanks. */
static void load_words(struct loader *l, uint32_t argc, const struct slice *argv)
{
	struct acl_rules rules;
	struct acl_user *u;
	char name[256];
	uint32_t bad;
	int rc;

	if (argc < 2 || argv[0].len != 4 || memcmp(argv[0].ptr, "user", 4) != 0) {
		textbuf_addf(l->err,
			"%s:%u should start with user keyword followed by the username. ", l->path,
			l->line);
		return;
	}
	snprintf(name, sizeof(name), "%.*s", (int)argv[1].len, argv[1].ptr);
	if (!acl_name_valid(&argv[1]) || argv[1].len >= sizeof(name)) {
		textbuf_addf(l->err, "'%s:%u: username '%s' contains invalid characters. ", l->path,
			l->line, name);
		return;
	}
	if (users_have(l, name)) {
		textbuf_addf(
			l->err, "WARNING: Duplicate user '%s' found on line %u. ", name, l->line);
		return;
	}
	u = user_add(l, name);
	rc = u ? acl_rules_merge(&rules, argc - 2, argv + 2, &bad) : -ENOMEM;
	if (rc == -EINVAL)
		textbuf_addf(l->err, "%s:%u: Unmatched parenthesis in selector definition.",
			l->path, l->line);
	else if (rc)
		l->failed = true;
	else
		apply(l, u, &rules);
	if (rc == 0)
		acl_rules_fini(&rules);
}

static void load_line(struct loader *l, char *line)
{
	size_t len = strlen(line);
	struct slice *argv;
	uint32_t argc = 0;
	char *word;

	l->line++;
	line += strspn(line, " \t\r\n");
	for (len = strlen(line); len > 0 && strchr(" \t\r\n", line[len - 1]); len--)
		;
	line[len] = '\0';
	if (len == 0)
		return;
	argv = calloc(len, sizeof(*argv));
	if (!argv) {
		l->failed = true;
		return;
	}
	while ((word = strsep(&line, " ")))
		argv[argc++] = slice_str(word);
	load_words(l, argc, argv);
	free(argv);
}

static void load_stream(struct loader *l, FILE *in)
{
	char *line = NULL;
	size_t cap = 0;

	while (getline(&line, &cap, in) >= 0)
		load_line(l, line);
	free(line);
}

int acl_file_load(struct acl *acl, const char *path, struct textbuf *err)
{
	struct loader l = {.acl = acl, .path = path, .err = err};
	FILE *in = fopen(path, "re");
	int rc = 0;

	if (!in) {
		rc = -errno;
		textbuf_addf(err, "Error loading ACLs, opening file '%s': %s", path, strerror(-rc));
		return rc;
	}
	load_stream(&l, in);
	if (ferror(in)) {
		rc = -EIO;
		textbuf_addf(err, "Error loading ACLs, reading file '%s': %s", path, strerror(EIO));
	}
	fclose(in);
	if (rc == 0 && err->len) {
		rc = -EINVAL;
		textbuf_addf(err,
			"WARNING: ACL errors detected, no change to the previously active ACL "
			"rules was performed");
	}
	if (rc == 0)
		rc = l.failed ? -ENOMEM : acl_replace_all(acl, l.users, l.nr_users);
	if (rc == -ENOMEM)
		textbuf_addf(err, "out of memory");
	if (rc)
		acl_users_put(l.users, l.nr_users);
	else
		free(l.users);
	return rc;
}

bool acl_lines_print(struct textbuf *tb, struct acl *acl)
{
	unsigned nr;
	struct acl_user **users = acl_users(acl, &nr);

	for (unsigned i = 0; i < nr; i++) {
		textbuf_addf(tb, "user %s ", users[i]->name);
		acl_user_print(tb, &acl->catalog, users[i]);
		textbuf_add(tb, "\n", 1);
	}
	acl_users_put(users, nr);
	return users && !tb->failed;
}

/* Writes the open temporary file and makes it durable. */
static int fill(int fd, const struct textbuf *tb)
{
	size_t done = 0;

	while (done < tb->len) {
		ssize_t n = write(fd, tb->buf + done, tb->len - done);

		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return fchmod(fd, 0644) || fsync(fd) ? -errno : 0;
}

static int replace(const char *path, const struct textbuf *tb)
{
	char tmp[PATH_MAX];
	int fd, rc;

	if (snprintf(tmp, sizeof(tmp), "%s.XXXXXX", path) >= (int)sizeof(tmp))
		return -ENAMETOOLONG;
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	rc = fill(fd, tb);
	close(fd);
	if (rc == 0 && rename(tmp, path) != 0)
		rc = -errno;
	if (rc)
		unlink(tmp);
	return rc;
}

int acl_file_save(struct acl *acl, const char *path, struct textbuf *err)
{
	struct textbuf tb;
	int rc;

	textbuf_init(&tb);
	rc = acl_lines_print(&tb, acl) ? replace(path, &tb) : -ENOMEM;
	textbuf_fini(&tb);
	if (rc)
		textbuf_addf(err, "%s", strerror(-rc));
	return rc;
}
