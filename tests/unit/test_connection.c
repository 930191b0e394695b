/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The commands about connections (AUTH, HELLO, CLIENT ...) and the lines of CLIENT LIST and
 * MONITOR.
 */
#include "app/commands/connection.h"

#include "app/acl/client.h"
#include "app/commands/monitor.h"
#include "app/commands/multi.h"
#include "app/commands/server_cmds.h"
#include "app/server.h"
#include "dataplane/clock.h"
#include "dataplane/core.h"
#include "dataplane/obuf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ARGS   12
#define NR_CLIENTS 3
#define NOW_MS     INT64_C(1700000000000)

/* Three clients of one server; the first one gives the commands and its output is read. */
struct fixture {
	struct server srv;
	struct config cfg;
	struct app_core ac;
	struct obuf_pool pool;
	struct obuf out;
	struct client c[NR_CLIENTS];
	struct slice argv[MAX_ARGS];
	char password[32];
	struct app_core other; /* of the third client */
	struct core other_core;
	struct obuf outs[NR_CLIENTS - 1]; /* of the others */
	bool inbox_full;
	unsigned nr_kicked;
	uint64_t unblocked; /* id, and whether with an error */
	bool unblock_error;
	unsigned nr_subs[PUBSUB_KINDS]; /* of every client */
	struct acl acl;
	struct acl_user users[2];
};

static struct fixture *current;

/* --- what the node offers these commands ------------------------------------------------------ */

int64_t clock_unix_us(void)
{
	return NOW_MS * 1000 + 654321;
}

const char *command_full_name(const struct command *cmd, char buf[COMMAND_NAME_MAX])
{
	snprintf(buf, COMMAND_NAME_MAX, "%s", cmd->name);
	return buf;
}

void client_kick(struct client *c)
{
	current->nr_kicked++;
}

/* Only "default" can log in. */
bool acl_client_login(struct client *c, const struct slice *name, const struct slice *password)
{
	bool ok = name->len == 7 && memcmp(name->ptr, "default", 7) == 0;

	if (!flag_on(&c->srv->acl->default_nopass))
		ok = ok && password->len == strlen(current->password) &&
		     memcmp(password->ptr, current->password, password->len) == 0;
	if (ok)
		client_flags_change(c, CLIENT_AUTHENTICATED, 0);
	return ok;
}

void acl_client_reset(struct client *c)
{
	bool open = flag_on(&c->srv->acl->default_nopass);

	client_flags_change(c, open ? CLIENT_AUTHENTICATED : 0, open ? 0 : CLIENT_AUTHENTICATED);
}

const char *acl_client_name(const struct client *c)
{
	return c->user ? c->user->name : "(superuser)";
}

struct acl_user *acl_find(struct acl *acl, const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(current->users) / sizeof(current->users[0]); i++)
		if (strlen(current->users[i].name) == len &&
			memcmp(current->users[i].name, name, len) == 0)
			return &current->users[i];
	return NULL;
}

void acl_user_put(struct acl_user *u)
{
}

/* The other core takes its messages at once. */
int core_post_optional(struct core *core, struct core_msg *msg)
{
	assert_ptr_equal(core, &current->other_core);
	if (current->inbox_full)
		return -EAGAIN;
	msg->fn(core, msg);
	return 0;
}

unsigned pubsub_client_count(const struct client *c, enum pubsub_kind kind)
{
	return current->nr_subs[kind];
}

void pubsub_client_forget(struct client *c)
{
	memset(current->nr_subs, 0, sizeof(current->nr_subs));
}

void tx_discard(struct client *c)
{
	client_flags_change(c, 0, CLIENT_MULTI);
}

void tracking_off(struct client *c)
{
	client_flags_change(c, 0, CLIENT_TRACKING);
}

/* Nobody has a connection. */
void conn_addr(const struct conn *conn, char *peer, char *local, size_t size)
{
	fail();
}

bool client_unblock_request(struct client *c, bool with_error)
{
	current->unblocked = c->id;
	current->unblock_error = with_error;
	return c->flags & CLIENT_BLOCKED;
}

