/* SPDX-License-Identifier: BSD-3-Clause
 *
 * DEBUG DIGEST from inside: how a type's values take part in it (digest.c tells the whole).
 */
#ifndef MILLRACE_APP_KEYSPACE_DIGEST_H
#define MILLRACE_APP_KEYSPACE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define DIGEST_LEN 20

/* The state of one value, and the means to change it. */
struct obj_digest {
	void *sha; /* EVP_MD_CTX */
	uint8_t state[DIGEST_LEN];
};

/* state ^= SHA1(data): the order of such calls does not matter. */
void digest_add(struct obj_digest *d, const void *data, size_t len);
/* state ^= SHA1(data), state = SHA1(state). */
void digest_mix(struct obj_digest *d, const void *data, size_t len);
/* A digest of its own that begins with zeros, for one element; digest_add(d, element.state,
 * DIGEST_LEN) puts it into the value's. */
static inline struct obj_digest digest_element(const struct obj_digest *d)
{
	return (struct obj_digest){.sha = d->sha};
}

#endif
