/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A fiber: a function on a stack of its own, which can be left in its middle and gone on with later
 * by the same thread. How a script that takes long lets its poll core see to others.
 *
 *	fiber_run():    caller --> fn ... fiber_leave() --> caller
 *	fiber_resume(): caller ------> behind fiber_leave() ... fn returns --> caller
 *
 * The stack is address space only; pages are taken as they are touched. A page that cannot be
 * touched lies below it. One thread; fibers do not nest.
 */
#ifndef MILLRACE_APP_SCRIPT_FIBER_H
#define MILLRACE_APP_SCRIPT_FIBER_H

#include <stdbool.h>
#include <stddef.h>

struct fiber;

/* NULL: no memory. */
struct fiber *fiber_create(size_t stack_bytes);
/* What it was in the middle of is given up: nothing of it runs any more. NULL-safe. */
void fiber_destroy(struct fiber **f);

/* Runs fn(arg). True: it has returned. False: it has left, and waits. It is not waiting now. */
bool fiber_run(struct fiber *f, void (*fn)(void *arg), void *arg);
/* Goes on with what has left. As fiber_run(). */
bool fiber_resume(struct fiber *f);
/* From inside: back to the caller, until he resumes. */
void fiber_leave(struct fiber *f);
/* Is the caller inside of it? */
bool fiber_is_inside(const struct fiber *f);

#endif
