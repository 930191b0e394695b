/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What reading and changing HyperLogLog strings share.
 */
#ifndef MILLRACE_APP_COMMANDS_HLL_PRIV_H
#define MILLRACE_APP_COMMANDS_HLL_PRIV_H

#define HLL_DENSE    0
#define HLL_SPARSE   1
#define HLL_RUN_VAL  0x80u
#define HLL_RUN_LONG 0x40u

#endif
