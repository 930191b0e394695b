/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The configuration as a whole: made with defaults, changed at start and by CONFIG SET, read by
 * name.
 *
 * CONFIG SET of several directives is all or nothing: the old values are kept as text until every
 * new one is in place and the hooks agreed; otherwise they are read back. One such change at a time
 * (set_lock).
 */
#include "app/config.h"

#include "app/config_table.h"
#include "checks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define WARNING_MAX 256

const struct directive *config_find(const char *name)
{
	for (const struct directive *d = config_directives; d->name; d++)
		if (strcasecmp(d->name, name) == 0 || (d->alias && strcasecmp(d->alias, name) == 0))
			return d;
	return NULL;
}

bool config_known(const char *name, bool *immutable)
{
	const struct directive *d = config_find(name);

	if (d && immutable)
		*immutable = (d->flags & (DIR_IMMUTABLE | DIR_STARTUP)) != 0;
	return d != NULL;
}

/* --- made and unmade -------------------------------------------------------------------------- */

static bool holds_string(const struct directive *d)
{
	return d->type == DIR_STR || (d->type == DIR_OWN && d->ops->text);
}

static int set_default(struct config *cfg, const struct directive *d)
{
	char buf[CONFIG_ERR_MAX];
	struct config_err err = {buf, sizeof(buf), true};
	int argc, rc;
	char **argv;

	if (d->ops == &config_list_ops) /* empty already */
		return 0;
	if (!(d->flags & DIR_WORDS))
		return config_value_set(cfg, d, 1, &d->def, &err);
	argv = config_split(d->def, &argc);
	if (!argv)
		return -ENOMEM;
	rc = config_value_set(cfg, d, argc, (const char *const *)argv, &err);
	config_split_free(argv, argc);
	return rc;
}

static struct config *create(bool dry)
{
	struct config *cfg = calloc(1, sizeof(*cfg));

	if (!cfg)
		return NULL;
	rte_spinlock_init(&cfg->lock);
	cfg->state = calloc(1, sizeof(*cfg->state));
	cfg->replicaof_host = strdup("");
	if (!cfg->state || !cfg->replicaof_host)
		goto err_destroy;
	rte_spinlock_init(&cfg->state->set_lock);
	cfg->state->dry = dry;
	cfg->state->cells = calloc(config_nr_directives, sizeof(*cfg->state->cells));
	cfg->state->given = calloc(config_nr_directives, sizeof(*cfg->state->given));
	if (!cfg->state->cells || !cfg->state->given)
		goto err_destroy;
	for (const struct directive *d = config_directives; d->name; d++) {
		int rc = set_default(cfg, d);

		BUG_ON(rc == -EINVAL &&
			strcmp(d->name, "dir") != 0); /* a default that its own range refuses */
		if (rc != 0)
			goto err_destroy;
	}
	cfg->state->save_seen = false;
	return cfg;

err_destroy:
	config_destroy(&cfg);
	return NULL;
}

struct config *config_create(void)
{
	return create(false);
}

struct config *config_create_dry(void)
{
	return create(true);
}

void config_destroy(struct config **cfgp)
{
	struct config *cfg = *cfgp;

	*cfgp = NULL;
	if (!cfg)
		return;
	if (cfg->state && cfg->state->cells) {
		for (const struct directive *d = config_directives; d->name; d++)
			if (holds_string(d))
				free(*config_value_str(cfg, d));
	}
	for (unsigned i = 0; i < cfg->nr_bind; i++)
		free(cfg->bind[i]);
	for (unsigned i = 0; i < cfg->nr_nics; i++)
		free(cfg->nic[i]);
	for (unsigned i = 0; i < cfg->nr_nic_addresses; i++)
		free(cfg->nic_address[i]);
	for (unsigned i = 0; i < cfg->nr_nic_gateways; i++)
		free(cfg->nic_gateway[i]);
	for (unsigned i = 0; i < cfg->nr_nic_vlans; i++)
		free(cfg->nic_vlan[i]);
	for (unsigned i = 0; i < cfg->nr_nic_mtus; i++)
		free(cfg->nic_mtu[i]);
	free(cfg->replicaof_host);
	if (cfg->state) {
		config_users_free(cfg);
		for (unsigned i = 0; i < cfg->state->nr_warnings; i++)
			free(cfg->state->warnings[i]);
		free(cfg->state->cells);
		free(cfg->state->given);
	}
	free(cfg->state);
	free(cfg);
}

