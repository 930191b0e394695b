/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/nic_address.h"

#include "app/config_table.h"
#include "dataplane/ip/ipv6.h"

#include <errno.h>
#include <string.h>

/* Copies the word up to the next comma and moves on. False: it is empty or too long. */
static bool word_next(const char **text, char *word, size_t size)
{
	const size_t len = strcspn(*text, ",");

	if (len == 0 || len >= size)
		return false;
	memcpy(word, *text, len);
	word[len] = 0;
	*text += len;
	if (**text == ',' && *++*text == 0)
		return false; /* nothing behind the comma */
	return true;
}

static bool is_station(const struct ip_addr *ip)
{
	const uint32_t v4 = ip_addr_to_v4(ip);

	if (!ip_addr_is_v4(ip))
		return ipv6_is_assignable(ip);
	return v4 >> 24 != 0 && v4 >> 24 != 127 && v4 >> 28 < 0xe;
}

int nic_address_parse(const char *text, struct net_addr addrs[NET_MAX_ADDRS])
{
	char word[IP_ADDR_TEXT + 4];
	int n = 0;

	while (*text) {
		struct net_addr *a = &addrs[n];
		char *slash;
		int64_t len;

		if (n == NET_MAX_ADDRS || !word_next(&text, word, sizeof(word)))
			return -EINVAL;
		slash = strchr(word, '/');
		if (!slash)
			return -EINVAL;
		*slash = 0;
		if (!ip_addr_parse(word, &a->ip) || !is_station(&a->ip) ||
			!config_parse_int(slash + 1, &len) || len < 1 ||
			len > (ip_addr_is_v4(&a->ip) ? 32 : 128))
			return -EINVAL;
		a->prefix_len = (uint8_t)len;
		for (int i = 0; i < n; i++)
			if (ip_addr_eq(&addrs[i].ip, &a->ip))
				return -EINVAL;
		n++;
	}
	return n ? n : -EINVAL;
}

int nic_gateway_parse(const char *text, struct ip_addr *v4, struct ip_addr *v6)
{
	char word[IP_ADDR_TEXT];
	bool has_v4 = false, has_v6 = false;

	if (!*text)
		return -EINVAL;
	while (*text) {
		struct ip_addr ip;
		bool *has;

		if (!word_next(&text, word, sizeof(word)) || !ip_addr_parse(word, &ip) ||
			!is_station(&ip))
			return -EINVAL;
		has = ip_addr_is_v4(&ip) ? &has_v4 : &has_v6;
		if (*has)
			return -EINVAL;
		*has = true;
		*(ip_addr_is_v4(&ip) ? v4 : v6) = ip;
	}
	return 0;
}
