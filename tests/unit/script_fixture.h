/* SPDX-License-Identifier: BSD-3-Clause
 *
 * For tests of scripts' Lua: a client without a node, and a host that answers what the script says.
 */
#ifndef MILLRACE_TESTS_UNIT_SCRIPT_FIXTURE_H
#define MILLRACE_TESTS_UNIT_SCRIPT_FIXTURE_H

#include "app/commands/command.h"
#include "app/reply.h"
#include "app/script/vm.h"
#include "app/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define NR(a) (sizeof(a) / sizeof((a)[0]))

struct fixture {
	struct server *srv;
	struct app_core *ac;
	struct client c;
	struct script_vm *vm, *functions;
	unsigned interrupts, kill_at; /* 0: never */
	int level;                    /* of the last redis.log */
	char log[64];
};

static struct fixture *fx; /* for the host's calls, which get no context of ours */

/* redis.call("reply", resp) gets what it says; anything else is refused. */
static inline bool host_call(struct script_run *run, uint32_t argc, const struct slice *argv,
	struct slice *reply, char err[SCRIPT_ERR_MAX])
{
	if (argc == 2 && arg_is(&argv[0], "reply")) {
		*reply = argv[1];
		return true;
	}
	snprintf(err, SCRIPT_ERR_MAX, "ERR refused %.*s", (int)argv[0].len, argv[0].ptr);
	return false;
}

static inline int host_acl(struct script_run *run, uint32_t argc, const struct slice *argv)
{
	return arg_is(&argv[0], "none") ? -1 : arg_is(&argv[0], "get");
}

static inline bool host_interrupt(struct script_run *run)
{
	return ++fx->interrupts == fx->kill_at || (fx->kill_at && fx->interrupts > fx->kill_at);
}

static inline void host_set_resp(struct script_run *run, int resp)
{
}

static inline void host_log(void *ctx, int level, const char *text, size_t len)
{
	fx->level = level;
	snprintf(fx->log, sizeof(fx->log), "%.*s", (int)len, text);
}

static const struct script_host host = {
	.call = host_call,
	.acl_check = host_acl,
	.interrupt = host_interrupt,
	.set_resp = host_set_resp,
	.log = host_log,
};

static inline int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->srv = calloc(1, sizeof(*f->srv));
	f->ac = calloc(1, sizeof(*f->ac));
	assert_non_null(f->srv);
	assert_non_null(f->ac);
	rte_spinlock_init(&f->srv->err_lock);
	f->c.srv = f->srv;
	f->c.ac = f->ac;
	f->c.resp = 2;
	f->c.flags = CLIENT_SCRIPT;
	f->vm = script_vm_create(SCRIPT_VM_EVAL, &host, NULL);
	f->functions = script_vm_create(SCRIPT_VM_FUNCTION, &host, NULL);
	assert_non_null(f->vm);
	assert_non_null(f->functions);
	fx = f;
	*state = f;
	return 0;
}

static inline int tear_down(void **state)
{
	struct fixture *f = *state;

	assert_null(f->c.deferred);
	script_vm_destroy(&f->vm);
	script_vm_destroy(&f->functions);
	free(f->srv);
	free(f->ac);
	free(f);
	return 0;
}

/* What the client gets for a script, with KEYS {"k"} and ARGV {"a", "b"}; owned. */
static inline char *outcome(struct fixture *f, const char *code)
{
	static const struct slice keys[] = {{"k", 1}}, args[] = {{"a", 1}, {"b", 1}};
	struct script_run run = {
		.host = &host,
		.name = "sha",
		.c = &f->c,
		.resp = 2,
		.nr_keys = 1,
		.keys = keys,
		.nr_args = 2,
		.args = args,
	};
	char sha[SCRIPT_SHA_LEN + 1], err[SCRIPT_ERR_MAX];
	char *got;
	size_t len;

	script_sha(code, strlen(code), sha);
	if (!script_vm_has(f->vm, sha) && !script_vm_define(f->vm, sha, code, strlen(code), err))
		return strdup(err);
	reply_capture_begin(&f->c);
	script_vm_run(f->vm, sha, &run);
	got = reply_capture_end(&f->c, &len);
	assert_non_null(got);
	return got;
}

static inline void check(struct fixture *f, const char *code, const char *want)
{
	char *got = outcome(f, code);

	if (strcmp(got, want) != 0)
		print_error("script: %s\n", code);
	assert_string_equal(got, want);
	free(got);
}

struct example {
	const char *code, *want;
};

static inline void check_all(struct fixture *f, const struct example *cases, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		check(f, cases[i].code, cases[i].want);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

#endif