/* --- at start --------------------------------------------------------------------------------- */

const char *config_warning(const struct config *cfg, unsigned i)
{
	return i < cfg->state->nr_warnings ? cfg->state->warnings[i] : NULL;
}

static void add_warning(struct config *cfg, const char *name, const char *text)
{
	struct config_state *st = cfg->state;
	char line[WARNING_MAX];

	snprintf(line, sizeof(line), "%s: %s", name, text);
	for (unsigned i = 0; i < st->nr_warnings; i++)
		if (strcmp(st->warnings[i], line) == 0)
			return;
	if (st->nr_warnings == CONFIG_MAX_WARNINGS)
		return;
	st->warnings[st->nr_warnings] = strdup(line);
	if (st->warnings[st->nr_warnings])
		st->nr_warnings++;
}

/* Whether the present value is another than the default; only for plain types. */
static bool differs_from_default(struct config *cfg, const struct directive *d)
{
	char *now = config_value_format(cfg, d);
	bool differs = now && strcmp(now, d->def) != 0;

	free(now);
	return differs;
}

/* Directives of redis.conf that are no values. */
static const struct {
	const char *name;
	const char *refused; /* NULL: ignored */
} other_lines[] = {
	{"list-max-ziplist-entries", NULL}, /* Redis ignores these two as well */
	{"list-max-ziplist-value", NULL},
	{"loadmodule", "modules are not supported"},
	{"rename-command", "renaming commands is not supported"},
	{"sentinel", "this is no sentinel; redis-sentinel works with millrace"},
};

static int apply_other(struct config *cfg, const char *name, const struct config_err *err)
{
	for (size_t i = 0; i < sizeof(other_lines) / sizeof(other_lines[0]); i++) {
		if (strcasecmp(name, other_lines[i].name) != 0)
			continue;
		if (other_lines[i].refused)
			return config_err_set(err, "%s", other_lines[i].refused);
		add_warning(cfg, name, "has no effect any more");
		return 0;
	}
	config_err_set(err, "no such directive");
	return -ENOENT;
}

int config_apply(
	struct config *cfg, int argc, const char *const *argv, const struct config_err *err)
{
	const struct directive *d = config_find(argv[0]);
	int rc;

	if (strcasecmp(argv[0], "user") == 0)
		return config_user_apply(cfg, argc, argv, err);
	if (!d)
		return apply_other(cfg, argv[0], err);
	rc = config_value_set(cfg, d, argc - 1, argv + 1, err);
	if (rc != 0)
		return rc;
	cfg->state->given[config_index(d)] = true;
	if (d->off == offsetof(struct config, poll_mode) && d->size != 0)
		cfg->poll_mode_set = true;
	if (!(d->flags & (DIR_REFUSED | DIR_WARNED)) || !differs_from_default(cfg, d))
		return 0;
	if (d->flags & DIR_REFUSED)
		return config_err_set(err, "%s", d->note);
	add_warning(cfg, d->name, d->note);
	return 0;
}

bool config_given(const struct config *cfg, const char *name)
{
	const struct directive *d = config_find(name);

	return d && cfg->state->given[config_index(d)];
}

/* --- CONFIG SET ------------------------------------------------------------------------------- */

void config_set_hooks(struct config *cfg, const struct config_hooks *hooks)
{
	cfg->state->hooks = *hooks;
}

/* Reads a value given as one text, as CONFIG GET prints it. */
static int set_text(struct config *cfg, const struct directive *d, const char *text,
	const struct config_err *err)
{
	int argc = 1, rc;
	char **argv;

	if (!(d->flags & DIR_WORDS))
		return config_value_set(cfg, d, 1, &text, err);
	argv = config_split_plain(text, &argc);
	if (!argv)
		return -ENOMEM;
	rc = config_value_set(cfg, d, argc, (const char *const *)argv, err);
	config_split_free(argv, argc);
	return rc;
}

