/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What has to happen beyond storing the value when CONFIG SET changes the node.
 */
#ifndef MILLRACE_APP_CONFIG_APPLY_H
#define MILLRACE_APP_CONFIG_APPLY_H

#include "app/server.h"

/* Registers the hooks with srv->cfg, and logs what config_load() had to say about accepted values.
 * Once, before the cores start; srv->ks may not be there yet. */
void config_apply_setup(struct server *srv);

#endif
