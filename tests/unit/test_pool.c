/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Pool files: made, found again, locked, refused with a reason and left as they are.
 */
#include "persist/pool.h"

#include "persist/pool_format.h"
#include "persist/recover.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define MB          ((uint64_t)1 << 20)
#define TMPFS_MAGIC 0x01021994

static char dir[64];
static char path[128];
static char err[300];
static const struct pool_cfg some_cfg = {.boot_id = "11111111-2222-3333-4444-555555555555"};

static int setup(void **state)
{
	strcpy(dir, "test_pool_XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/pool", dir);
	err[0] = '\0';
	return 0;
}

static int teardown(void **state)
{
	unlink(path);
	return rmdir(dir); /* fails if anything else was left behind */
}

static int try_open(uint64_t size, struct pool **pool)
{
	*pool = NULL;
	return pool_open(path, size, &some_cfg, pool, err, sizeof(err));
}

static struct pool *opened(uint64_t size, struct recover_result *res)
{
	struct pool *pool;

	if (try_open(size, &pool) != 0 || recover_open(pool, res, err, sizeof(err)) != 0)
		fail_msg("%s", err);
	return pool;
}

static void make(uint64_t size)
{
	struct pool *pool;

	assert_int_equal(try_open(size, &pool), 0);
	pool_close(&pool, false);
	assert_null(pool);
}

static void write_at(off_t off, const void *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, len, off), (int)len);
	close(fd);
}

/* A copy of the superblock, to be changed and put back with a right checksum. */
static struct pool_sb sb_read(void)
{
	struct pool_sb sb;
	int fd = open(path, O_RDONLY);

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &sb, sizeof(sb), 0), (int)sizeof(sb));
	close(fd);
	return sb;
}

static void sb_write(struct pool_sb sb)
{
	sb.crc = sb_crc(sb);
	write_at(0, &sb, sizeof(sb));
	write_at(SB_STRIDE, &sb, sizeof(sb));
}

static uint32_t file_crc(void)
{
	static uint8_t buf[1 << 16];
	uint32_t crc = 0;
	int fd = open(path, O_RDONLY);
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		crc = crc32c(crc, buf, (size_t)n);
	close(fd);
	return crc;
}

/* Refused with this error, this text, and not a byte changed. */
static void refused(uint64_t size, int rc, const char *text)
{
	uint32_t before = file_crc();
	struct pool *pool;

	assert_int_equal(try_open(size, &pool), rc);
	assert_null(pool);
	if (strstr(err, text) == NULL || strstr(err, path) == NULL)
		fail_msg("\"%s\" does not name \"%s\" and the file", err, text);
	assert_int_equal(file_crc(), before);
}

static void new_pool_has_the_size_asked_for_and_random_ids(void **state)
{
	struct recover_result res;
	struct pool *pool = opened(16 * MB, &res);
	struct pool_info info;
	struct pool_repl repl;
	struct stat st;

	pool_info_get(pool, &info);
	pool_repl_get(pool, &repl);
	assert_int_equal(info.size, 16 * MB);
	assert_int_equal(info.ring_size, 4 * MB);
	assert_int_equal(info.nr_writers, 16);
	assert_int_equal(info.medium, POOL_MEDIUM_FILE);
	assert_int_equal(strlen(repl.replid), 40);
	assert_string_equal(repl.replid2, "0000000000000000000000000000000000000000");
	assert_int_equal(repl.second_repl_offset, -1);
	pool_close(&pool, true);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 16 * MB);
	assert_true(st.st_blocks * 512 >= (off_t)(16 * MB)); /* every block is there */
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void identity_and_log_are_found_again(void **state)
{
	struct pool_repl set = {.second_repl_offset = 77}, got;
	struct recover_result res;
	struct pool *pool = opened(16 * MB, &res);
	struct log_writer *w;
	uint8_t buf[5];

	memset(set.replid, 'a', 40);
	memset(set.replid2, 'B', 40);
	assert_int_equal(pool_repl_set(pool, &set), 0);
	assert_int_equal(log_writer_open(pool_log(pool), 0, &w), 0);
	assert_int_equal(log_admit(w, 5), 0);
	log_append(w, "hello", 5);
	log_commit(w);
	log_flush(pool_log(pool));
	pool_close(&pool, false); /* as if killed */

	pool = opened(0, &res);
	pool_repl_get(pool, &got);
	assert_memory_equal(&got, &set, sizeof(got));
	assert_int_equal(res.end, 5);
	assert_false(res.clean);
	assert_false(res.rebooted);
	assert_int_equal(log_copy(pool_log(pool), 0, buf, 5), 0);
	assert_memory_equal(buf, "hello", 5);
	pool_close(&pool, true);
	pool = opened(16 * MB, &res);
	assert_true(res.clean);
	assert_int_equal(res.end, 5);
	pool_close(&pool, true);
}