/* One directive of a CONFIG SET under way, and how to undo it. */
struct change {
	const struct directive *d;
	char *old; /* owned */
	bool changed, announced;
};

static int change_do(
	struct config *cfg, struct change *ch, const char *value, const struct config_err *err)
{
	char *now;
	int rc;

	if (ch->d->flags & DIR_IMMUTABLE) /* it is what it is: changes_find() */
		return 0;
	rc = set_text(cfg, ch->d, value, err);
	if (rc != 0)
		return rc;
	now = config_value_format(cfg, ch->d);
	if (!now)
		return -ENOMEM;
	ch->changed = strcmp(now, ch->old) != 0;
	free(now);
	if (!ch->changed)
		return 0;
	if (ch->d->flags & DIR_STARTUP) {
		config_err_set(err, "can't be changed while the node runs");
		return -EPERM;
	}
	if ((ch->d->flags & DIR_REFUSED) && differs_from_default(cfg, ch->d))
		return config_err_set(err, "%s", ch->d->note);
	return 0;
}

static int change_announce(struct config *cfg, struct change *ch, const struct config_err *err)
{
	const struct config_hooks *hooks = &cfg->state->hooks;

	if (!ch->changed || !hooks->changed)
		return 0;
	ch->announced = true;
	config_err_set(err, "refused");
	return hooks->changed(hooks->ctx, ch->d->name, err->buf, err->len) == 0 ? 0 : -EINVAL;
}

static void changes_undo(struct config *cfg, struct change *ch, unsigned nr)
{
	char buf[CONFIG_ERR_MAX];
	struct config_err ignored = {buf, sizeof(buf), false};

	for (unsigned i = nr; i-- > 0;) { /* backwards: an alias may have changed a value again */
		if (!(ch[i].d->flags & DIR_IMMUTABLE))
			set_text(cfg, ch[i].d, ch[i].old, &ignored);
	}
	for (unsigned i = 0; i < nr; i++)
		if (ch[i].announced)
			change_announce(cfg, &ch[i], &ignored);
}

/* All values, then all hooks. *failed: the index of the one that did not work. Undoes everything
 * then. */
static int changes_do(struct config *cfg, struct change *ch, unsigned nr,
	const struct config_pair *pairs, unsigned *failed, const struct config_err *err)
{
	int rc = 0;
	unsigned i;

	for (i = 0; i < nr && rc == 0; i++) {
		*failed = i;
		ch[i].old = config_value_format(cfg, ch[i].d);
		rc = ch[i].old ? change_do(cfg, &ch[i], pairs[i].value, err) : -ENOMEM;
	}
	if (rc != 0) {
		changes_undo(cfg, ch, ch[i - 1].old ? i : i - 1);
		return rc;
	}
	for (i = 0; i < nr && rc == 0; i++) {
		*failed = i;
		rc = change_announce(cfg, &ch[i], err);
	}
	if (rc != 0)
		changes_undo(cfg, ch, nr);
	return rc;
}

/* An immutable directive of millrace's own takes the text that CONFIG GET shows, so that a client
 * can write back all that it read; Redis' refuse that too. */
static bool is_present(struct config *cfg, const struct directive *d, const char *value)
{
	char *now;
	bool same;

	if (!(d->flags & DIR_STARTUP))
		return false;
	now = config_value_format(cfg, d);
	same = now && strcmp(now, value) == 0;
	free(now);
	return same;
}

/* Finds the directives and refuses what cannot be set now. *failed as above. */
static int changes_find(struct config *cfg, struct change *ch, unsigned nr,
	const struct config_pair *pairs, bool protected_ok, unsigned *failed,
	const struct config_err *err)
{
	for (unsigned i = 0; i < nr; i++) {
		*failed = i;
		ch[i].d = config_find(pairs[i].name);
		if (!ch[i].d)
			return -ENOENT;
		if ((ch[i].d->flags & DIR_IMMUTABLE) && !is_present(cfg, ch[i].d, pairs[i].value)) {
			config_err_set(err, "can't set immutable config");
			return -EPERM;
		}
		if ((ch[i].d->flags & DIR_PROTECTED) && !protected_ok) {
			config_err_set(err, "can't set protected config");
			return -EPERM;
		}
		for (unsigned j = 0; j < i; j++) {
			if (strcasecmp(pairs[j].name, pairs[i].name) == 0)
				return config_err_set(err, "duplicate parameter");
		}
	}
	return 0;
}

