/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/nic_memif.h"

#include "dataplane/nic_probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64], path[96];

static int setup(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/millrace-memif-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/s", dir);
	return 0;
}

static int teardown(void **state)
{
	unlink(path);
	return rmdir(dir);
}

/* A socket as memif's; close() leaves its file. */
static int serve(bool is_abstract)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	memcpy(un.sun_path + is_abstract, path, strlen(path));
	assert_int_equal(
		bind(fd, (struct sockaddr *)&un,
			(socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1)),
		0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

static const char *device(const char *role, const char *more)
{
	static char text[256];

	snprintf(text, sizeof(text), "net_memif3,role=%s,id=1,socket=%s%s", role, path, more);
	return text;
}

static bool probe(const char *dev, const char *said)
{
	char text[300];
	const bool good = nic_probe(dev, text, sizeof(text));

	if (!strstr(text, said))
		fail_msg("%s: %s", dev, text);
	return good;
}

static void file_of_a_dead_server_is_removed(void **state)
{
	close(serve(false));
	nic_memif_tidy(device("client", ",socket-abstract=no"));
	nic_memif_tidy(device("server", ""));
	nic_memif_tidy("net_tap0,role=server,socket-abstract=no");
	assert_int_equal(access(path, F_OK), 0);
	nic_memif_tidy(device("server", ",socket-abstract=no"));
	assert_int_equal(access(path, F_OK), -1);
}

static void file_of_a_living_server_stays(void **state)
{
	const int fd = serve(false);

	nic_memif_tidy(device("server", ",socket-abstract=no"));
	assert_int_equal(access(path, F_OK), 0);
	assert_false(probe(device("server", ",socket-abstract=no"), "another process serves"));
	assert_true(probe(device("client", ",socket-abstract=no"), "client of the socket"));
	close(fd);
}

static void file_of_another_kind_stays(void **state)
{
	FILE *f = fopen(path, "w");

	fclose(f);
	nic_memif_tidy(device("server", ",socket-abstract=no"));
	assert_int_equal(access(path, F_OK), 0);
	assert_false(probe(device("server", ",socket-abstract=no"), "cannot be made"));
	assert_true(probe(device("server", ""), "server of the socket")); /* takes no file */
}

static void client_without_a_server_is_told(void **state)
{
	int fd;

	assert_false(probe(device("client", ""), "role=server has to run first"));
	fd = serve(true);
	assert_true(probe(device("client", ""), "client of the socket"));
	assert_true(probe(device("client", ",mac=02:00:00:00:00:01"), "client of the socket"));
	assert_false(probe(device("client", ",socket-abstract=no"), "has to run first"));
	assert_false(probe(device("server", ""), "another process serves"));
	close(fd);
}

static void directory_that_is_not_there_is_told(void **state)
{
	assert_false(probe("net_memif0,role=server,socket=/nonexistent/a/b,socket-abstract=no",
		"cannot be made"));
}

static void long_name_is_cut_not_overrun(void **state)
{
	char text[600] = "net_memif0,role=server,socket-abstract=no,socket=/";
	char said[300];

	memset(text + strlen(text), 'a', 400);
	nic_memif_tidy(text);
	assert_true(nic_probe(text, said, sizeof(said)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(file_of_a_dead_server_is_removed, setup, teardown),
		cmocka_unit_test_setup_teardown(file_of_a_living_server_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(file_of_another_kind_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(client_without_a_server_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(
			directory_that_is_not_there_is_told, setup, teardown),
		cmocka_unit_test(long_name_is_cut_not_overrun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
