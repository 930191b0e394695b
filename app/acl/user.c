/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/acl/user.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/sha.h>

/* --- lists ------------------------------------------------------------------------------------ */

/* Room for one more element. False: no memory. */
static bool grow(void *list, unsigned nr, size_t size)
{
	void **at = list, *p;

	if (nr & (nr - 1)) /* full at powers of two only */
		return true;
	p = reallocarray(*at, nr ? 2 * (size_t)nr : 1, size);
	if (!p)
		return false;
	*at = p;
	return true;
}

static char *text_copy(const char *text, size_t len)
{
	char *copy = malloc(len + 1);

	if (!copy)
		return NULL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

static struct acl_pattern *pattern_find(
	const struct acl_patterns *list, const char *text, size_t len)
{
	for (unsigned i = 0; i < list->nr; i++)
		if (list->at[i].len == len && memcmp(list->at[i].text, text, len) == 0)
			return &list->at[i];
	return NULL;
}

bool acl_patterns_have(const struct acl_patterns *list, const char *text, size_t len)
{
	return pattern_find(list, text, len);
}

int acl_patterns_add(struct acl_patterns *list, const char *text, size_t len, unsigned access)
{
	struct acl_pattern *p = pattern_find(list, text, len);

	if (p) {
		p->access |= access;
		return 0;
	}
	if (!grow(&list->at, list->nr, sizeof(*list->at)))
		return -ENOMEM;
	p = &list->at[list->nr];
	p->text = text_copy(text, len);
	if (!p->text)
		return -ENOMEM;
	p->len = len;
	p->access = access;
	list->nr++;
	return 0;
}

void acl_patterns_clear(struct acl_patterns *list)
{
	for (unsigned i = 0; i < list->nr; i++)
		free(list->at[i].text);
	free(list->at);
	memset(list, 0, sizeof(*list));
}

static int patterns_copy(struct acl_patterns *to, const struct acl_patterns *from)
{
	for (unsigned i = 0; i < from->nr; i++)
		if (acl_patterns_add(to, from->at[i].text, from->at[i].len, from->at[i].access))
			return -ENOMEM;
	return 0;
}

int acl_first_arg_add(struct acl_selector *s, unsigned id, const char *text)
{
	for (unsigned i = 0; i < s->nr_first_args; i++)
		if (s->first_args[i].id == id && strcasecmp(s->first_args[i].text, text) == 0)
			return 0;
	if (!grow(&s->first_args, s->nr_first_args, sizeof(*s->first_args)))
		return -ENOMEM;
	s->first_args[s->nr_first_args] = (struct acl_first_arg){id, strdup(text)};
	if (!s->first_args[s->nr_first_args].text)
		return -ENOMEM;
	s->nr_first_args++;
	return 0;
}

void acl_first_args_clear(struct acl_selector *s)
{
	for (unsigned i = 0; i < s->nr_first_args; i++)
		free(s->first_args[i].text);
	free(s->first_args);
	s->first_args = NULL;
	s->nr_first_args = 0;
}

void acl_first_args_remove(struct acl_selector *s, unsigned id)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < s->nr_first_args; i++) {
		if (s->first_args[i].id == id)
			free(s->first_args[i].text);
		else
			s->first_args[kept++] = s->first_args[i];
	}
	s->nr_first_args = kept;
}

/* --- selectors -------------------------------------------------------------------------------- */

static void selector_fini(struct acl_selector *s)
{
	acl_first_args_clear(s);
	acl_patterns_clear(&s->keys);
	acl_patterns_clear(&s->channels);
}

struct acl_selector *acl_selector_add(struct acl_user *u, bool all_channels)
{
	struct acl_selector *s;

	if (!grow(&u->selectors, u->nr_selectors, sizeof(*u->selectors)))
		return NULL;
	s = &u->selectors[u->nr_selectors++];
	memset(s, 0, sizeof(*s));
	s->all_channels = all_channels;
	return s;
}

void acl_selectors_clear(struct acl_user *u)
{
	while (u->nr_selectors > 1)
		selector_fini(&u->selectors[--u->nr_selectors]);
}

static int selector_copy(struct acl_user *u, const struct acl_selector *from)
{
	struct acl_selector *s = acl_selector_add(u, from->all_channels);

	if (!s)
		return -ENOMEM;
	s->all_commands = from->all_commands;
	s->all_keys = from->all_keys;
	s->commands = from->commands;
	for (unsigned i = 0; i < from->nr_first_args; i++)
		if (acl_first_arg_add(s, from->first_args[i].id, from->first_args[i].text))
			return -ENOMEM;
	return patterns_copy(&s->keys, &from->keys) || patterns_copy(&s->channels, &from->channels)
		       ? -ENOMEM
		       : 0;
}

