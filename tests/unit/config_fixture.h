/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the tests of the configuration share: a configuration, a folder of their own, and short
 * calls.
 */
#ifndef MILLRACE_TESTS_UNIT_CONFIG_FIXTURE_H
#define MILLRACE_TESTS_UNIT_CONFIG_FIXTURE_H

#include "app/config.h"

#include "app/config_table.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
	struct config *cfg;
	char dir[64];  /* of the test's own files; also the working directory */
	char path[96]; /* of the configuration file */
	char file[512], err[CONFIG_ERR_MAX];
};

static inline int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/test_config.XXXXXX");
	if (!mkdtemp(f->dir) || chdir(f->dir) != 0)
		return -1;
	snprintf(f->path, sizeof(f->path), "%s/node.conf", f->dir);
	f->cfg = config_create();
	*state = f;
	return f->cfg ? 0 : -1;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;
	char cmd[128];

	config_destroy(&f->cfg);
	config_destroy(&f->cfg);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", f->dir);
	if (chdir("/") != 0 || system(cmd) != 0)
		return -1;
	free(f);
	return 0;
}

static inline void put_file(const char *path, const char *text)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	fputs(text, out);
	assert_int_equal(fclose(out), 0);
}

static inline void assert_file(const char *path, const char *text)
{
	char buf[8192];
	FILE *in = fopen(path, "r");
	size_t len;

	assert_non_null(in);
	len = fread(buf, 1, sizeof(buf) - 1, in);
	buf[len] = '\0';
	fclose(in);
	assert_string_equal(buf, text);
}

static inline void assert_value(struct fixture *f, const char *name, const char *value)
{
	char *now = config_get(f->cfg, name);

	assert_non_null(now);
	assert_string_equal(now, value);
	free(now);
}

/* Loads a command line; the words end with NULL. */
static inline int load(struct fixture *f, const char *word, ...)
{
	char *argv[32];
	int argc = 0;
	va_list ap;

	va_start(ap, word);
	for (; word; word = va_arg(ap, const char *))
		argv[argc++] = (char *)word;
	va_end(ap);
	return config_load(f->cfg, argc, argv, f->file, sizeof(f->file), f->err, sizeof(f->err));
}

static inline int load_text(struct fixture *f, const char *text)
{
	put_file(f->path, text);
	return load(f, f->path, NULL);
}

static inline int set(struct fixture *f, const char *name, const char *value)
{
	struct config_pair pair = {name, value};

	f->err[0] = '\0';
	return config_set_many(f->cfg, 1, &pair, false, f->err, sizeof(f->err));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
