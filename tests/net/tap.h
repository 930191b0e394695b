/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A tap on the wire of the laboratory: keeps what one host sends, and lets none of it through
 * unless told to.
 */
#ifndef MILLRACE_TESTS_NET_TAP_H
#define MILLRACE_TESTS_NET_TAP_H

#include "tests/net/wire.h"

#define TAP_FRAMES 16

struct tap {
	uint8_t bytes[TAP_FRAMES][2048]; /* the first ones */
	uint32_t len[TAP_FRAMES];
	uint32_t nr; /* all, also those that are not kept */
	const struct host *from;
	bool pass;
};

/* Listens to host b, after lab_init(). */
void tap_set(struct lab *lab, struct tap *tap);

/* lab_init(), tap_set() and lab_up() with a backlog of 8. */
void tap_up(struct lab *lab, struct tap *tap, uint64_t seed);

#endif
