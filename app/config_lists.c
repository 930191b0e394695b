/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Directives that hold lists: bind, nic and its addresses, save, client-output-buffer-limit; and
 * replicaof and dir.
 *
 * The words are checked, and copied, before anything changes; then the list is exchanged under
 * cfg->lock.
 */
#include "app/config_table.h"

#include "app/nic_address.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* Joins the words with blanks. Owned; NULL: no memory. */
static char *join(char *const *words, unsigned nr)
{
	size_t len = 1;
	char *text, *p;

	for (unsigned i = 0; i < nr; i++)
		len += strlen(words[i]) + 1;
	text = malloc(len);
	if (!text)
		return NULL;
	p = text;
	for (unsigned i = 0; i < nr; i++) {
		if (i)
			*p++ = ' ';
		p = stpcpy(p, words[i]);
	}
	*p = '\0';
	return text;
}

/* --- bind ------------------------------------------------------------------------------------- */

static int bind_set(struct config *cfg, const struct directive *d, int argc,
	const char *const *argv, const struct config_err *err)
{
	char *words[CONFIG_MAX_BIND] = {NULL};
	unsigned nr = 0, nr_old;

	if (argc == 1 && argv[0][0] == '\0')
		argc = 0;
	else if (argc == 0 && err->at_start)
		return config_err_set(err, "takes addresses");
	if (argc > CONFIG_MAX_BIND)
		return config_err_set(err, "Too many bind addresses specified.");
	for (; nr < (unsigned)argc; nr++) {
		words[nr] = strdup(argv[nr]);
		if (!words[nr])
			goto err_free;
	}
	rte_spinlock_lock(&cfg->lock);
	for (unsigned i = 0; i < CONFIG_MAX_BIND; i++) {
		char *old = cfg->bind[i];

		cfg->bind[i] = words[i];
		words[i] = old;
	}
	nr_old = cfg->nr_bind;
	cfg->nr_bind = nr;
	rte_spinlock_unlock(&cfg->lock);
	for (unsigned i = 0; i < nr_old; i++)
		free(words[i]);
	return 0;

err_free:
	while (nr > 0)
		free(words[--nr]);
	return -ENOMEM;
}

static char *bind_format(struct config *cfg, const struct directive *d)
{
	return join(cfg->bind, cfg->nr_bind);
}

const struct directive_ops config_bind_ops = {bind_set, bind_format};

/* --- nic, nic-address, nic-gateway, nic-vlan, nic-mtu ----------------------------------------- */

static unsigned *list_count(struct config *cfg, const struct directive *d)
{
	if (d->off == offsetof(struct config, nic))
		return &cfg->nr_nics;
	if (d->off == offsetof(struct config, nic_address))
		return &cfg->nr_nic_addresses;
	if (d->off == offsetof(struct config, nic_vlan))
		return &cfg->nr_nic_vlans;
	if (d->off == offsetof(struct config, nic_mtu))
		return &cfg->nr_nic_mtus;
	return &cfg->nr_nic_gateways;
}

static int list_check(const struct directive *d, const char *word, const struct config_err *err)
{
	struct net_addr addrs[NET_MAX_ADDRS];
	struct ip_addr v4, v6;
	int64_t n;

	if (d->off == offsetof(struct config, nic_address) && nic_address_parse(word, addrs) < 0)
		return config_err_set(err,
			"'%s' is not a list of addresses with prefix lengths, as "
			"10.0.0.2/24,2001:db8::2/64",
			word);
	if (d->off == offsetof(struct config, nic_gateway) && nic_gateway_parse(word, &v4, &v6))
		return config_err_set(err,
			"'%s' is not an address, or one of IPv4 and one of IPv6, as 10.0.0.1,fe80::1",
			word);
	if (d->off == offsetof(struct config, nic_vlan) &&
		(!config_parse_int(word, &n) || n < 0 || n > 4094))
		return config_err_set(
			err, "'%s' is not a VLAN between 1 and 4094, or 0 for none", word);
	if (d->off == offsetof(struct config, nic_mtu) &&
		(!config_parse_int(word, &n) || (n != 0 && n < 576) || n > 9000))
		return config_err_set(err,
			"'%s' is not a number of bytes between 576 and 9000, or 0 for the device's",
			word);
	return 0;
}

