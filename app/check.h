/* SPDX-License-Identifier: BSD-3-Clause
 *
 * millrace --check: what the machine offers and what the configuration would use of it.
 */
#ifndef MILLRACE_APP_CHECK_H
#define MILLRACE_APP_CHECK_H

#include "app/server.h"

/* Prints the report; starts and changes nothing. 0: the node would start, 1: something named would
 * stop it. */
int check_run(struct server *srv);

#endif
