/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The pool as a file: finding or making it, locking it, mapping it, telling real persistent memory
 * from the rest.
 *
 * A new pool is written into a file that has no name yet (or, where the filesystem cannot do that,
 * a temporary one) and linked to its name when whole. So a file under the pool's name is never
 * half made.
 */
#include "persist/pool.h"

#include "persist/pool_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FD_PATH_LEN 64
#define MAP_ALIGN   (1ull << 30) /* of a mapping: large pages where the medium has them */

/* Addresses cost nothing; a pool that grows must not move. */
#define GROW_FACTOR    16
#define GROW_LIMIT_MIN (64ull << 30)

/* What is wrong, with the file's name in front. */
static int file_error(char *err, size_t err_len, int rc, const char *path, const char *what)
{
	return pool_error(err, err_len, rc, "%s: %s: %s", path, what, strerror(-rc));
}

/* Puts the file's name in front of a message that is already in @err. */
static int name_prepend(char *err, size_t err_len, int rc, const char *path)
{
	char what[256];

	snprintf(what, sizeof(what), "%.*s", err_len > 0 ? (int)sizeof(what) - 1 : 0, err);
	return pool_error(err, err_len, rc, "%s: %s", path, what);
}

static int full_write(int fd, const void *buf, size_t len, off_t off)
{
	const uint8_t *p = buf;

	while (len > 0) {
		ssize_t n = pwrite(fd, p, len, off);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		p += n;
		off += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Writes the whole of a new pool into the empty file @fd. */
static int file_fill(int fd, uint64_t size, const struct pool_cfg *cfg, const char *path, char *err,
	size_t err_len)
{
	struct pool_sb sb;
	int rc = pool_sb_init(&sb, size, cfg, err, err_len);

	if (rc != 0)
		return name_prepend(err, err_len, rc, path);
	if (flock(fd, LOCK_EX | LOCK_NB) != 0)
		return file_error(err, err_len, -errno, path, "cannot lock the new pool");
	rc = -posix_fallocate(fd, 0, (off_t)sb.pool_size);
	if (rc != 0)
		return file_error(err, err_len, rc, path, "no space for the new pool");
	for (int i = 0; i < 2 && rc == 0; i++)
		rc = full_write(fd, &sb, sizeof(sb), (off_t)i * SB_STRIDE);
	if (rc == 0 && fsync(fd) != 0)
		rc = -errno;
	return rc == 0 ? 0 : file_error(err, err_len, rc, path, "cannot write the new pool");
}

static int dir_sync(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (fsync(fd) != 0)
		rc = -errno;
	close(fd);
	return rc;
}

/* An empty file in @dir: nameless if possible, else named in @tmp. Returns its fd or -errno. */
static int blank_open(const char *dir, const char *path, char *tmp, size_t tmp_len)
{
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	tmp[0] = '\0';
	if (fd >= 0)
		return fd;
	if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
		return -errno;
	if ((size_t)snprintf(tmp, tmp_len, "%s.creating-XXXXXX", path) >= tmp_len)
		return -ENAMETOOLONG;
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0) {
		fd = -errno;
		tmp[0] = '\0';
	}
	return fd;
}

/* Makes the pool without its name and leaves it open and locked in *@fdp. @tmp: of blank_open(). */
static int blank_create(const char *path, uint64_t size, const struct pool_cfg *cfg, int *fdp,
	char *tmp, size_t tmp_len, char *err, size_t err_len)
{
	char dir_buf[PATH_MAX];
	int fd, rc;

	if (strlen(path) >= sizeof(dir_buf))
		return file_error(err, err_len, -ENAMETOOLONG, path, "cannot create");
	if (size < POOL_SIZE_MIN)
		return pool_error(err, err_len, -EINVAL,
			"%s: a pool has at least %u bytes, not %llu", path, POOL_SIZE_MIN,
			(unsigned long long)size);
	fd = blank_open(dirname(strcpy(dir_buf, path)), path, tmp, tmp_len);
	if (fd < 0)
		return file_error(err, err_len, fd, path, "cannot create");
	rc = file_fill(fd, size, cfg, path, err, err_len);
	if (rc != 0) {
		if (tmp[0] != '\0')
			unlink(tmp);
		close(fd);
		return rc;
	}
	*fdp = fd;
	return 0;
}

/* Gives the file its name, durably. */
static int blank_name(int fd, const char *path, const char *tmp, char *err, size_t err_len)
{
	char dir_buf[PATH_MAX], fd_path[FD_PATH_LEN];
	int rc;

	snprintf(fd_path, sizeof(fd_path), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, fd_path, AT_FDCWD, path, AT_SYMLINK_FOLLOW) != 0)
		return file_error(err, err_len, -errno, path, "cannot give the new pool its name");
	if (tmp[0] != '\0')
		unlink(tmp);
	rc = dir_sync(dirname(strcpy(dir_buf, path)));
	return rc == 0 ? 0 : file_error(err, err_len, rc, path, "cannot sync the directory");
}

