/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Fuzz target of the types' RDB forms: any bytes as type and value, as RESTORE takes them.
 *
 * Checked besides memory: what is read can be written, and read again as the same value in the
 * same encoding.
 */
#include "tests/support/rdb_values.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	values_assert_harmless(data, len);
	return 0;
}