/* The whole of CONFIG SET; err gets the bare reason. */
static int changes_run(struct config *cfg, unsigned nr, const struct config_pair *pairs,
	bool protected_ok, unsigned *failed, const struct config_err *err)
{
	struct change *ch;
	int rc;

	if (nr == 0)
		return 0;
	ch = calloc(nr, sizeof(*ch));
	if (!ch)
		return -ENOMEM;
	rte_spinlock_lock(&cfg->state->set_lock);
	rc = changes_find(cfg, ch, nr, pairs, protected_ok, failed, err);
	if (rc == 0)
		rc = changes_do(cfg, ch, nr, pairs, failed, err);
	rte_spinlock_unlock(&cfg->state->set_lock);
	for (unsigned i = 0; i < nr; i++)
		free(ch[i].old);
	free(ch);
	return rc;
}

int config_set_many(struct config *cfg, unsigned nr, const struct config_pair *pairs,
	bool protected_ok, char *err, size_t err_len)
{
	char reason[CONFIG_ERR_MAX] = "out of memory";
	struct config_err e = {reason, sizeof(reason), false};
	unsigned failed = 0;
	int rc = changes_run(cfg, nr, pairs, protected_ok, &failed, &e);

	if (rc == -ENOENT)
		snprintf(err, err_len,
			"ERR Unknown option or number of arguments for CONFIG SET - '%s'",
			pairs[failed].name);
	else if (rc != 0)
		snprintf(err, err_len,
			"ERR CONFIG SET failed (possibly related to argument '%s') - %s",
			pairs[failed].name, reason);
	return rc;
}

int config_set(struct config *cfg, const char *name, int argc, const char *const *argv,
	bool at_start, char *err, size_t err_len)
{
	struct config_err e = {err, err_len, at_start};
	struct config_pair pair = {name, argc == 1 ? argv[0] : ""};
	const char **line;
	unsigned failed;
	int rc;

	snprintf(err, err_len, "out of memory");
	if (!at_start && argc != 1)
		return config_err_set(&e, "wrong number of arguments");
	if (!at_start)
		return changes_run(cfg, 1, &pair, false, &failed, &e);
	line = calloc((size_t)argc + 1, sizeof(*line));
	if (!line)
		return -ENOMEM;
	line[0] = name;
	for (int i = 0; i < argc; i++)
		line[i + 1] = argv[i];
	rc = config_apply(cfg, argc + 1, line, &e);
	free(line);
	return rc;
}

/* --- read by name ----------------------------------------------------------------------------- */

char *config_get(struct config *cfg, const char *name)
{
	const struct directive *d = config_find(name);

	return d ? config_value_format(cfg, d) : NULL;
}

bool config_get_int(const struct config *cfg, const char *name, int64_t *value)
{
	const struct directive *d = config_find(name);

	if (!d || d->type == DIR_STR || d->type == DIR_OWN)
		return false;
	*value = config_value_num(cfg, d);
	return true;
}

void config_each(struct config *cfg, config_match_fn match, config_each_fn fn, void *ctx)
{
	for (const struct directive *d = config_directives; d->name; d++) {
		const char *names[] = {d->name, d->alias};

		for (int i = 0; i < 2 && names[i]; i++) {
			char *value;

			if (match && !match(ctx, names[i], d->flags & DIR_HIDDEN))
				continue;
			value = config_value_format(cfg, d);
			if (value)
				fn(ctx, names[i], value);
			free(value);
		}
	}
}

size_t config_get_str(struct config *cfg, char *const *field, char *buf, size_t size)
{
	int len;

	rte_spinlock_lock(&cfg->lock);
	len = snprintf(buf, size, "%s", *field);
	rte_spinlock_unlock(&cfg->lock);
	return (size_t)len;
}