/* Makes the pool and leaves it open and locked in *@fdp. */
static int file_create(const char *path, uint64_t size, const struct pool_cfg *cfg, int *fdp,
	char *err, size_t err_len)
{
	char tmp[PATH_MAX];
	int fd, rc = blank_create(path, size, cfg, &fd, tmp, sizeof(tmp), err, err_len);

	if (rc != 0)
		return rc;
	rc = blank_name(fd, path, tmp, err, err_len);
	if (rc == 0) {
		*fdp = fd;
		return 0;
	}
	if (tmp[0] != '\0')
		unlink(tmp);
	close(fd);
	return rc == -EEXIST ? -EBUSY : rc;
}

/*
 * Locks an existing file (@lock: LOCK_EX or LOCK_SH) and checks all that can be checked before
 * mapping it. @size 0: any.
 */
static int file_check(int fd, const char *path, uint64_t size, int lock, struct pool_sb *sb,
	char *err, size_t err_len)
{
	uint8_t copies[2 * SB_STRIDE];
	unsigned int good;
	struct stat st;
	ssize_t n;
	int rc;

	if (fstat(fd, &st) != 0)
		return file_error(err, err_len, -errno, path, "cannot stat");
	if (!S_ISREG(st.st_mode))
		return pool_error(err, err_len, -EMEDIUMTYPE,
			"%s: not a millrace pool (not a regular file)", path);
	if (flock(fd, lock | LOCK_NB) != 0)
		return errno == EWOULDBLOCK ? pool_error(err, err_len, -EBUSY,
						      "%s: in use by another process: end that one "
						      "(fuser -v shows it), or choose another file",
						      path)
					    : file_error(err, err_len, -errno, path, "cannot lock");
	memset(copies, 0, sizeof(copies));
	n = pread(fd, copies, sizeof(copies), 0);
	if (n < 0)
		return file_error(err, err_len, -errno, path, "cannot read");
	if ((size_t)n < sizeof(copies) && (n == 0 || memcmp(copies, SB_MAGIC, 8) == 0))
		return pool_error(
			err, err_len, -ENODATA, "%s: pool is truncated: %zd bytes", path, n);
	rc = pool_sb_choose(copies, (uint64_t)st.st_size, sb, &good, err, err_len);
	if (rc != 0)
		return name_prepend(err, err_len, rc, path);
	if (size != 0 && (size & ~(uint64_t)(POOL_PAGE - 1)) != sb->pool_size)
		return pool_error(err, err_len, -ERANGE,
			"%s: the pool has %llu bytes but %llu are configured; a pool keeps its size",
			path, (unsigned long long)sb->pool_size, (unsigned long long)size);
	return 0;
}

static int existing_prepare(int fd, const char *path, uint64_t size, char *err, size_t err_len)
{
	struct pool_sb sb;
	int rc = file_check(fd, path, size, LOCK_EX, &sb, err, err_len);

	if (rc != 0)
		return rc;
	/* Fills the holes that copying the file may have left. */
	rc = -posix_fallocate(fd, 0, (off_t)sb.pool_size);
	return rc == 0 ? 0 : file_error(err, err_len, rc, path, "no space for the whole pool");
}

/* True if the filesystem gives mappings whose flushed stores survive power loss. */
static bool file_is_dax(int fd)
{
	void *p = mmap(NULL, POOL_PAGE, PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0);

	if (p == MAP_FAILED)
		return false;
	munmap(p, POOL_PAGE);
	return true;
}

/*
 * Spares the first lap around the ring its page faults. Not on an ordinary file, where every page
 * would count as changed and be written back. A kernel that cannot do it does no harm.
 */
static void log_prefault(const struct pool *pool)
{
	const struct pool_sb *sb = &pool->sb;

	if (!pool->flush.ops->grouped)
		madvise(pool->base + sb->commit_off, sb->ext_off - sb->commit_off,
			MADV_POPULATE_WRITE);
}

/* Addresses for a pool of @len bytes that may become @limit: nothing is mapped there yet. Less than
 * wanted if the process may not have so many; NULL if not even @len. *@limit becomes what it is. */