/* --- fixture ---------------------------------------------------------------------------------- */

/* As of a kernel socket. */
static void ends_set(struct client *c, unsigned number)
{
	struct client_cold *cold = client_cold_get(c);

	assert_non_null(cold);
	assert_int_not_equal(asprintf(&cold->ends, "10.0.0.%u:100%c10.0.0.9:6379", number, 0), -1);
	cold->fd = -1;
}

static int set_up(void **state)
{
	static const struct command list = {.name = "client|list"};
	static char default_name[] = "default", bob_name[] = "bob";
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->srv.cfg = &f->cfg;
	f->srv.acl = &f->acl;
	atomic_store(&f->acl.default_nopass, true);
	f->users[0] = (struct acl_user){.account = 1, .name = default_name};
	f->users[1] = (struct acl_user){.account = 2, .name = bob_name};
	f->cfg.databases = 16;
	TAILQ_INIT(&f->srv.clients);
	TAILQ_INIT(&f->ac.dirty);
	TAILQ_INIT(&f->ac.monitors);
	TAILQ_INIT(&f->other.dirty);
	TAILQ_INIT(&f->other.monitors);
	obuf_pool_init(&f->pool, 0);
	obuf_init(&f->out, &f->pool);
	for (unsigned i = 0; i < NR_CLIENTS; i++) {
		struct client *c = &f->c[i];

		c->srv = &f->srv;
		c->ac = &f->ac;
		c->resp = 2;
		c->id = i + 1;
		c->now_ms = NOW_MS;
		c->created_ms = NOW_MS - 90000;
		c->cmd = &list;
		c->user = &f->users[0];
		atomic_init(&c->pub_active_ms, NOW_MS - 5000);
		ends_set(c, i + 1);
		TAILQ_INSERT_TAIL(&f->srv.clients, c, registry_link);
	}
	atomic_init(&f->srv.nr_clients, NR_CLIENTS);
	f->c[0].out = &f->out;
	f->c[0].flags = CLIENT_AUTHENTICATED;
	for (unsigned i = 1; i < NR_CLIENTS; i++) {
		obuf_init(&f->outs[i - 1], &f->pool);
		f->c[i].out = &f->outs[i - 1];
	}
	f->c[2].ac = &f->other;
	f->other.srv = &f->srv;
	f->other.core = &f->other_core;
	f->other_core.app = &f->other;
	f->srv.nr_cores = 2;
	f->srv.cores[0] = &f->ac;
	f->srv.cores[1] = &f->other;
	f->c[0].argv = f->argv;
	current = f;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < NR_CLIENTS; i++)
		client_cold_free(&f->c[i]);
	obuf_fini(&f->out);
	for (unsigned i = 1; i < NR_CLIENTS; i++)
		obuf_fini(&f->outs[i - 1]);
	obuf_pool_fini(&f->pool);
	free(f);
	return 0;
}

/* Runs the function with the words of line as arguments, and compares what it replies. */
static void check(struct fixture *f, command_fn fn, const char *line, const char *want)
{
	static char words[256];
	char got[1024];
	size_t len;

	snprintf(words, sizeof(words), "%s", line);
	f->c[0].argc = 0;
	for (char *p = words; *p;) {
		len = strcspn(p, " ");
		assert_in_range(f->c[0].argc, 0, MAX_ARGS - 1);
		f->argv[f->c[0].argc++] = (struct slice){p, len};
		p += len + (p[len] == ' ');
	}
	fn(&f->c[0]);
	len = (size_t)obuf_len(&f->out);
	assert_in_range(len, 0, sizeof(got) - 1);
	if (len)
		obuf_copy_at(&f->out, 0, got, (uint32_t)len);
	got[len] = '\0';
	obuf_consume(&f->out, len);
	assert_string_equal(got, want);
}

static void require_password(struct fixture *f, const char *password)
{
	snprintf(f->password, sizeof(f->password), "%s", password);
	atomic_store(&f->acl.default_nopass, false);
	f->c[0].flags &= ~(uint32_t)CLIENT_AUTHENTICATED;
}