static int list_set(struct config *cfg, const struct directive *d, int argc,
	const char *const *argv, const struct config_err *err)
{
	char **list = (char **)((char *)cfg + d->off);
	unsigned *nr = list_count(cfg, d);
	char *copy;
	int rc;

	if (argc != 1)
		return config_err_set(err, "takes one value, and may be repeated");
	if (argv[0][0] == '\0') { /* forgets the earlier ones */
		while (*nr > 0)
			free(list[--*nr]);
		return 0;
	}
	rc = list_check(d, argv[0], err);
	if (rc != 0)
		return rc;
	if (*nr == CONFIG_MAX_NICS)
		return config_err_set(err, "may be given at most %d times", CONFIG_MAX_NICS);
	copy = strdup(argv[0]);
	if (!copy)
		return -ENOMEM;
	list[(*nr)++] = copy;
	return 0;
}

static char *list_format(struct config *cfg, const struct directive *d)
{
	return join((char **)((char *)cfg + d->off), *list_count(cfg, d));
}

const struct directive_ops config_list_ops = {list_set, list_format};

/* --- save ------------------------------------------------------------------------------------- */

static int save_set(struct config *cfg, const struct directive *d, int argc,
	const char *const *argv, const struct config_err *err)
{
	struct {
		int seconds, changes;
	} points[CONFIG_MAX_SAVE];
	bool none = (argc == 1 && argv[0][0] == '\0') || (argc == 0 && !err->at_start);
	unsigned nr = none ? 0 : (unsigned)argc / 2;

	if (!none && (argc == 0 || argc % 2 != 0))
		return config_err_set(err, "Invalid save parameters");
	if (nr > CONFIG_MAX_SAVE)
		return config_err_set(err, "at most %d save points", CONFIG_MAX_SAVE);
	for (unsigned i = 0; i < nr; i++) {
		int64_t s, n;

		if (!config_parse_int(argv[2 * i], &s) || !config_parse_int(argv[2 * i + 1], &n) ||
			s < 1 || s > INT_MAX || n < 0 || n > INT_MAX)
			return config_err_set(err, "Invalid save parameters");
		points[i].seconds = (int)s;
		points[i].changes = (int)n;
	}
	/* The lines of a file add up; the first one replaces the default, and an empty one what
	 * came before. */
	rte_spinlock_lock(&cfg->lock);
	if (!err->at_start || none || !cfg->state->save_seen)
		cfg->nr_save = 0;
	if (cfg->nr_save + nr > CONFIG_MAX_SAVE) {
		rte_spinlock_unlock(&cfg->lock);
		return config_err_set(err, "at most %d save points", CONFIG_MAX_SAVE);
	}
	for (unsigned i = 0; i < nr; i++) {
		cfg->save[cfg->nr_save].seconds = points[i].seconds;
		cfg->save[cfg->nr_save++].changes = points[i].changes;
	}
	rte_spinlock_unlock(&cfg->lock);
	if (err->at_start)
		cfg->state->save_seen = true;
	return 0;
}

static char *save_format(struct config *cfg, const struct directive *d)
{
	char buf[CONFIG_MAX_SAVE * 24 + 1] = "";
	size_t len = 0;

	for (unsigned i = 0; i < cfg->nr_save; i++)
		len += (size_t)snprintf(buf + len, sizeof(buf) - len, "%s%d %d", i ? " " : "",
			cfg->save[i].seconds, cfg->save[i].changes);
	return strdup(buf);
}

const struct directive_ops config_save_ops = {save_set, save_format};

/* --- client-output-buffer-limit --------------------------------------------------------------- */

static int class_of(const char *word)
{
	if (strcasecmp(word, "normal") == 0)
		return CLASS_NORMAL;
	if (strcasecmp(word, "replica") == 0 || strcasecmp(word, "slave") == 0)
		return CLASS_REPLICA;
	return strcasecmp(word, "pubsub") == 0 ? CLASS_PUBSUB : -1;
}

