/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/nic_memif.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_DEFAULT "/run/memif.sock"

struct memif {
	char socket[sizeof(((struct sockaddr_un *)0)->sun_path) - 1];
	bool is_server, is_abstract;
};

bool nic_is_memif(const char *device)
{
	return strncmp(device, "net_memif", strlen("net_memif")) == 0;
}

/* The value of "name=" in a device argument, "" if it is not there. */
static void value_of(const char *device, const char *name, char *to, size_t size)
{
	const size_t len = strlen(name);

	to[0] = 0;
	for (const char *at = strchr(device, ','); at; at = strchr(at, ',')) {
		at++;
		if (strncmp(at, name, len) == 0 && at[len] == '=')
			snprintf(to, size, "%.*s", (int)strcspn(at + len + 1, ","), at + len + 1);
	}
}

static void memif_parse(const char *device, struct memif *m)
{
	char word[16];

	value_of(device, "socket", m->socket, sizeof(m->socket));
	if (!m->socket[0])
		snprintf(m->socket, sizeof(m->socket), "%s", SOCKET_DEFAULT);
	value_of(device, "role", word, sizeof(word));
	m->is_server = strcmp(word, "server") == 0 || strcmp(word, "master") == 0;
	value_of(device, "socket-abstract", word, sizeof(word));
	m->is_abstract = strcmp(word, "no") != 0;
}

/* Does somebody serve the socket? 0, or an errno. */
static int socket_try(const struct memif *m)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(m->socket) + 1);
	const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int rc = 0;

	if (fd < 0)
		return errno;
	/* An abstract name has a zero in front and none behind. */
	memcpy(un.sun_path + m->is_abstract, m->socket, strlen(m->socket));
	if (connect(fd, (struct sockaddr *)&un, len))
		rc = errno == EAGAIN ? 0 : errno; /* too many at a time */
	close(fd);
	return rc;
}

/* There is a socket, or its directory takes one. */
static bool socket_can_be(const struct memif *m)
{
	const char *slash = strrchr(m->socket, '/');
	char dir[sizeof(m->socket) + 1];
	struct stat st;

	if (lstat(m->socket, &st) == 0)
		return S_ISSOCK(st.st_mode);
	snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - m->socket) + 1 : 1,
		slash ? m->socket : ".");
	return access(dir, W_OK) == 0;
}

void nic_memif_tidy(const char *device)
{
	struct memif m;

	if (!nic_is_memif(device))
		return;
	memif_parse(device, &m);
	if (m.is_server && !m.is_abstract && socket_can_be(&m) && socket_try(&m) == ECONNREFUSED)
		unlink(m.socket);
}

bool nic_memif_probe(const char *device, char *text, size_t size)
{
	struct memif m;
	int rc;

	memif_parse(device, &m);
	rc = socket_try(&m);
	if (m.is_server && rc == 0) {
		snprintf(text, size,
			"another process serves the socket %s: another socket=", m.socket);
		return false;
	}
	if (m.is_server && !m.is_abstract && !socket_can_be(&m)) {
		snprintf(text, size,
			"the socket %s cannot be made: is a file in the way, or its directory not there?",
			m.socket);
		return false;
	}
	if (!m.is_server && rc) {
		snprintf(text, size,
			"nobody serves the socket %s: the process with role=server has to run first%s",
			m.socket,
			m.is_abstract ? ", in the same network namespace and with the same "
					"socket-abstract="
				      : "");
		return false;
	}
	snprintf(text, size, "virtual device, %s of the socket %s",
		m.is_server ? "server" : "client", m.socket);
	return true;
}