#define WRONGPASS "-WRONGPASS invalid username-password pair or user is disabled.\r\n"

/* --- AUTH, HELLO, RESET ----------------------------------------------------------------------- */

static void auth_needs_the_whole_password(void **state)
{
	struct fixture *f = *state;

	require_password(f, "sesame");
	check(f, auth_command, "auth sesam", WRONGPASS);
	check(f, auth_command, "auth sesamee", WRONGPASS);
	check(f, auth_command, "auth Sesame", WRONGPASS);
	check(f, auth_command, "auth bob sesame", WRONGPASS);
	assert_false(f->c[0].flags & CLIENT_AUTHENTICATED);
	check(f, auth_command, "auth sesame", "+OK\r\n");
	assert_true(f->c[0].flags & CLIENT_AUTHENTICATED);
}

static void auth_of_default_user_is_the_same(void **state)
{
	struct fixture *f = *state;

	require_password(f, "sesame");
	check(f, auth_command, "auth default sesame", "+OK\r\n");
	check(f, auth_command, "auth default sesame x", "-ERR syntax error\r\n");
}

static void auth_without_a_password_set_is_told(void **state)
{
	struct fixture *f = *state;

	check(f, auth_command, "auth x",
		"-ERR AUTH <password> called without any password configured for the default user. "
		"Are you sure your configuration is correct?\r\n");
	check(f, auth_command, "auth default x", "+OK\r\n");
	check(f, auth_command, "auth bob x", WRONGPASS);
}

#define HELLO_FIELDS(proto)                                                                        \
	"$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n$5\r\nproto\r\n:" proto   \
	"\r\n$2\r\nid\r\n:1\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n"  \
	"$7\r\nmodules\r\n*0\r\n"

static void hello_switches_the_protocol(void **state)
{
	struct fixture *f = *state;

	check(f, hello_command, "hello", "*14\r\n" HELLO_FIELDS("2"));
	check(f, hello_command, "hello 3", "%7\r\n" HELLO_FIELDS("3"));
	assert_int_equal(f->c[0].resp, 3);
	assert_int_equal(atomic_load(&f->c[0].pub_resp), 3);
	check(f, hello_command, "hello 2", "*14\r\n" HELLO_FIELDS("2"));
}

static void hello_refuses_other_versions_and_options(void **state)
{
	struct fixture *f = *state;

	check(f, hello_command, "hello 4", "-NOPROTO unsupported protocol version\r\n");
	check(f, hello_command, "hello x",
		"-ERR Protocol version is not an integer or out of range\r\n");
	check(f, hello_command, "hello 3 auth u", "-ERR Syntax error in HELLO option 'auth'\r\n");
	check(f, hello_command, "hello 3 x", "-ERR Syntax error in HELLO option 'x'\r\n");
	assert_int_equal(f->c[0].resp, 2);
}

static void hello_logs_in_and_names(void **state)
{
	struct fixture *f = *state;

	require_password(f, "sesame");
	check(f, hello_command, "hello 3 auth default x", WRONGPASS);
	assert_int_equal(f->c[0].resp, 2);
	check(f, hello_command, "hello 2 auth default sesame setname joe",
		"*14\r\n" HELLO_FIELDS("2"));
	assert_string_equal(client_name(&f->c[0]), "joe");
}

static void reset_leaves_a_new_connection(void **state)
{
	struct fixture *f = *state;
	struct client *c = &f->c[0];

	require_password(f, "sesame");
	check(f, auth_command, "auth sesame", "+OK\r\n");
	check(f, select_command, "select 3", "+OK\r\n");
	check(f, client_setname_command, "client setname joe", "+OK\r\n");
	check(f, client_reply_command, "client reply off", "");
	c->resp = 3;
	monitor_start(c);
	check(f, reset_command, "reset", "+RESET\r\n");
	assert_int_equal(c->db, 0);
	assert_int_equal(c->resp, 2);
	assert_null(client_name(c));
	assert_int_equal(c->flags, 0);
	assert_int_equal(atomic_load(&f->srv.nr_monitors), 0);
}