/* --- users ------------------------------------------------------------------------------------ */

static struct acl_user *user_alloc(const char *name, size_t len)
{
	struct acl_user *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	atomic_init(&u->refs, 1);
	u->name = text_copy(name, len);
	u->name_len = len;
	if (u->name)
		return u;
	free(u);
	return NULL;
}

struct acl_user *acl_user_create(const char *name, size_t len, bool all_channels)
{
	struct acl_user *u = user_alloc(name, len);

	if (u && !acl_selector_add(u, all_channels)) {
		acl_user_put(u);
		return NULL;
	}
	return u;
}

struct acl_user *acl_user_copy(const struct acl_user *from)
{
	struct acl_user *u = user_alloc(from->name, from->name_len);
	int rc = 0;

	if (!u)
		return NULL;
	u->account = from->account;
	u->enabled = from->enabled;
	u->nopass = from->nopass;
	u->sanitize = from->sanitize;
	for (unsigned i = 0; i < from->nr_passwords && rc == 0; i++)
		rc = acl_password_add(u, from->passwords[i].hash);
	for (unsigned i = 0; i < from->nr_selectors && rc == 0; i++)
		rc = selector_copy(u, &from->selectors[i]);
	if (rc == 0)
		return u;
	acl_user_put(u);
	return NULL;
}

void acl_user_seal(struct acl_user *u)
{
	u->unrestricted = false;
	for (unsigned i = 0; i < u->nr_selectors; i++) {
		const struct acl_selector *s = &u->selectors[i];

		u->unrestricted |= s->all_commands && s->all_keys && s->all_channels;
	}
}

void acl_user_get(struct acl_user *u)
{
	atomic_fetch_add_explicit(&u->refs, 1, memory_order_relaxed);
}

void acl_user_put(struct acl_user *u)
{
	if (!u || atomic_fetch_sub_explicit(&u->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (unsigned i = 0; i < u->nr_selectors; i++)
		selector_fini(&u->selectors[i]);
	free(u->selectors);
	free(u->passwords);
	free(u->name);
	free(u);
}

/* --- passwords -------------------------------------------------------------------------------- */

static bool hash_equals(const char *a, const char *b)
{
	unsigned differs = 0;

	for (int i = 0; i < ACL_HASH_LEN; i++)
		differs |= (unsigned)(a[i] ^ b[i]);
	return differs == 0;
}

int acl_password_add(struct acl_user *u, const char hash[ACL_HASH_LEN + 1])
{
	for (unsigned i = 0; i < u->nr_passwords; i++)
		if (hash_equals(u->passwords[i].hash, hash))
			return 0;
	if (!grow(&u->passwords, u->nr_passwords, sizeof(*u->passwords)))
		return -ENOMEM;
	memcpy(u->passwords[u->nr_passwords++].hash, hash, ACL_HASH_LEN + 1);
	return 0;
}

bool acl_password_remove(struct acl_user *u, const char hash[ACL_HASH_LEN + 1])
{
	for (unsigned i = 0; i < u->nr_passwords; i++) {
		if (!hash_equals(u->passwords[i].hash, hash))
			continue;
		u->nr_passwords--;
		memmove(&u->passwords[i], &u->passwords[i + 1],
			(u->nr_passwords - i) * sizeof(*u->passwords));
		return true;
	}
	return false;
}

void acl_passwords_clear(struct acl_user *u)
{
	free(u->passwords);
	u->passwords = NULL;
	u->nr_passwords = 0;
}

void acl_hash(const void *password, size_t len, char hash[ACL_HASH_LEN + 1])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char bytes[SHA256_DIGEST_LENGTH];

	SHA256(password, len, bytes);
	for (int i = 0; i < SHA256_DIGEST_LENGTH; i++) {
		*hash++ = digits[bytes[i] >> 4];
		*hash++ = digits[bytes[i] & 15];
	}
	*hash = '\0';
}

bool acl_user_accepts(const struct acl_user *u, const void *password, size_t len)
{
	char hash[ACL_HASH_LEN + 1];
	bool fits = false;

	if (!u->enabled)
		return false;
	if (u->nopass)
		return true;
	acl_hash(password, len, hash);
	for (unsigned i = 0; i < u->nr_passwords; i++)
		fits |= hash_equals(u->passwords[i].hash, hash);
	return fits;
}
