/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Libraries of functions, as text and as what they have registered: what FUNCTION LOAD brings and
 * the RDB keeps. No Lua in it: a core compiles a library when it first runs a function of it, under
 * the library's id (vm.h).
 *
 * The node's set is changed by who has the scripts' token and every partition locked, and read by
 * who has either; anybody else asks by the calls that say so, for which changes are made under a
 * lock. A set that is being loaded is nobody else's.
 */
#ifndef MILLRACE_APP_SCRIPT_LIBRARY_H
#define MILLRACE_APP_SCRIPT_LIBRARY_H

#include "app/script/vm.h"

#include <rte_spinlock.h>

/* How long FUNCTION LOAD may run a library's code. */
#define LIBRARY_LOAD_MS 500

struct library;

struct library_function {
	struct library *lib;
	struct slice name, desc; /* owned; desc.ptr NULL: none; name ends in a zero */
	uint32_t flags;
};

struct library {
	uint64_t id; /* of this text: no other ever has it */
	char *name;
	char *code; /* all of it, with the first line */
	size_t len, skip;
	unsigned nr_functions, cap;
	struct library_function *functions; /* in the order of their registration */
};

/* Values: all zero is an empty one. */
struct library_set {
	rte_spinlock_t lock; /* held while anything below changes */
	uint64_t changes;    /* grows when a library goes */
	unsigned nr, nr_functions;
	struct library **libs;               /* owned, in the order of their names */
	struct library_function **functions; /* of all, in the order of their names but for case */
	size_t bytes;
};

void library_set_fini(struct library_set *s); /* leaves it empty */
/* Exchanges the node's set with another one. */
void library_set_swap(struct library_set *node, struct library_set *other);
/* How many there are. Any thread. */
void library_set_counts(struct library_set *s, unsigned *nr, unsigned *nr_functions, size_t *bytes);
/* The flags of a function. False: there is none of that name. Any thread. */
bool library_function_flags(struct library_set *s, const struct slice *name, uint32_t *flags);

/* NULL: there is none. Functions are found in any case. */
struct library *library_find_id(const struct library_set *s, uint64_t id);
struct library *library_find(const struct library_set *s, const struct slice *name);
struct library_function *library_find_function(
	const struct library_set *s, const struct slice *name);

/* Runs the code in vm, so that it tells its functions, and adds it to the set. Returns its name,
 * borrowed from the set, or NULL: err ("ERR ..."), and the set is as it was. */
const char *library_load(struct library_set *s, struct script_vm *vm, const char *code, size_t len,
	bool replace, unsigned timeout_ms, char err[SCRIPT_ERR_MAX]);
/* False: there is no such library. */
bool library_delete(struct library_set *s, const struct slice *name);
/* Moves all of from into s, or, when a name is taken, nothing: err. replace: libraries of the same
 * name go. */
bool library_join(
	struct library_set *s, struct library_set *from, bool replace, char err[SCRIPT_ERR_MAX]);

#endif