static void reset_without_a_password_stays_logged_in(void **state)
{
	struct fixture *f = *state;

	check(f, reset_command, "reset", "+RESET\r\n");
	assert_true(f->c[0].flags & CLIENT_AUTHENTICATED);
}

static void replicas_cannot_be_reset(void **state)
{
	struct fixture *f = *state;

	f->c[0].flags = CLIENT_REPLICA;
	check(f, reset_command, "reset", "-ERR can only reset normal client connections\r\n");
}

static void select_checks_the_range(void **state)
{
	struct fixture *f = *state;

	check(f, select_command, "select 15", "+OK\r\n");
	assert_int_equal(f->c[0].db, 15);
	check(f, select_command, "select 16", "-ERR DB index is out of range\r\n");
	check(f, select_command, "select -1", "-ERR DB index is out of range\r\n");
	check(f, select_command, "select 4294967296",
		"-ERR value is out of range, value must between -2147483648 and 2147483647\r\n");
	check(f, select_command, "select x", "-ERR value is not an integer or out of range\r\n");
	assert_int_equal(f->c[0].db, 15);
}

/* --- CLIENT ----------------------------------------------------------------------------------- */

static void names_are_printable_and_removable(void **state)
{
	struct fixture *f = *state;
	static const char refused[] =
		"-ERR Client names cannot contain spaces, newlines or special characters.\r\n";

	check(f, client_setname_command, "client setname a\n", refused);
	check(f, client_setname_command, "client setname a\x7f", refused);
	check(f, client_setname_command, "client setname ~!", "+OK\r\n");
	check(f, client_getname_command, "client getname", "$2\r\n~!\r\n");
	assert_true(client_name_set(&f->c[0], &(struct slice){"", 0}));
	check(f, client_getname_command, "client getname", "$-1\r\n");
}

static void line_describes_a_client(void **state)
{
	struct fixture *f = *state;
	struct client_filter all = {.by_id = false};
	struct client_view *views;
	struct textbuf tb;

	atomic_store(&f->c[1].pub_flags, CLIENT_UNIX | CLIENT_NO_EVICT);
	atomic_store(&f->c[1].pub_db, 7);
	atomic_store(&f->c[1].pub_own, 1000);
	atomic_store(&f->c[1].pub_qbuf, 10);
	atomic_store(&f->c[1].pub_obuf, 20);
	atomic_store(&f->c[1].pub_resp, 3);
	assert_int_equal(client_views_take(&f->srv, &all, &views), 3);
	textbuf_init(&tb);
	client_view_print(&tb, &views[1], NOW_MS);
	assert_string_equal(textbuf_str(&tb),
		"id=2 addr=10.0.0.2:100 laddr=10.0.0.9:6379 fd=-1 name= age=90 idle=5 flags=Ue "
		"db=7 sub=0 psub=0 ssub=0 multi=-1 qbuf=10 qbuf-free=0 argv-mem=0 multi-mem=0 "
		"rbs=0 rbp=0 obl=0 oll=1 omem=20 tot-mem=1030 events=rw cmd=NULL user=default "
		"redir=-1 resp=3");
	textbuf_fini(&tb);
	client_views_free(views, 3);
}

static void own_line_is_up_to_date(void **state)
{
	struct fixture *f = *state;
	struct textbuf tb;

	f->c[0].db = 4;
	f->c[0].argc = 2;
	f->argv[0] = (struct slice){"client", 6};
	f->argv[1] = (struct slice){"list", 4};
	textbuf_init(&tb);
	client_self_print(&tb, &f->c[0]);
	assert_non_null(strstr(textbuf_str(&tb), " idle=0 flags=N db=4 "));
	assert_non_null(strstr(textbuf_str(&tb), " cmd=client|list "));
	assert_non_null(strstr(textbuf_str(&tb), " qbuf=26 "));
	textbuf_fini(&tb);
}

