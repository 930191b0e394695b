/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/pool/rdb_check.h"

#include "app/config.h"
#include "app/obj_limits.h"
#include "app/rdb/build.h"
#include "repl/rdb_read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct rdb_check {
	struct rdb_reader *reader;
	struct rdb_build build;
	uint64_t nr_keys;
	char key[96]; /* of the value being built, printable */
	char fault[512];
	bool too_long;
};

static int on_key(void *ctx, const struct rdb_key *key, const struct rdb_value *value)
{
	struct rdb_check *c = ctx;

	c->nr_keys++;
	return 0;
}

static int on_value(void *ctx, const struct rdb_key *key, enum rdb_type type)
{
	struct rdb_check *c = ctx;

	rdb_text_escape(key->name, key->name_len, c->key, sizeof(c->key));
	return rdb_build_begin(&c->build, type) ? 0 : -EBADMSG;
}

static int on_item(void *ctx, const struct rdb_item *item)
{
	struct rdb_check *c = ctx;

	return rdb_build_item(&c->build, item) ? 0 : -EBADMSG;
}

static int on_value_end(void *ctx)
{
	struct rdb_check *c = ctx;
	struct obj o;

	switch (rdb_build_end(&c->build, &o)) {
	case RDB_BUILT_VALUE:
		c->nr_keys++;
		obj_ops(&o)->free(&o);
		break;
	case RDB_BUILT_EMPTY: break; /* passed over by who loads it */
	case RDB_BUILT_REFUSED: return -EBADMSG;
	}
	return 0;
}

static const struct rdb_upcalls upcalls = {
	.on_key = on_key,
	.on_value = on_value,
	.on_item = on_item,
	.on_value_end = on_value_end,
};

struct rdb_check *rdb_check_create(void)
{
	struct rdb_limits limits = {.max_string_bytes = 1u << 30, .max_record_bytes = 2u << 30};
	struct rdb_check *c = calloc(1, sizeof(*c));
	struct config *cfg = config_create();
	struct obj_limits obj_limits;

	if (!c || !cfg)
		goto err_free;
	obj_limits = obj_limits_get(cfg);
	c->reader = rdb_reader_create(&upcalls, c, &limits);
	if (!c->reader)
		goto err_free;
	rdb_build_init(&c->build, &obj_limits);
	config_destroy(&cfg);
	return c;

err_free:
	config_destroy(&cfg);
	free(c);
	return NULL;
}

void rdb_check_destroy(struct rdb_check **cp)
{
	struct rdb_check *c = *cp;

	if (!c)
		return;
	*cp = NULL;
	rdb_build_fini(&c->build);
	rdb_reader_destroy(&c->reader);
	free(c);
}

int rdb_check_feed(struct rdb_check *c, const void *data, size_t len)
{
	ssize_t n = rdb_reader_feed(c->reader, data, len);

	if (n < 0)
		return -EBADMSG;
	c->too_long |= (size_t)n < len;
	return c->too_long ? -EBADMSG : 0;
}

int rdb_check_finish(struct rdb_check *c)
{
	return rdb_reader_finish(c->reader) || c->too_long ? -EBADMSG : 0;
}

const char *rdb_check_fault(struct rdb_check *c)
{
	const struct rdb_fault *fault = rdb_reader_fault(c->reader);

	if (fault->error == RDB_ERR_UPCALL)
		snprintf(c->fault, sizeof(c->fault), "%s: %s, key \"%s\"", fault->text,
			c->build.why, c->key);
	else if (fault->error == RDB_OK && c->too_long)
		snprintf(c->fault, sizeof(c->fault), "offset %llu: more bytes after the end",
			(unsigned long long)rdb_reader_offset(c->reader));
	else
		snprintf(c->fault, sizeof(c->fault), "%s", fault->text);
	return c->fault;
}

uint64_t rdb_check_nr_keys(const struct rdb_check *c)
{
	return c->nr_keys;
}

unsigned rdb_check_version(const struct rdb_check *c)
{
	return rdb_reader_version(c->reader);
}
