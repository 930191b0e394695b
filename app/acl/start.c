/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/acl/start.h"

#include "app/acl/file.h"
#include "app/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEVEL_NOTICE 2

/* Words as slices; owned. NULL: no memory. */
static struct slice *slices(int argc, const char *const *argv)
{
	struct slice *s = calloc((size_t)argc + 1, sizeof(*s));

	for (int i = 0; s && i < argc; i++)
		s[i] = slice_str(argv[i]);
	return s;
}

/* In a table that is thrown away. */
static int check(void *ctx, int argc, const char *const *argv, char *err, size_t err_len)
{
	struct acl *trial = acl_create();
	struct slice *words = slices(argc, argv);
	struct textbuf why;
	int rc = -ENOMEM;

	textbuf_init(&why);
	if (trial && words && !acl_name_valid(&words[0])) {
		textbuf_addf(&why, "Spaces not allowed in ACL usernames");
		rc = -EINVAL;
	} else if (trial && words) {
		struct slice name = words[0];

		words[0] = slice_str("reset"); /* of what "default" may do anyway */
		rc = acl_set(trial, &name, (uint32_t)argc, words, &why);
	}
	snprintf(err, err_len, "%s", textbuf_str(&why));
	textbuf_fini(&why);
	free(words);
	acl_destroy(&trial);
	return rc;
}

int acl_setup(struct server *srv)
{
	srv->acl = acl_create();
	if (!srv->acl)
		return -ENOMEM;
	config_set_user_check(srv->cfg, check, srv);
	return 0;
}

void acl_teardown(struct server *srv)
{
	acl_destroy(&srv->acl);
}

static void tell_if_disabled(struct server *srv, const char *name)
{
	struct acl_user *u = acl_find(srv->acl, name, strlen(name));

	if (u && !u->enabled)
		server_log(srv, LEVEL_NOTICE,
			"acl: user=%s is disabled: there is no 'on' among its rules", name);
	acl_user_put(u);
}

/* What a line says is all that the user is: also of "default", which is there already. */
static int line_apply(struct server *srv, const struct config_user *u, char *err, size_t err_len)
{
	struct slice *words = slices(u->argc, (const char *const *)u->argv);
	struct slice name = slice_str(u->argv[0]);
	struct textbuf why;
	int rc = -ENOMEM;

	textbuf_init(&why);
	if (words && name.len == 7 && memcmp(name.ptr, "default", 7) == 0) {
		words[0] = slice_str("reset");
		rc = acl_set(srv->acl, &name, (uint32_t)u->argc, words, &why);
	} else if (words) {
		rc = acl_set(srv->acl, &name, (uint32_t)u->argc - 1, words + 1, &why);
	}
	if (rc)
		snprintf(err, err_len, "user %s: %s", u->argv[0], textbuf_str(&why));
	else
		tell_if_disabled(srv, u->argv[0]);
	textbuf_fini(&why);
	free(words);
	return rc;
}

static int file_apply(struct server *srv, char *err, size_t err_len)
{
	struct textbuf why;
	int rc;

	textbuf_init(&why);
	rc = acl_file_load(srv->acl, srv->cfg->aclfile, &why);
	if (rc)
		snprintf(err, err_len, "aclfile: %s", textbuf_str(&why));
	textbuf_fini(&why);
	return rc;
}

int acl_start(struct server *srv, char *err, size_t err_len)
{
	struct config *cfg = srv->cfg;
	const struct config_user *u;
	bool has_file = cfg->aclfile && cfg->aclfile[0];
	int rc;

	atomic_store(&srv->acl->all_channels, atomic_load(&cfg->acl_pubsub_default) == 0);
	if (has_file && config_user(cfg, 0)) {
		snprintf(err, err_len,
			"aclfile: there are user lines in the configuration too; users are defined "
			"in one of both");
		return -EINVAL;
	}
	rc = acl_default_password(srv->acl, cfg->requirepass);
	for (unsigned i = 0; rc == 0 && (u = config_user(cfg, i)); i++)
		rc = line_apply(srv, u, err, err_len);
	return rc == 0 && has_file ? file_apply(srv, err, err_len) : rc;
}

char *acl_config_lines(void *ctx)
{
	struct server *srv = ctx;
	struct textbuf tb;
	char *text = NULL;

	if (srv->cfg->aclfile && srv->cfg->aclfile[0])
		return strdup("");
	textbuf_init(&tb);
	if (acl_lines_print(&tb, srv->acl))
		text = strdup(textbuf_str(&tb));
	textbuf_fini(&tb);
	return text;
}
