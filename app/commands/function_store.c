/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/commands/function_store.h"

#include "app/commands/script_core.h"
#include "app/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- RDB -------------------------------------------------------------------------------------- */

int functions_write(const struct server *srv, struct rdb_writer *w)
{
	const struct library_set *s = &srv->scripts->libs;

	for (unsigned i = 0; i < s->nr; i++)
		rdb_write_function(w, s->libs[i]->code, s->libs[i]->len);
	return w->err;
}

static int to_buffer(void *ctx, const void *buf, size_t len)
{
	encbuf_add(ctx, buf, len);
	return 0;
}

int functions_save(const struct server *srv, bool compress, struct encbuf *to)
{
	struct rdb_sink sink = {.write = to_buffer, .ctx = to};
	struct rdb_writer w;
	int rc;

	rdb_writer_init(&w, sink, compress ? RDB_WRITE_COMPRESS : 0);
	rc = functions_write(srv, &w);
	rdb_writer_fini(&w);
	return rc;
}

static void log_text(void *ctx, int level, const char *text, size_t len)
{
	struct function_intake *in = ctx;

	server_log(in->srv, level, "%.*s", (int)(len < 1024 ? len : 1024), text);
}

static const struct script_host intake_host = {.log = log_text};

int function_intake_add(void *ctx, const void *source, size_t len, char *err, size_t err_len)
{
	struct function_intake *in = ctx;
	char text[SCRIPT_ERR_MAX];

	if (!in->vm)
		in->vm = script_vm_create(SCRIPT_VM_FUNCTION, &intake_host, in);
	if (!in->vm) {
		snprintf(err, err_len, "out of memory");
		return -ENOMEM;
	}
	if (library_load(&in->set, in->vm, source, len, false, 0, text))
		return 0;
	snprintf(err, err_len, "a library of functions cannot be loaded: %s", text);
	return -EBADMSG;
}

void function_intake_fini(struct function_intake *in)
{
	library_set_fini(&in->set);
	script_vm_destroy(&in->vm);
}

void function_intake_swap(struct function_intake *in)
{
	library_set_swap(&in->srv->scripts->libs, &in->set);
}

/* --- what a core has compiled ----------------------------------------------------------------- */

void function_vm_note(struct app_core *ac, uint64_t id)
{
	struct script_core *sk = ac->script;
	uint64_t *loaded = reallocarray(sk->loaded, sk->nr_loaded + 1, sizeof(*loaded));

	if (!loaded) /* it stays compiled, though it may go */
		return;
	sk->loaded = loaded;
	loaded[sk->nr_loaded++] = id;
}

/* Lets go of libraries that are not the node's any more. */
static void forget_gone(struct script_core *sk, struct script_vm *vm)
{
	const struct library_set *s = &sk->ac->srv->scripts->libs;
	unsigned n = 0;

	if (sk->libs_seen == s->changes)
		return;
	for (unsigned i = 0; i < sk->nr_loaded; i++) {
		if (library_find_id(s, sk->loaded[i]))
			sk->loaded[n++] = sk->loaded[i];
		else
			script_vm_unload(vm, sk->loaded[i]);
	}
	sk->nr_loaded = n;
	sk->libs_seen = s->changes;
}

struct script_vm *function_vm_get(
	struct app_core *ac, const struct library *lib, char err[SCRIPT_ERR_MAX])
{
	struct script_vm *vm = script_vm_get(ac, SCRIPT_VM_FUNCTION);

	if (!vm) {
		snprintf(err, SCRIPT_ERR_MAX, "ERR out of memory");
		return NULL;
	}
	forget_gone(ac->script, vm);
	if (script_vm_is_loaded(vm, lib->id))
		return vm;
	if (!script_vm_load(
		    vm, lib->id, lib->code + lib->skip, lib->len - lib->skip, 0, NULL, NULL, err))
		return NULL;
	function_vm_note(ac, lib->id);
	return vm;
}
