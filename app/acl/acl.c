/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/acl/acl.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char default_name[] = "default";

bool acl_name_valid(const struct slice *name)
{
	for (size_t i = 0; i < name->len; i++)
		if (isspace((unsigned char)name->ptr[i]) || name->ptr[i] == '\0')
			return false;
	return true;
}

static bool is_default(const struct acl_user *u)
{
	return strcmp(u->name, default_name) == 0;
}

/* --- the table (the lock is held) ------------------------------------------------------------- */

static int name_compare(const struct acl_user *u, const char *name, size_t len)
{
	int rc = memcmp(u->name, name, u->name_len < len ? u->name_len : len);

	return rc ? rc : (u->name_len > len) - (u->name_len < len);
}

/* Where it is; or, with found false, where it would be. */
static unsigned place_of(const struct acl *acl, const char *name, size_t len, bool *found)
{
	unsigned low = 0, high = acl->nr;

	*found = false;
	while (low < high) {
		unsigned mid = low + (high - low) / 2;
		int rc = name_compare(acl->users[mid], name, len);

		if (rc == 0) {
			*found = true;
			return mid;
		}
		if (rc < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void changed(struct acl *acl)
{
	atomic_fetch_add_explicit(&acl->changes, 1, memory_order_release);
}

static void stale_put(struct acl_user *u)
{
	atomic_store_explicit(&u->stale, true, memory_order_release);
	acl_user_put(u);
}

static void default_note(struct acl *acl, const struct acl_user *u)
{
	if (!is_default(u))
		return;
	atomic_store_explicit(&acl->default_nopass, u->nopass, memory_order_relaxed);
	atomic_store_explicit(&acl->default_enabled, u->enabled, memory_order_relaxed);
}

static int insert(struct acl *acl, unsigned at, struct acl_user *u)
{
	struct acl_user **users = reallocarray(acl->users, acl->nr + 1, sizeof(*users));

	if (!users)
		return -ENOMEM;
	acl->users = users;
	memmove(&users[at + 1], &users[at], (acl->nr - at) * sizeof(*users));
	users[at] = u;
	acl->nr++;
	return 0;
}

/* Takes now in the place of old (NULL: none), which was found without the lock. 0; -EAGAIN: there
 * is another one by now; -ENOMEM. */
static int swap(struct acl *acl, const struct acl_user *old, struct acl_user *now)
{
	struct acl_user *present;
	bool found;
	unsigned at = place_of(acl, now->name, now->name_len, &found);

	present = found ? acl->users[at] : NULL;
	if (present != old)
		return -EAGAIN;
	now->account = old ? old->account : ++acl->last_account;
	acl_user_seal(now);
	if (!old && insert(acl, at, now))
		return -ENOMEM;
	acl->users[at] = now;
	default_note(acl, now);
	if (present)
		stale_put(present);
	changed(acl);
	return 0;
}

/* --- whole ------------------------------------------------------------------------------------ */

/* Who may do everything. NULL: no memory. */
static struct acl_user *default_create(const struct acl *acl)
{
	static const char *const rules[] = {"+@all", "~*", "&*", "on", "nopass"};
	struct acl_user *u = acl_user_create(default_name, strlen(default_name), false);

	for (size_t i = 0; u && i < sizeof(rules) / sizeof(rules[0]); i++) {
		struct slice rule = slice_str(rules[i]);

		acl_rule_apply(&acl->catalog, u, &rule, false);
	}
	return u;
}

struct acl *acl_create(void)
{
	struct acl *acl = NULL;
	struct acl_user *u;

	if (posix_memalign((void **)&acl, 64, sizeof(*acl)))
		return NULL;
	memset(acl, 0, sizeof(*acl));
	rte_spinlock_init(&acl->lock);
	acl_log_init(&acl->log);
	acl_catalog_init(&acl->catalog);
	u = default_create(acl);
	if (u && swap(acl, NULL, u) == 0)
		return acl;
	acl_user_put(u);
	acl_destroy(&acl);
	return NULL;
}

void acl_destroy(struct acl **aclp)
{
	struct acl *acl = *aclp;

	*aclp = NULL;
	if (!acl)
		return;
	acl_users_put(acl->users, acl->nr);
	acl_log_fini(&acl->log);
	free(acl);
}

struct acl_user *acl_find(struct acl *acl, const char *name, size_t len)
{
	struct acl_user *u = NULL;
	unsigned at;
	bool found;

	rte_spinlock_lock(&acl->lock);
	at = place_of(acl, name, len, &found);
	if (found) {
		u = acl->users[at];
		acl_user_get(u);
	}
	rte_spinlock_unlock(&acl->lock);
	return u;
}

struct acl_user **acl_users(struct acl *acl, unsigned *nr)
{
	struct acl_user **users;

	rte_spinlock_lock(&acl->lock);
	users = calloc(acl->nr, sizeof(*users));
	*nr = users ? acl->nr : 0;
	for (unsigned i = 0; i < *nr; i++) {
		users[i] = acl->users[i];
		acl_user_get(users[i]);
	}
	rte_spinlock_unlock(&acl->lock);
	return users;
}

void acl_users_put(struct acl_user **users, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++)
		acl_user_put(users[i]);
	free(users);
}

/* --- changes ---------------------------------------------------------------------------------- */

/* A user to change: a copy of old, or a new one. */
static struct acl_user *draft(struct acl *acl, const struct acl_user *old, const struct slice *name)
{
	bool all = atomic_load_explicit(&acl->all_channels, memory_order_relaxed);

	return old ? acl_user_copy(old) : acl_user_create(name->ptr, name->len, all);
}

static int apply_all(
	struct acl *acl, struct acl_user *u, const struct acl_rules *rules, struct textbuf *err)
{
	bool all = atomic_load_explicit(&acl->all_channels, memory_order_relaxed);

	for (unsigned i = 0; i < rules->nr; i++) {
		enum acl_rule_result rc = acl_rule_apply(&acl->catalog, u, &rules->at[i], all);

		if (rc == ACL_RULE_OK)
			continue;
		textbuf_addf(err, "Error in ACL SETUSER modifier '%.*s': %s",
			(int)(rules->at[i].len < 1024 ? rules->at[i].len : 1024), rules->at[i].ptr,
			acl_rule_text(rc));
		return -EINVAL;
	}
	return 0;
}

static int set_once(struct acl *acl, const struct slice *name, const struct acl_rules *rules,
	struct textbuf *err)
{
	struct acl_user *old = acl_find(acl, name->ptr, name->len);
	struct acl_user *now = draft(acl, old, name);
	int rc = now ? apply_all(acl, now, rules, err) : -ENOMEM;

	if (rc == 0) {
		rte_spinlock_lock(&acl->lock);
		rc = swap(acl, old, now);
		rte_spinlock_unlock(&acl->lock);
	}
	if (rc == -ENOMEM)
		textbuf_addf(err, "out of memory");
	if (rc)
		acl_user_put(now);
	acl_user_put(old);
	return rc;
}

int acl_set(struct acl *acl, const struct slice *name, uint32_t argc, const struct slice *argv,
	struct textbuf *err)
{
	struct acl_rules rules;
	uint32_t bad = 0;
	int rc = acl_rules_merge(&rules, argc, argv, &bad);

	if (rc == -EINVAL)
		textbuf_addf(err, "Unmatched parenthesis in acl selector starting at '%.*s'.",
			(int)(argv[bad].len < 1024 ? argv[bad].len : 1024), argv[bad].ptr);
	else if (rc)
		textbuf_addf(err, "out of memory");
	if (rc)
		return rc;
	do
		rc = set_once(acl, name, &rules, err);
	while (rc == -EAGAIN);
	acl_rules_fini(&rules);
	return rc;
}

bool acl_delete(struct acl *acl, const char *name, size_t len)
{
	unsigned at;
	bool found;

	rte_spinlock_lock(&acl->lock);
	at = place_of(acl, name, len, &found);
	if (found) {
		struct acl_user *u = acl->users[at];

		acl->nr--;
		memmove(&acl->users[at], &acl->users[at + 1], (acl->nr - at) * sizeof(*acl->users));
		stale_put(u);
		changed(acl);
	}
	rte_spinlock_unlock(&acl->lock);
	return found;
}

int acl_default_password(struct acl *acl, const char *password)
{
	struct slice name = slice_str(default_name), rules[2] = {slice_str("resetpass")};
	struct textbuf err;
	char *rule = NULL;
	int rc;

	if (password && *password) {
		if (asprintf(&rule, ">%s", password) < 0)
			return -ENOMEM;
		rules[1] = slice_str(rule);
	} else {
		rules[1] = slice_str("nopass");
	}
	textbuf_init(&err);
	rc = acl_set(acl, &name, 2, rules, &err);
	textbuf_fini(&err);
	free(rule);
	return rc;
}

/* --- all at once ------------------------------------------------------------------------------ */

static int user_compare(const void *a, const void *b)
{
	const struct acl_user *const *x = a, *const *y = b;

	return name_compare(*x, (*y)->name, (*y)->name_len);
}

/* An array of these users by name, "default" among them. Takes no reference. NULL: no memory. */
static struct acl_user **table_create(
	struct acl *acl, struct acl_user **users, unsigned *nr, struct acl_user **added)
{
	struct acl_user **table = calloc(*nr + 1, sizeof(*table));
	bool has_default = false;

	*added = NULL;
	if (!table)
		return NULL;
	for (unsigned i = 0; i < *nr; i++) {
		table[i] = users[i];
		has_default |= is_default(users[i]);
	}
	if (!has_default) {
		*added = default_create(acl);
		if (!*added) {
			free(table);
			return NULL;
		}
		table[(*nr)++] = *added;
	}
	qsort(table, *nr, sizeof(*table), user_compare);
	return table;
}

int acl_replace_all(struct acl *acl, struct acl_user **users, unsigned nr)
{
	struct acl_user *added, **table = table_create(acl, users, &nr, &added), **old;
	unsigned nr_old;
	bool found;

	if (!table)
		return -ENOMEM;
	rte_spinlock_lock(&acl->lock);
	for (unsigned i = 0; i < nr; i++) {
		acl_user_seal(table[i]);
		if (is_default(table[i]))
			table[i]->account = acl->users[place_of(acl, default_name,
							       strlen(default_name), &found)]
						    ->account;
		else
			table[i]->account = ++acl->last_account;
		default_note(acl, table[i]);
	}
	old = acl->users;
	nr_old = acl->nr;
	acl->users = table;
	acl->nr = nr;
	for (unsigned i = 0; i < nr_old; i++)
		stale_put(old[i]);
	changed(acl);
	rte_spinlock_unlock(&acl->lock);
	free(old);
	return 0;
}
