/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The list of directives and how a value is read, kept and printed. For the config_*.c files only.
 *
 * A directive's value lives in a field of struct config, or, when no code of millrace needs it, in
 * the cell of the same index in struct config_state. Lists and the like have their own pair of
 * functions (struct directive_ops).
 */
#ifndef MILLRACE_APP_CONFIG_TABLE_H
#define MILLRACE_APP_CONFIG_TABLE_H

#include "app/config.h"

enum directive_type {
	DIR_BOOL,
	DIR_INT,
	DIR_MEM, /* bytes, with units */
	DIR_ENUM,
	DIR_OCTAL,
	DIR_STR,
	DIR_OWN, /* struct directive_ops */
};

enum directive_flags {
	DIR_IMMUTABLE = 1u << 0, /* CONFIG SET: refused, or with DIR_STARTUP: never written */
	DIR_STARTUP = 1u << 1,   /* CONFIG SET: the present value only */
	DIR_PROTECTED = 1u << 2, /* CONFIG SET: see enable-protected-configs */
	DIR_HIDDEN = 1u << 3,    /* CONFIG GET: only by its exact name */
	DIR_REPEATS =
		1u
		<< 4, /* a file may hold several lines of it that add up: rewritten line by line */
	DIR_REFUSED = 1u << 5, /* nothing but the default: note says why */
	DIR_WARNED =
		1u << 6, /* at start, a value other than the default adds note to the warnings */
	DIR_FILENAME = 1u << 7, /* no path */
	DIR_NOT_EMPTY = 1u << 8,
	DIR_WORDS = 1u << 9, /* takes several words: CONFIG SET cuts its value at blanks */
};

struct enum_name {
	const char *name; /* NULL: end */
	int value;
};

/* Where a reason for refusing a value goes. */
struct config_err {
	char *buf;
	size_t len;
	bool at_start; /* says what is allowed in millrace's words; otherwise the text is Redis' */
};
/* Writes the reason. Returns -EINVAL. */
int config_err_set(const struct config_err *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

struct directive;
struct directive_ops {
	/* Reads the words into struct config, taking cfg->lock while it changes. 0, -EINVAL with
	 * err set, -ENOMEM */
	int (*set)(struct config *cfg, const struct directive *d, int argc, const char *const *argv,
		const struct config_err *err);
	/* The value as CONFIG GET prints it; owned; NULL: no memory. cfg->lock is held. */
	char *(*format)(struct config *cfg, const struct directive *d);
	bool text; /* the value is an owned string */
};

struct directive {
	const char *name, *alias;
	const char *def; /* the default, as a line of a file has it */
	enum directive_type type;
	unsigned flags;
	size_t off, size; /* field of struct config; size 0: the cell */
	int64_t min;
	uint64_t max;             /* below 2^63, but for DIR_MEM */
	int64_t cap_min, cap_max; /* an accepted value is moved into this range; 0 and 0: none */
	const struct enum_name *names; /* DIR_ENUM, and DIR_OWN as it likes */
	const struct directive_ops *ops;
	const char *note;
};

#define CONFIG_MAX_WARNINGS 32

union config_cell {
	int64_t num;
	char *str; /* owned */
};

struct config_state {
	union config_cell *cells; /* one a directive */
	bool *given;              /* set by file or command line */
	struct config_hooks hooks;
	rte_spinlock_t set_lock;   /* one CONFIG SET at a time */
	struct config_user *users; /* owned, with the words */
	unsigned nr_users;
	config_user_check_fn user_check;
	void *user_check_ctx;
	char *warnings[CONFIG_MAX_WARNINGS];
	unsigned nr_warnings;
	bool dry;       /* the values are for comparing only: dir changes no working directory */
	bool save_seen; /* a save line replaces the default, further ones add to it */
};

extern const struct directive config_directives[]; /* ended by a NULL name */
extern const unsigned config_nr_directives;

extern const struct directive_ops config_bind_ops, config_save_ops, config_limits_ops,
	config_list_ops, config_dir_ops, config_replicaof_ops, config_notify_ops,
	config_oom_values_ops, config_percentiles_ops, config_shutdown_ops,
	config_maxmemory_clients_ops, config_proc_title_ops, config_hostname_ops, config_cores_ops,
	config_partitions_ops;

/* By name or alias, any case; NULL: unknown. */
const struct directive *config_find(const char *name);
static inline unsigned config_index(const struct directive *d)
{
	return (unsigned)(d - config_directives);
}

/* config_value.c: one value. argc and argv: the words behind the name. */
int config_value_set(struct config *cfg, const struct directive *d, int argc,
	const char *const *argv, const struct config_err *err);
char *config_value_format(struct config *cfg,
	const struct directive *d); /* takes cfg->lock; owned; NULL: no memory */
int64_t config_value_num(const struct config *cfg, const struct directive *d);
void config_value_store(struct config *cfg, const struct directive *d, int64_t v);
/* The place of a string value: a field or a cell. */
char **config_value_str(struct config *cfg, const struct directive *d);
/* Replaces it, under the lock, by a copy. 0 or -ENOMEM. */
int config_value_replace(struct config *cfg, char **place, const char *text);
/* Sizes as Redis reads them: 10, 10k (1000), 10kb (1024), m, mb, g, gb, b. */
bool config_parse_size(const char *text, uint64_t *bytes);
bool config_parse_int(const char *text, int64_t *value);

/* config_split.c: words of a line. Returns an owned array of argc owned words (NULL at the end),
 * or NULL: a quote is not closed (*argc -1) or no memory (*argc 0). */
char **config_split(const char *line, int *argc);
/* The same at single blanks, without quotes: how CONFIG SET cuts the value of a directive that
 * takes several. */
char **config_split_plain(const char *text, int *argc);
void config_split_free(char **argv, int argc);
/* The word quoted so that config_split() reads it back, whatever bytes it has; bare where that
 * is enough. Owned. */
char *config_quote(const char *word);

/* config.c: as config_create(); dry: see config_state. */
struct config *config_create_dry(void);
/* One line at start, as words. err gets the reason without the place. */
int config_apply(
	struct config *cfg, int argc, const char *const *argv, const struct config_err *err);

/* config_users.c: a `user` line, as config_apply(); and what goes with the configuration. */
int config_user_apply(
	struct config *cfg, int argc, const char *const *argv, const struct config_err *err);
void config_users_free(struct config *cfg);

/* config_load.c: one line as text, includes followed. */
int config_load_line(struct config *cfg, const char *text, char *err, size_t err_len);

#endif