static uint8_t *addresses_take(size_t len, uint64_t *limit)
{
	for (uint64_t want = *limit; want >= len;
		want = want > len && want / 2 < len ? len : want / 2) {
		uint8_t *p = mmap(NULL, want + MAP_ALIGN, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		size_t skip;

		if (p != MAP_FAILED) {
			skip = (MAP_ALIGN - (uintptr_t)p % MAP_ALIGN) % MAP_ALIGN;
			if (skip != 0)
				munmap(p, skip);
			if (skip != MAP_ALIGN)
				munmap(p + skip + want, MAP_ALIGN - skip);
			*limit = want;
			return p + skip;
		}
		if (want == len)
			break;
	}
	return NULL;
}

/* Maps [from, to) of the file at its place behind @base. */
static bool range_map(int fd, uint8_t *base, uint64_t from, uint64_t to, int flags)
{
	return mmap(base + from, to - from, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd,
		       (off_t)from) != MAP_FAILED;
}

/* PMEM_IS_PMEM_FORCE, as libpmem reads it: 1, 0, or -1 for neither. */
static int pmem_forced(void)
{
	const char *force = getenv("PMEM_IS_PMEM_FORCE");

	if (force != NULL && strcmp(force, "1") == 0)
		return 1;
	return force != NULL && strcmp(force, "0") == 0 ? 0 : -1;
}

static void medium_choose(bool dax, struct flush *flush, enum pool_medium *medium)
{
	int forced = pmem_forced();

	flush->ops = &flush_msync_ops;
	*medium = POOL_MEDIUM_FILE;
	if (forced == 0 || (forced < 0 && !dax))
		return;
	flush->ops = &flush_pmem_ops;
	*medium = dax ? POOL_MEDIUM_PMEM : POOL_MEDIUM_FORCED;
}

static uint64_t grow_limit(uint64_t len, const struct pool_cfg *cfg)
{
	uint64_t limit = GROW_FACTOR * len;

	if (limit < GROW_LIMIT_MIN)
		limit = GROW_LIMIT_MIN;
	if (limit < cfg->grow_to)
		limit = (cfg->grow_to + MAP_ALIGN - 1) / MAP_ALIGN * MAP_ALIGN;
	return limit < POOL_SIZE_LIMIT ? limit : POOL_SIZE_LIMIT;
}

static int file_map(int fd, const char *path, const struct pool_cfg *cfg, struct pool **pool,
	char *err, size_t err_len)
{
	int flags = MAP_SHARED_VALIDATE | MAP_SYNC;
	enum pool_medium medium;
	struct flush flush = {0};
	struct stat st;
	uint64_t limit, len;
	uint8_t *base;
	int rc;

	if (fstat(fd, &st) != 0)
		return file_error(err, err_len, -errno, path, "cannot stat");
	len = (uint64_t)st.st_size & ~(uint64_t)(POOL_PAGE - 1);
	limit = grow_limit(len, cfg);
	base = addresses_take(len, &limit);
	if (base == NULL)
		return file_error(err, err_len, -errno, path, "cannot map");
	if (!range_map(fd, base, 0, len, flags)) {
		flags = MAP_SHARED;
		if (!range_map(fd, base, 0, len, flags)) {
			rc = file_error(err, err_len, -errno, path, "cannot map");
			munmap(base, limit);
			return rc;
		}
	}
	medium_choose(flags != MAP_SHARED, &flush, &medium);
	rc = pool_attach(&flush, base, len, cfg, medium, pool, err, err_len);
	if (rc != 0) {
		munmap(base, limit);
		return name_prepend(err, err_len, rc, path);
	}
	(*pool)->map_len = len;
	(*pool)->map_flags = flags;
	(*pool)->fd = fd;
	pool_limit_set(*pool, limit);
	log_prefault(*pool);
	return 0;
}

int pool_file_grow(struct pool *pool, uint64_t size, char *err, size_t err_len)
{
	struct stat st;
	int rc;

	if (pool->fd < 0 || size <= pool->map_len) /* memory of the caller's, or a longer file */
		return 0;
	if (pool->map_flags == 0)
		return pool_error(err, err_len, -EROFS, "the pool is open to be read");
	if (fstat(pool->fd, &st) != 0)
		return pool_error(err, err_len, -errno, "cannot stat: %s", strerror(errno));
	rc = -posix_fallocate(pool->fd, 0, (off_t)size);
	if (rc == 0 && fsync(pool->fd) != 0)
		rc = -errno;
	if (rc == 0 && !range_map(pool->fd, pool->base, pool->map_len, size, pool->map_flags))
		rc = -errno;
	if (rc != 0) {
		if (ftruncate(pool->fd, st.st_size) != 0)
			return pool_error(err, err_len, rc,
				"no space for a larger pool, and its file stays longer: %s",
				strerror(-rc));
		return pool_error(
			err, err_len, rc, "no space for a larger pool: %s", strerror(-rc));
	}
	pool->map_len = size;
	return 0;
}

int pool_open(const char *path, uint64_t size, const struct pool_cfg *cfg, struct pool **pool,
	char *err, size_t err_len)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	int rc;

	if (fd < 0 && errno == ENOENT && !cfg->must_exist && size != 0)
		rc = file_create(path, size, cfg, &fd, err, err_len);
	else if (fd < 0)
		rc = file_error(err, err_len, -errno, path, "cannot open");
	else
		rc = existing_prepare(fd, path, cfg->any_size ? 0 : size, err, err_len);
	if (rc == 0)
		rc = file_map(fd, path, cfg, pool, err, err_len);
	if (rc != 0 && fd >= 0)
		close(fd);
	return rc;
}

