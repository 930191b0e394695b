/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/newfile.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int newfile_open(struct newfile *f, const char *path)
{
	f->fd = -1;
	if (strlen(path) >= sizeof(f->path))
		return -ENAMETOOLONG;
	snprintf(f->path, sizeof(f->path), "%s", path);
	snprintf(f->tmp, sizeof(f->tmp), "%s.%d.tmp", path, (int)getpid());
	f->fd = open(f->tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	return f->fd < 0 ? -errno : 0;
}

int newfile_write(struct newfile *f, const void *buf, size_t len)
{
	const char *p = buf;

	while (len > 0) {
		ssize_t n = write(f->fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

void newfile_abort(struct newfile *f)
{
	if (f->fd < 0)
		return;
	close(f->fd);
	f->fd = -1;
	unlink(f->tmp);
}

/* The rename itself has to survive. */
static int sync_folder(const struct newfile *f)
{
	char copy[PATH_MAX];
	int fd, rc = 0;

	memcpy(copy, f->path, sizeof(copy));
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fsync(fd))
		rc = -errno;
	close(fd);
	return rc;
}

int newfile_commit(struct newfile *f)
{
	if (fsync(f->fd) || rename(f->tmp, f->path)) {
		int rc = -errno;

		newfile_abort(f);
		return rc;
	}
	close(f->fd);
	f->fd = -1;
	return sync_folder(f);
}
