/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The stack is entered once, by swapcontext(); from then on both sides go to and fro with _setjmp()
 * and _longjmp(), which make no system call. The fiber's loop takes the next function when the one
 * before has returned, so a fiber that is used again costs no entering.
 */
#undef _FORTIFY_SOURCE /* its longjmp() takes a jump to another stack for an error */
#include "app/script/fiber.h"

#include "checks.h"

#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

struct fiber {
	char *map; /* the page below, then the stack */
	size_t map_bytes, page;
	bool is_entered, is_done, is_inside;
	void (*fn)(void *arg);
	void *arg;
	jmp_buf inside, outside;
	ucontext_t first, back; /* of the first entering */

	const void *caller_stack;
	size_t caller_bytes;
	void *tsan_self, *tsan_caller; /* for ThreadSanitizer */
};

struct fiber *fiber_create(size_t stack_bytes)
{
	struct fiber *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->page = (size_t)sysconf(_SC_PAGESIZE);
	f->map_bytes = f->page + stack_bytes;
	f->map = mmap(NULL, f->map_bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (f->map == MAP_FAILED || mprotect(f->map, f->page, PROT_NONE)) {
		if (f->map != MAP_FAILED)
			munmap(f->map, f->map_bytes);
		free(f);
		return NULL;
	}
#ifdef __SANITIZE_THREAD__
	f->tsan_self = __tsan_create_fiber(0);
#endif
	return f;
}

void fiber_destroy(struct fiber **fp)
{
	struct fiber *f = *fp;

	if (!f)
		return;
	BUG_ON(f->is_inside);
#ifdef __SANITIZE_THREAD__
	__tsan_destroy_fiber(f->tsan_self);
#endif
	munmap(f->map, f->map_bytes);
	free(f);
	*fp = NULL;
}

/* --- what the sanitizers have to know --------------------------------------------------------- */

static inline void switch_begin(struct fiber *f, void **fake, bool inwards)
{
#ifdef __SANITIZE_ADDRESS__
	if (inwards)
		__sanitizer_start_switch_fiber(fake, f->map + f->page, f->map_bytes - f->page);
	else
		__sanitizer_start_switch_fiber(fake, f->caller_stack, f->caller_bytes);
#endif
#ifdef __SANITIZE_THREAD__
	if (inwards)
		f->tsan_caller = __tsan_get_current_fiber();
	__tsan_switch_to_fiber(inwards ? f->tsan_self : f->tsan_caller, 0);
#endif
}

static inline void switch_end(struct fiber *f, void *fake, bool inwards)
{
#ifdef __SANITIZE_ADDRESS__
	if (inwards)
		__sanitizer_finish_switch_fiber(fake, &f->caller_stack, &f->caller_bytes);
	else
		__sanitizer_finish_switch_fiber(fake, NULL, NULL);
#endif
}

/* --- to and fro ------------------------------------------------------------------------------- */

static void go_out(struct fiber *f)
{
	void *fake = NULL;

	if (_setjmp(f->inside) == 0) {
		switch_begin(f, &fake, false);
		_longjmp(f->outside, 1);
	}
	switch_end(f, fake, true);
}

static void stack_main(unsigned low, unsigned high)
{
	struct fiber *f = (struct fiber *)((uintptr_t)high << 32 | low);

	switch_end(f, NULL, true);
	for (;;) {
		f->fn(f->arg);
		f->is_done = true;
		go_out(f);
	}
}

/* Never comes back by itself: stack_main() goes out with _longjmp(). */
static void enter_first(struct fiber *f)
{
	BUG_ON(getcontext(&f->first));
	f->first.uc_stack.ss_sp = f->map + f->page;
	f->first.uc_stack.ss_size = f->map_bytes - f->page;
	f->first.uc_link = NULL;
	makecontext(&f->first, (void (*)(void))stack_main, 2, (unsigned)(uintptr_t)f,
		(unsigned)((uintptr_t)f >> 32));
	swapcontext(&f->back, &f->first);
}

static bool go_in(struct fiber *f)
{
	void *fake = NULL;

	f->is_inside = true;
	f->is_done = false;
	if (_setjmp(f->outside) == 0) {
		switch_begin(f, &fake, true);
		if (f->is_entered)
			_longjmp(f->inside, 1);
		f->is_entered = true;
		enter_first(f);
	}
	switch_end(f, fake, false);
	f->is_inside = false;
	return f->is_done;
}

bool fiber_run(struct fiber *f, void (*fn)(void *arg), void *arg)
{
	BUG_ON(f->is_inside);
	f->fn = fn;
	f->arg = arg;
	return go_in(f);
}

bool fiber_resume(struct fiber *f)
{
	BUG_ON(f->is_inside);
	return go_in(f);
}

void fiber_leave(struct fiber *f)
{
	BUG_ON(!f->is_inside);
	f->is_done = false;
	go_out(f);
}

bool fiber_is_inside(const struct fiber *f)
{
	return f->is_inside;
}