static void bad_replication_id_is_refused(void **state)
{
	struct pool_repl set = {0};
	struct recover_result res;
	struct pool *pool = opened(16 * MB, &res);

	memset(set.replid, 'a', 40);
	memset(set.replid2, 'g', 40);
	assert_int_equal(pool_repl_set(pool, &set), -EINVAL);
	pool_close(&pool, true);
}

static void second_opener_is_refused(void **state)
{
	struct pool *pool;

	assert_int_equal(try_open(16 * MB, &pool), 0);
	{
		struct pool *second;
		assert_int_equal(try_open(16 * MB, &second), -EBUSY);
		assert_non_null(strstr(err, "in use by another process"));
	}
	pool_close(&pool, false);
	make(16 * MB);
}

static void lock_vanishes_with_a_killed_process(void **state)
{
	int fds[2], status;
	pid_t pid;
	char byte;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		struct pool *pool;
		byte = try_open(16 * MB, &pool) == 0 ? 'y' : 'n';
		if (write(fds[1], &byte, 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(fds[0], &byte, 1), 1);
	assert_int_equal(byte, 'y');
	refused(16 * MB, -EBUSY, "in use");
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	make(16 * MB);
	close(fds[0]);
	close(fds[1]);
}

static void missing_pool_is_not_made_unless_asked(void **state)
{
	struct pool_cfg cfg = some_cfg;
	struct pool *pool;

	assert_int_equal(try_open(0, &pool), -ENOENT);
	cfg.must_exist = true;
	assert_int_equal(pool_open(path, 16 * MB, &cfg, &pool, err, sizeof(err)), -ENOENT);
	assert_int_not_equal(access(path, F_OK), 0);
}

static void too_small_pool_is_not_made(void **state)
{
	struct pool *pool;

	assert_int_equal(try_open(POOL_SIZE_MIN - 1, &pool), -EINVAL);
	assert_non_null(strstr(err, "at least"));
	assert_int_not_equal(access(path, F_OK), 0);
}

static void shape_that_does_not_fit_is_not_made(void **state)
{
	struct pool_cfg cfg = some_cfg;
	struct pool *pool;

	cfg.ring_size = 16 * MB;
	assert_int_equal(pool_open(path, 16 * MB, &cfg, &pool, err, sizeof(err)), -EINVAL);
	cfg.ring_size = 0;
	cfg.nr_writers = 65;
	assert_int_equal(pool_open(path, 16 * MB, &cfg, &pool, err, sizeof(err)), -EINVAL);
	cfg.nr_writers = 0;
	cfg.commit_slots = 100;
	assert_int_equal(pool_open(path, 16 * MB, &cfg, &pool, err, sizeof(err)), -EINVAL);
	cfg.commit_slots = 0;
	cfg.extent_size = 5000;
	assert_int_equal(pool_open(path, 16 * MB, &cfg, &pool, err, sizeof(err)), -EINVAL);
	assert_int_not_equal(access(path, F_OK), 0);
}

static void truncated_pool_is_refused(void **state)
{
	make(16 * MB);
	assert_int_equal(truncate(path, 15 << 20), 0);
	refused(16 * MB, -ENODATA, "truncated");
	assert_int_equal(truncate(path, 100), 0);
	refused(16 * MB, -ENODATA, "truncated");
	assert_int_equal(truncate(path, 0), 0);
	refused(16 * MB, -ENODATA, "truncated");
}

static void longer_file_is_accepted(void **state)
{
	make(16 * MB);
	assert_int_equal(truncate(path, 20 << 20), 0);
	make(16 * MB);
}

static void another_size_is_refused(void **state)
{
	make(16 * MB);
	refused(17 * MB, -ERANGE, "keeps its size");
}

static void something_else_is_not_a_pool(void **state)
{
	static uint8_t junk[20000];

	memset(junk, 'j', sizeof(junk));
	write_at(0, junk, sizeof(junk));
	refused(16 * MB, -EMEDIUMTYPE, "not a millrace pool");
	assert_int_equal(truncate(path, 10), 0);
	refused(16 * MB, -EMEDIUMTYPE, "not a millrace pool");
}

static void other_version_is_refused(void **state)
{
	struct pool_sb sb;

	make(16 * MB);
	sb = sb_read();
	sb.version = 9;
	sb_write(sb);
	refused(16 * MB, -EPROTONOSUPPORT, "version 9");
}

static void one_bad_superblock_copy_is_repaired(void **state)
{
	for (int copy = 0; copy < 2; copy++) {
		struct recover_result res;
		struct pool *pool;
		make(16 * MB);
		write_at(copy * SB_STRIDE + 200, "?", 1);
		pool = opened(16 * MB, &res);
		pool_close(&pool, true);
		write_at((1 - copy) * SB_STRIDE + 200, "?", 1);
		make(16 * MB);
		unlink(path);
	}
}

static void two_bad_superblock_copies_are_refused(void **state)
{
	make(16 * MB);
	write_at(200, "?", 1);
	write_at(SB_STRIDE + 200, "?", 1);
	refused(16 * MB, -EBADMSG, "checksum");
}

static void copies_of_different_pools_are_refused(void **state)
{
	struct pool_sb sb;

	make(16 * MB);
	sb = sb_read();
	sb.uuid[0] ^= 1;
	sb.crc = sb_crc(sb);
	write_at(0, &sb, sizeof(sb));
	refused(16 * MB, -EBADMSG, "different pools");
	sb.uuid[0] ^= 1;
	sb.replid[0] = sb.replid[0] == 'a' ? 'b' : 'a';
	sb.crc = sb_crc(sb);
	write_at(0, &sb, sizeof(sb));
	refused(16 * MB, -EBADMSG, "contradict");
}

/* Superblocks with right checksums that lie. */
static void impossible_fields_are_refused(void **state)
{
	struct pool_sb good, sb;

	make(16 * MB);
	good = sb_read();
#define LIE(field, value)                                                                          \
	do {                                                                                       \
		sb = good;                                                                         \
		sb.field = (value);                                                                \
		sb_write(sb);                                                                      \
		refused(0, -EBADMSG, "damaged");                                                   \
	} while (0)
	LIE(ring_size, 0);
	LIE(ring_size, UINT64_MAX & ~4095ull);
	LIE(ring_off, UINT64_MAX);
	LIE(commit_off, 0);
	LIE(commit_slots, 1u << 31);
	LIE(nr_writers, 0);
	LIE(nr_writers, UINT32_MAX);
	LIE(extent_size, 0);
	LIE(extent_size, 1u << 31);
	LIE(nr_extents, UINT32_MAX);
	LIE(nr_extents, good.nr_extents + 2);
	LIE(ext_off, good.ext_off - 4096);
	LIE(incarnation, 0);
	LIE(generation, UINT64_MAX);
	LIE(hint, UINT64_MAX);
	LIE(ceiling, UINT64_MAX);
	LIE(ceiling, good.ring_size + 1);
	LIE(log_start, 1);
	LIE(snap_off, UINT64_MAX);
	LIE(snap_pieces, UINT32_MAX);
	LIE(snap_pieces, 1);
	LIE(snap_size, 1);
	LIE(durability, 3);
	LIE(medium, 3);
	LIE(replid[7], 'x');
#undef LIE
	sb = good;
	sb.pool_size = UINT64_MAX;
	sb_write(sb);
	refused(0, -ENODATA, "truncated");
	sb_write(good);
	make(16 * MB);
}

static void view_shows_all_and_changes_nothing(void **state)
{
	struct recover_result res;
	struct pool *pool = opened(16 * MB, &res), *second;
	struct log_writer *w;
	uint32_t before;
	uint8_t buf[5];

	assert_int_equal(log_writer_open(pool_log(pool), 0, &w), 0);
	assert_int_equal(log_admit(w, 5), 0);
	log_append(w, "hello", 5);
	log_commit(w);
	log_flush(pool_log(pool));
	assert_int_equal(pool_view(path, &second, err, sizeof(err)), -EBUSY);
	pool_close(&pool, false);
	before = file_crc();

	assert_int_equal(pool_view(path, &pool, err, sizeof(err)), 0);
	assert_int_equal(try_open(0, &second), -EBUSY);
	assert_int_equal(recover_open(pool, &res, err, sizeof(err)), 0);
	assert_int_equal(res.end, 5);
	assert_int_equal(log_copy(pool_log(pool), 0, buf, 5), 0);
	assert_memory_equal(buf, "hello", 5);
	pool_close(&pool, true);
	assert_int_equal(file_crc(), before);
	make(0);
}

static void directory_and_device_are_not_pools(void **state)
{
	struct pool *pool;

	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(try_open(16 * MB, &pool), -EISDIR);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_int_equal(try_open(16 * MB, &pool), -EMEDIUMTYPE);
}

static void missing_space_is_refused_and_leaves_nothing(void **state)
{
	struct pool *pool = NULL;
	struct statfs fs;

	/* A filesystem that says so before it has filled itself. */
	if (statfs("/dev/shm", &fs) != 0 || fs.f_type != TMPFS_MAGIC || fs.f_blocks == 0) {
		print_message("no limited tmpfs at /dev/shm\n");
		skip();
	}
	snprintf(path, sizeof(path), "/dev/shm/%s", dir);
	assert_int_equal(try_open((uint64_t)1 << 45, &pool), -ENOSPC);
	assert_null(pool);
	assert_non_null(strstr(err, "no space"));
	assert_int_not_equal(access(path, F_OK), 0);
}

static void forced_pmem_is_told_from_the_real(void **state)
{
	struct pool_info info;
	struct pool *pool;
	int status;
	pid_t pid = fork();

	/* libpmem reads its environment once, when it is loaded. */
	if (pid == 0) {
		setenv("PMEM_IS_PMEM_FORCE", "1", 1);
		execl("/proc/self/exe", "test_pool", "--forced", path, (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(try_open(0, &pool), 0);
	pool_info_get(pool, &info);
	assert_int_equal(info.medium, POOL_MEDIUM_FILE);
	pool_close(&pool, false);
}

/* In a process of its own: opens the pool with PMEM_IS_PMEM_FORCE=1. */
static int forced_main(const char *where)
{
	struct pool_cfg cfg = some_cfg;
	struct recover_result res;
	struct pool_info info;
	struct pool *pool;

	cfg.durability = POOL_DURABILITY_NO;
	if (pool_open(where, 16 * MB, &cfg, &pool, err, sizeof(err)) != 0 ||
		recover_open(pool, &res, err, sizeof(err)) != 0)
		return 1;
	pool_info_get(pool, &info);
	pool_close(&pool, false);
	if (info.medium != POOL_MEDIUM_FORCED || info.durability != POOL_DURABILITY_ALWAYS)
		return 2;
	/* Not closed, and now another boot: what a forced medium promised is void. */
	cfg.boot_id = "99999999-2222-3333-4444-555555555555";
	if (pool_open(where, 16 * MB, &cfg, &pool, err, sizeof(err)) != 0 ||
		recover_open(pool, &res, err, sizeof(err)) != 0)
		return 3;
	pool_close(&pool, false);
	return res.replid_suspect ? 0 : 4;
}

int main(int argc, char **argv)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(new_pool_has_the_size_asked_for_and_random_ids),
		T(identity_and_log_are_found_again),
		T(bad_replication_id_is_refused),
		T(second_opener_is_refused),
		T(lock_vanishes_with_a_killed_process),
		T(missing_pool_is_not_made_unless_asked),
		T(too_small_pool_is_not_made),
		T(shape_that_does_not_fit_is_not_made),
		T(truncated_pool_is_refused),
		T(longer_file_is_accepted),
		T(another_size_is_refused),
		T(something_else_is_not_a_pool),
		T(other_version_is_refused),
		T(one_bad_superblock_copy_is_repaired),
		T(two_bad_superblock_copies_are_refused),
		T(copies_of_different_pools_are_refused),
		T(impossible_fields_are_refused),
		T(view_shows_all_and_changes_nothing),
		T(directory_and_device_are_not_pools),
		T(missing_space_is_refused_and_leaves_nothing),
		T(forced_pmem_is_told_from_the_real),
	};
#undef T

	if (argc == 3 && strcmp(argv[1], "--forced") == 0)
		return forced_main(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