int pool_make(const char *path, uint64_t size, const struct pool_cfg *cfg, struct pool **pool,
	char *err, size_t err_len)
{
	char tmp[PATH_MAX];
	int fd, rc;

	if (access(path, F_OK) == 0)
		return file_error(err, err_len, -EEXIST, path, "cannot create");
	rc = blank_create(path, size, cfg, &fd, tmp, sizeof(tmp), err, err_len);
	if (rc != 0)
		return rc;
	rc = file_map(fd, path, cfg, pool, err, err_len);
	if (rc != 0)
		goto err_close;
	(*pool)->path = strdup(path);
	if (tmp[0] != '\0')
		(*pool)->tmp = strdup(tmp);
	if ((*pool)->path != NULL && (tmp[0] == '\0' || (*pool)->tmp != NULL))
		return 0;
	pool_close(pool, false);
	fd = -1;
	rc = pool_error(err, err_len, -ENOMEM, "out of memory");

err_close:
	if (tmp[0] != '\0')
		unlink(tmp);
	if (fd >= 0)
		close(fd);
	return rc;
}

int pool_place(struct pool *pool, char *err, size_t err_len)
{
	int rc = blank_name(pool->fd, pool->path, pool->tmp != NULL ? pool->tmp : "", err, err_len);

	if (rc != 0)
		return rc;
	free(pool->tmp);
	free(pool->path);
	pool->tmp = NULL;
	pool->path = NULL;
	return 0;
}

int pool_medium_probe(const char *path, enum pool_medium *medium)
{
	char dir_buf[PATH_MAX];
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;

	if (fd < 0 && errno == ENOENT && strlen(path) < sizeof(dir_buf)) {
		fd = open(dirname(strcpy(dir_buf, path)), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		if (fd >= 0 && ftruncate(fd, POOL_PAGE) != 0)
			rc = -errno;
	}
	if (fd < 0)
		return -errno;
	if (rc == 0 && file_is_dax(fd))
		*medium = POOL_MEDIUM_PMEM;
	else if (rc == 0)
		*medium = pmem_forced() == 1 ? POOL_MEDIUM_FORCED : POOL_MEDIUM_FILE;
	close(fd);
	return rc;
}

int pool_view(const char *path, struct pool **pool, char *err, size_t err_len)
{
	static const struct pool_cfg cfg = {.durability = POOL_DURABILITY_ALWAYS};
	struct flush flush = {.ops = &flush_memory_ops};
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct pool_sb sb;
	void *base;
	int rc;

	if (fd < 0)
		return file_error(err, err_len, -errno, path, "cannot open");
	rc = file_check(fd, path, 0, LOCK_SH, &sb, err, err_len);
	if (rc != 0)
		goto err_close;
	base = mmap(NULL, sb.pool_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, 0);
	if (base == MAP_FAILED) {
		rc = file_error(err, err_len, -errno, path, "cannot map");
		goto err_close;
	}
	rc = pool_attach(&flush, base, sb.pool_size, &cfg, POOL_MEDIUM_FILE, pool, err, err_len);
	if (rc != 0) {
		rc = name_prepend(err, err_len, rc, path);
		goto err_unmap;
	}
	(*pool)->map_len = sb.pool_size;
	(*pool)->fd = fd;
	return 0;

err_unmap:
	munmap(base, sb.pool_size);
err_close:
	close(fd);
	return rc;
}
