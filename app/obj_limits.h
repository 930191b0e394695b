/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Up to which sizes collections are kept in their compact encodings, as it is configured.
 */
#ifndef MILLRACE_APP_OBJ_LIMITS_H
#define MILLRACE_APP_OBJ_LIMITS_H

#include "app/config.h"
#include "app/keyspace/types/obj.h"

/* The limits in force. Any thread. */
struct obj_limits obj_limits_get(const struct config *cfg);

#endif