static int limits_set(struct config *cfg, const struct directive *d, int argc,
	const char *const *argv, const struct config_err *err)
{
	struct output_limit limits[NR_CLIENT_CLASSES];

	if (argc % 4 != 0 || (argc == 0 && err->at_start))
		return config_err_set(
			err, "Wrong number of arguments in buffer limit configuration.");
	rte_spinlock_lock(&cfg->lock);
	memcpy(limits, cfg->output_limits, sizeof(limits));
	rte_spinlock_unlock(&cfg->lock);
	for (int i = 0; i < argc; i += 4) {
		int class = class_of(argv[i]);
		int64_t seconds;

		if (class < 0)
			return config_err_set(err,
				"Invalid client class specified in buffer limit configuration.");
		if (!config_parse_size(argv[i + 1], &limits[class].hard_bytes) ||
			!config_parse_size(argv[i + 2], &limits[class].soft_bytes) ||
			!config_parse_int(argv[i + 3], &seconds) || seconds < 0 ||
			seconds > INT_MAX)
			return config_err_set(err,
				"Error in hard, soft or soft_seconds setting in buffer "
				"limit configuration.");
		limits[class].soft_seconds = (uint32_t)seconds;
	}
	rte_spinlock_lock(&cfg->lock);
	memcpy(cfg->output_limits, limits, sizeof(limits));
	rte_spinlock_unlock(&cfg->lock);
	return 0;
}

static char *limits_format(struct config *cfg, const struct directive *d)
{
	static const char *const names[NR_CLIENT_CLASSES] = {"normal", "slave", "pubsub"};
	char buf[NR_CLIENT_CLASSES * 64];
	size_t len = 0;

	for (int i = 0; i < NR_CLIENT_CLASSES; i++) {
		const struct output_limit *l = &cfg->output_limits[i];

		len += (size_t)snprintf(buf + len, sizeof(buf) - len,
			"%s%s %" PRIu64 " %" PRIu64 " %" PRIu32, i ? " " : "", names[i],
			l->hard_bytes, l->soft_bytes, l->soft_seconds);
	}
	return strdup(buf);
}

const struct directive_ops config_limits_ops = {limits_set, limits_format};

/* --- replicaof -------------------------------------------------------------------------------- */

static int replicaof_set(struct config *cfg, const struct directive *d, int argc,
	const char *const *argv, const struct config_err *err)
{
	int64_t port;

	if (argc == 1 && argv[0][0] == '\0') /* as CONFIG GET prints a master's */
		return config_set_replicaof(cfg, NULL, 0);
	if (argc != 2)
		return config_err_set(err, err->at_start ? "takes a host and a port, or no one"
							 : "wrong number of arguments");
	if (strcasecmp(argv[0], "no") == 0 && strcasecmp(argv[1], "one") == 0)
		return config_set_replicaof(cfg, NULL, 0);
	if (!config_parse_int(argv[1], &port) || port < 0 || port > 65535)
		return config_err_set(err, "Invalid master port");
	return config_set_replicaof(cfg, argv[0], (int)port);
}

static char *replicaof_format(struct config *cfg, const struct directive *d)
{
	char *text;

	if (!*cfg->replicaof_host)
		return strdup("");
	return asprintf(&text, "%s %d", cfg->replicaof_host, cfg->replicaof_port) < 0 ? NULL : text;
}

const struct directive_ops config_replicaof_ops = {replicaof_set, replicaof_format};

int config_set_replicaof(struct config *cfg, const char *host, int port)
{
	char *copy = strdup(host ? host : ""), *old;

	if (!copy)
		return -ENOMEM;
	rte_spinlock_lock(&cfg->lock);
	old = cfg->replicaof_host;
	cfg->replicaof_host = copy;
	cfg->replicaof_port = host ? port : 0;
	rte_spinlock_unlock(&cfg->lock);
	free(old);
	return 0;
}

/* --- dir -------------------------------------------------------------------------------------- */

static int dir_set(struct config *cfg, const struct directive *d, int argc, const char *const *argv,
	const struct config_err *err)
{
	char cwd[PATH_MAX];

	if (argc != 1)
		return config_err_set(err, "wrong number of arguments");
	if (cfg->state->dry)
		return config_value_replace(cfg, &cfg->dir, realpath(argv[0], cwd) ? cwd : argv[0]);
	if (chdir(argv[0]) != 0 || !getcwd(cwd, sizeof(cwd))) {
		int why = errno;

		if (err->at_start)
			return config_err_set(err, "'%s': %s", argv[0], strerror(why));
		return config_err_set(err, "%s", strerror(why));
	}
	return config_value_replace(cfg, &cfg->dir, cwd);
}

static char *dir_format(struct config *cfg, const struct directive *d)
{
	return strdup(cfg->dir);
}

const struct directive_ops config_dir_ops = {dir_set, dir_format, true};