static void list_filters_by_type_and_ids(void **state)
{
	struct fixture *f = *state;
	uint64_t ids[] = {1, 3};
	struct client_filter replicas = {.by_type = true, .type = CLIENT_TYPE_REPLICA};
	struct client_filter some = {.by_id = true, .ids = ids, .nr_ids = 2};
	struct client_view *views;

	atomic_store(&f->c[1].pub_flags, CLIENT_REPLICA);
	assert_int_equal(client_views_take(&f->srv, &replicas, &views), 1);
	assert_int_equal(views[0].id, 2);
	client_views_free(views, 1);
	assert_int_equal(client_views_take(&f->srv, &some, &views), 2);
	assert_int_equal(views[1].id, 3);
	client_views_free(views, 2);
	check(f, client_list_command, "client list type x", "-ERR Unknown client type 'x'\r\n");
	check(f, client_list_command, "client list id 1 x", "-ERR Invalid client ID\r\n");
	check(f, client_list_command, "client list id", "-ERR syntax error\r\n");
	check(f, client_list_command, "client list id 99 7", "$0\r\n\r\n");
}

static void kill_spares_the_caller_unless_told(void **state)
{
	struct fixture *f = *state;

	check(f, client_kill_command, "client kill type normal", ":2\r\n");
	assert_int_equal(f->nr_kicked, 2);
	assert_false(atomic_load(&f->c[0].kill));
	assert_false(f->c[0].flags & CLIENT_CLOSE_AFTER);
	assert_true(atomic_load(&f->c[1].kill));
	check(f, client_kill_command, "client kill type normal skipme no", ":1\r\n");
	assert_false(atomic_load(&f->c[0].kill));
	assert_true(f->c[0].flags & CLIENT_CLOSE_AFTER);
}

static void kill_needs_all_options_to_fit(void **state)
{
	struct fixture *f = *state;

	check(f, client_kill_command, "client kill id 2 addr 10.0.0.3:100", ":0\r\n");
	check(f, client_kill_command, "client kill id 3 addr 10.0.0.3:100 laddr 10.0.0.9:6379",
		":1\r\n");
	assert_true(atomic_load(&f->c[2].kill));
	assert_false(atomic_load(&f->c[1].kill));
}

static void kill_by_user(void **state)
{
	struct fixture *f = *state;

	f->c[1].user = &f->users[1];
	check(f, client_kill_command, "client kill user eve", "-ERR No such user 'eve'\r\n");
	check(f, client_kill_command, "client kill user bob", ":1\r\n");
	assert_true(atomic_load(&f->c[1].kill));
	assert_false(atomic_load(&f->c[2].kill));
	check(f, client_kill_command, "client kill user default", ":1\r\n");
	assert_true(atomic_load(&f->c[2].kill));
}

static void kill_by_address_in_the_old_form(void **state)
{
	struct fixture *f = *state;

	check(f, client_kill_command, "client kill 10.0.0.2:1", "-ERR No such client\r\n");
	check(f, client_kill_command, "client kill 10.0.0.2:100", "+OK\r\n");
	assert_true(atomic_load(&f->c[1].kill));
	check(f, client_kill_command, "client kill 10.0.0.1:100", "+OK\r\n");
	assert_true(f->c[0].flags & CLIENT_CLOSE_AFTER);
}

static void killed_clients_are_gone_at_once(void **state)
{
	struct client_filter all = {.by_id = false};
	struct fixture *f = *state;
	struct client_view *views;

	check(f, client_kill_command, "client kill id 2", ":1\r\n");
	check(f, client_kill_command, "client kill type normal", ":1\r\n");
	assert_int_equal(client_views_take(&f->srv, &all, &views), 1);
	assert_int_equal(views[0].id, 1);
	client_views_free(views, 1);
}

