/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Which arguments of a command are secrets.
 */
#include "app/redact.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

const char REDACTED[] = "(redacted)";

/* Directives whose values CONFIG SET must not leave behind. */
static const char *const secret_directives[] = {
	"requirepass",
	"masterauth",
	"masteruser",
	"tls-key-file-pass",
	"tls-client-key-file-pass",
};

static bool is_word(const struct slice *a, const char *word)
{
	return a->len == strlen(word) && strncasecmp(a->ptr, word, a->len) == 0;
}

enum redact_kind redact_kind_of(const struct slice *argv, uint32_t argc)
{
	if (argc < 2)
		return REDACT_NOTHING;
	switch (argv[0].len) {
	case 3:
		if (is_word(&argv[0], "acl") && is_word(&argv[1], "setuser"))
			return REDACT_ACL_USER;
		break;
	case 4:
		if (is_word(&argv[0], "auth"))
			return REDACT_AUTH;
		break;
	case 5:
		if (is_word(&argv[0], "hello"))
			return REDACT_HELLO;
		break;
	case 6:
		if (is_word(&argv[0], "config") && is_word(&argv[1], "set"))
			return REDACT_CONFIG_SET;
		break;
	case 7:
		if (is_word(&argv[0], "migrate"))
			return REDACT_MIGRATE;
		break;
	default: break;
	}
	return REDACT_NOTHING;
}

static bool secret_directive(const struct slice *name)
{
	for (size_t i = 0; i < sizeof(secret_directives) / sizeof(secret_directives[0]); i++) {
		if (is_word(name, secret_directives[i]))
			return true;
	}
	return false;
}

/* Is argv[i] one of the nr arguments that follow the word, looking from argv[first] on? */
static bool follows(
	const struct slice *argv, uint32_t first, uint32_t i, const char *word, uint32_t nr)
{
	for (uint32_t back = 1; back <= nr && i >= first + back; back++) {
		if (is_word(&argv[i - back], word))
			return true;
	}
	return false;
}

bool redact_arg(enum redact_kind kind, const struct slice *argv, uint32_t argc, uint32_t i)
{
	if (i >= argc)
		return false;
	switch (kind) {
	case REDACT_NOTHING: return false;
	case REDACT_AUTH: return i >= 1;
	case REDACT_HELLO: return follows(argv, 2, i, "auth", 2);
	case REDACT_CONFIG_SET: return i >= 3 && i % 2 == 1 && secret_directive(&argv[i - 1]);
	case REDACT_ACL_USER: return i >= 2;
	case REDACT_MIGRATE:
		return follows(argv, 6, i, "auth", 1) || follows(argv, 6, i, "auth2", 2);
	}
	return false;
}
