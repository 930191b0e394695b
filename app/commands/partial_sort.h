/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sorting only as far as it is wanted: the quicksort of Bentley and McIlroy ("Engineering a sort
 * function", 1993), which leaves alone the parts that lie outside of a range.
 *
 * It is not stable, but what becomes of elements that compare equal follows from the order before
 * alone. Redis sorts with the same steps where it replies or stores a part, and GEOSEARCHSTORE and
 * SORT STORE go to replicas as they are: so every node picks the same among equals.
 */
#ifndef MILLRACE_APP_COMMANDS_PARTIAL_SORT_H
#define MILLRACE_APP_COMMANDS_PARTIAL_SORT_H

#include <stddef.h>

typedef int (*partial_sort_fn)(const void *a, const void *b, void *ctx);

/* The elements at first..last are afterwards those that a whole sort could have put there. The rest
 * is in any order. O(nr) and O(k log(k)) for the k wanted, expected. */
void partial_sort(
	void **v, size_t nr, size_t first, size_t last, partial_sort_fn compare, void *ctx);

#endif
