/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Waking up for a virtual device: net_af_xdp, net_af_packet and net_tap stand on descriptors that
 * become readable when frames have come. DPDK does not tell them, so they are found by what they
 * are. A core that may sleep waits for them together with its sockets; devices without one are
 * polled.
 */
#include "dataplane/nic_wake.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef AF_XDP
#define AF_XDP 44
#endif

static bool is_device(int fd)
{
	char path[64], target[64];
	int domain = 0;
	socklen_t len = sizeof(domain);
	ssize_t n;

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0)
		return domain == AF_XDP || domain == AF_PACKET;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return false;
	target[n] = 0;
	return strcmp(target, "/dev/net/tun") == 0;
}

unsigned nic_wake_watch(struct core *core)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *e;
	unsigned nr = 0;

	while (dir && (e = readdir(dir))) {
		struct epoll_event ev = {.events = EPOLLIN, .data.ptr = core};
		int fd = atoi(e->d_name);

		if (e->d_name[0] == '.' || !is_device(fd))
			continue;
		if (epoll_ctl(core->epoll_fd, EPOLL_CTL_ADD, fd, &ev) == 0 || errno == EEXIST)
			nr++;
	}
	if (dir)
		closedir(dir);
	return nr;
}
