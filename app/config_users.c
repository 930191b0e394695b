/* SPDX-License-Identifier: BSD-3-Clause
 *
 * `user` lines: kept as words, for whoever knows what they mean.
 */
#include "app/config_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct config_user *config_user(const struct config *cfg, unsigned i)
{
	return i < cfg->state->nr_users ? &cfg->state->users[i] : NULL;
}

void config_set_user_check(struct config *cfg, config_user_check_fn check, void *ctx)
{
	cfg->state->user_check = check;
	cfg->state->user_check_ctx = ctx;
}

static int add(struct config_state *st, int argc, const char *const *argv)
{
	struct config_user *users = reallocarray(st->users, st->nr_users + 1, sizeof(*users));
	struct config_user *u;

	if (!users)
		return -ENOMEM;
	st->users = users;
	u = &users[st->nr_users];
	u->argc = argc;
	u->argv = calloc((size_t)argc + 1, sizeof(*u->argv));
	if (!u->argv)
		return -ENOMEM;
	st->nr_users++;
	for (int i = 0; i < argc; i++) {
		u->argv[i] = strdup(argv[i]);
		if (!u->argv[i])
			return -ENOMEM;
	}
	return 0;
}

int config_user_apply(
	struct config *cfg, int argc, const char *const *argv, const struct config_err *err)
{
	struct config_state *st = cfg->state;
	int rc = 0;

	if (argc < 2)
		return config_err_set(err, "takes a name and rules");
	for (unsigned i = 0; i < st->nr_users; i++)
		if (strcmp(st->users[i].argv[0], argv[1]) == 0)
			return config_err_set(err,
				"Duplicate user found. A user can only be defined once in config "
				"files");
	if (st->user_check)
		rc = st->user_check(st->user_check_ctx, argc - 1, argv + 1, err->buf, err->len);
	return rc ? rc : add(st, argc - 1, argv + 1);
}

void config_users_free(struct config *cfg)
{
	struct config_state *st = cfg->state;

	for (unsigned i = 0; i < st->nr_users; i++) {
		for (int w = 0; w < st->users[i].argc; w++)
			free(st->users[i].argv[w]);
		free(st->users[i].argv);
	}
	free(st->users);
}