static void kill_refuses_wrong_options(void **state)
{
	struct fixture *f = *state;

	check(f, client_kill_command, "client kill id 0",
		"-ERR client-id should be greater than 0\r\n");
	check(f, client_kill_command, "client kill user eve", "-ERR No such user 'eve'\r\n");
	check(f, client_kill_command, "client kill skipme x", "-ERR syntax error\r\n");
	check(f, client_kill_command, "client kill id 2 addr", "-ERR syntax error\r\n");
	assert_int_equal(f->nr_kicked, 0);
}

static void pause_is_only_extended(void **state)
{
	struct fixture *f = *state;

	check(f, client_pause_command, "client pause 1000 all", "+OK\r\n");
	check(f, client_pause_command, "client pause 500 write", "+OK\r\n");
	assert_int_equal(atomic_load(&f->srv.pause_until_ms), NOW_MS + 1000);
	assert_int_equal(atomic_load(&f->srv.pause_all_until_ms), NOW_MS + 1000);
	check(f, client_unpause_command, "client unpause", "+OK\r\n");
	check(f, client_pause_command, "client pause 500 write", "+OK\r\n");
	assert_int_equal(atomic_load(&f->srv.pause_until_ms), NOW_MS + 500);
	assert_int_equal(atomic_load(&f->srv.pause_all_until_ms), 0);
}

static void pauses_for_other_reasons_are_left_alone(void **state)
{
	struct fixture *f = *state;

	pause_begin(&f->srv, PAUSE_FAILOVER, NOW_MS, NOW_MS + 2000, true);
	check(f, client_pause_command, "client pause 1000 all", "+OK\r\n");
	assert_int_equal(atomic_load(&f->srv.pause_until_ms), NOW_MS + 2000);
	assert_int_equal(atomic_load(&f->srv.pause_all_until_ms), NOW_MS + 1000);
	check(f, client_unpause_command, "client unpause", "+OK\r\n");
	assert_int_equal(atomic_load(&f->srv.pause_until_ms), NOW_MS + 2000);
	assert_int_equal(atomic_load(&f->srv.pause_all_until_ms), 0);
	check(f, client_pause_command, "client pause 3000 write", "+OK\r\n");
	pause_end(&f->srv, PAUSE_FAILOVER);
	assert_int_equal(atomic_load(&f->srv.pause_until_ms), NOW_MS + 3000);
}

static void pause_refuses_wrong_times(void **state)
{
	struct fixture *f = *state;

	check(f, client_pause_command, "client pause x",
		"-ERR timeout is not an integer or out of range\r\n");
	check(f, client_pause_command, "client pause -1", "-ERR timeout is negative\r\n");
	check(f, client_pause_command, "client pause 9223372036854775807",
		"-ERR timeout is out of range\r\n");
	check(f, client_pause_command, "client pause 1 x",
		"-ERR CLIENT PAUSE mode must be WRITE or ALL\r\n");
	assert_int_equal(atomic_load(&f->srv.pause_until_ms), 0);
}

static void reply_off_is_silent_until_on(void **state)
{
	struct fixture *f = *state;

	check(f, client_reply_command, "client reply off", "");
	check(f, client_reply_command, "client reply skip", "");
	assert_false(f->c[0].flags & CLIENT_REPLY_SKIP_NEXT);
	check(f, client_reply_command, "client reply on", "+OK\r\n");
	check(f, client_reply_command, "client reply skip", "");
	assert_true(f->c[0].flags & CLIENT_REPLY_SKIP_NEXT);
}

static void unblock_asks_the_owner(void **state)
{
	struct fixture *f = *state;

	f->c[2].flags = CLIENT_BLOCKED;
	check(f, client_unblock_command, "client unblock 99", ":0\r\n");
	check(f, client_unblock_command, "client unblock 2", ":0\r\n");
	check(f, client_unblock_command, "client unblock 3 error", ":1\r\n");
	assert_int_equal(f->unblocked, 3);
	assert_true(f->unblock_error);
	check(f, client_unblock_command, "client unblock 3 x",
		"-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR\r\n");
}

/* --- MONITOR ---------------------------------------------------------------------------------- */

