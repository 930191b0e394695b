/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Addresses as text.
 */
#include "dataplane/ip/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>

void ip_addr_format(const struct ip_addr *a, char *buf, size_t size)
{
	const bool is_v4 = ip_addr_is_v4(a);
	const uint8_t *bytes = (const uint8_t *)a + (is_v4 ? 12 : 0);

	if (size > 0 && !inet_ntop(is_v4 ? AF_INET : AF_INET6, bytes, buf, (socklen_t)size))
		buf[0] = 0;
}

bool ip_addr_parse(const char *text, struct ip_addr *out)
{
	struct in_addr in;

	if (inet_pton(AF_INET, text, &in) == 1) {
		*out = ip_addr_from_v4(ntohl(in.s_addr));
		return true;
	}
	return inet_pton(AF_INET6, text, out) == 1 && !ip_addr_is_v4(out);
}
