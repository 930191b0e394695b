/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Which arguments of a command are secrets: SLOWLOG and MONITOR show "(redacted)" in their place.
 */
#ifndef MILLRACE_APP_REDACT_H
#define MILLRACE_APP_REDACT_H

#include "dataplane/resp.h"

#include <stdbool.h>
#include <stdint.h>

extern const char REDACTED[]; /* "(redacted)" */

/* Commands in which a secret can stand. Most commands are REDACT_NOTHING, found by one look at
 * the name. */
enum redact_kind {
	REDACT_NOTHING,
	REDACT_AUTH,       /* AUTH [user] password */
	REDACT_HELLO,      /* HELLO ver ... AUTH user password */
	REDACT_CONFIG_SET, /* the values of requirepass, masterauth ... */
	REDACT_ACL_USER,   /* ACL SETUSER: everything behind */
	REDACT_MIGRATE,    /* ... AUTH password, AUTH2 user password */
};
enum redact_kind redact_kind_of(const struct slice *argv, uint32_t argc);

/* True when argv[i] must not be shown. Malformed commands are no reason to show what may be a
 * password. */
bool redact_arg(enum redact_kind kind, const struct slice *argv, uint32_t argc, uint32_t i);

#endif