static const char *output(struct fixture *f, unsigned i)
{
	static char text[256];
	size_t len = (size_t)obuf_len(f->c[i].out);

	assert_in_range(len, 0, sizeof(text) - 1);
	if (len)
		obuf_copy_at(f->c[i].out, 0, text, (uint32_t)len);
	obuf_consume(f->c[i].out, len);
	text[len] = '\0';
	return text;
}

/* The second client is on the first one's core, the third one on another. */
static void monitors_of_all_cores_get_the_line(void **state)
{
	static const char line[] =
		"+1700000000.654321 [5 10.0.0.1:100] \"set\" \"k\\n\" \"\\\"v\\\"\"\r\n";
	struct fixture *f = *state;
	struct slice argv[] = {{"set", 3}, {"k\n", 2}, {"\"v\"", 3}};

	monitor_start(&f->c[1]);
	monitor_start(&f->c[2]);
	f->c[0].db = 5;
	monitor_feed(&f->c[0], 3, argv);
	assert_string_equal(output(f, 0), "");
	assert_string_equal(output(f, 1), line);
	assert_string_equal(output(f, 2), line);
	f->inbox_full = true;
	monitor_feed(&f->c[0], 3, argv);
	assert_string_equal(output(f, 1), line);
	assert_string_equal(output(f, 2), "");
}

static void who_monitors_no_more_gets_no_line(void **state)
{
	struct fixture *f = *state;
	struct slice argv[] = {{"ping", 4}};

	check(f, monitor_command, "monitor", "+OK\r\n");
	check(f, monitor_command, "monitor", "+OK\r\n");
	monitor_start(&f->c[2]);
	assert_int_equal(atomic_load(&f->srv.nr_monitors), 2);
	check(f, reset_command, "reset", "+RESET\r\n");
	monitor_stop(&f->c[2]);
	monitor_stop(&f->c[2]);
	assert_int_equal(atomic_load(&f->srv.nr_monitors), 0);
	monitor_feed(&f->c[1], 1, argv);
	assert_string_equal(output(f, 0), "");
	assert_string_equal(output(f, 2), "");
}

static void monitors_see_no_passwords(void **state)
{
	struct fixture *f = *state;
	struct slice argv[] = {{"AUTH", 4}, {"hunter2", 7}};

	monitor_start(&f->c[1]);
	f->c[0].flags = CLIENT_UNIX;
	strcpy(f->c[0].cold->ends, "/run/s.sock:0");
	monitor_feed(&f->c[0], 2, argv);
	assert_string_equal(output(f, 1),
		"+1700000000.654321 [0 unix:/run/s.sock] \"AUTH\" \"(redacted)\"\r\n");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(auth_needs_the_whole_password),
		TEST(auth_of_default_user_is_the_same),
		TEST(auth_without_a_password_set_is_told),
		TEST(hello_switches_the_protocol),
		TEST(hello_refuses_other_versions_and_options),
		TEST(hello_logs_in_and_names),
		TEST(reset_leaves_a_new_connection),
		TEST(reset_without_a_password_stays_logged_in),
		TEST(replicas_cannot_be_reset),
		TEST(select_checks_the_range),
		TEST(names_are_printable_and_removable),
		TEST(line_describes_a_client),
		TEST(own_line_is_up_to_date),
		TEST(list_filters_by_type_and_ids),
		TEST(kill_spares_the_caller_unless_told),
		TEST(kill_needs_all_options_to_fit),
		TEST(kill_by_user),
		TEST(kill_by_address_in_the_old_form),
		TEST(killed_clients_are_gone_at_once),
		TEST(kill_refuses_wrong_options),
		TEST(pause_is_only_extended),
		TEST(pauses_for_other_reasons_are_left_alone),
		TEST(pause_refuses_wrong_times),
		TEST(reply_off_is_silent_until_on),
		TEST(unblock_asks_the_owner),
		TEST(monitors_of_all_cores_get_the_line),
		TEST(who_monitors_no_more_gets_no_line),
		TEST(monitors_see_no_passwords),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
