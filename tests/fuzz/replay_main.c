/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Runs a fuzz target over files, where no fuzzing engine is linked.
 *
 *   fuzz_x <file or folder>...
 *
 * Exit status 0 when all files were run; 1 when one cannot be read, or when there was none: a
 * corpus that is not found must not pass. A fault that the target finds ends the process.
 */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static bool complain(const char *path)
{
	fprintf(stderr, "%s: %s\n", path, strerror(errno));
	return false;
}

/* The bytes are in memory of exactly their number, so that a sanitizer sees any step too far. */
static bool run_file(const char *path, size_t size)
{
	FILE *f = fopen(path, "rb");

	if (f == NULL)
		return complain(path);
	uint8_t *data = malloc(size > 0 ? size : 1);
	bool good = data != NULL && fread(data, 1, size, f) == size;
	if (good) {
		printf("%s\n", path);
		fflush(stdout);
		LLVMFuzzerTestOneInput(data, size);
	} else {
		complain(path);
	}
	free(data);
	fclose(f);
	return good;
}

static bool run_path(const char *path, size_t *nr_files);

static bool run_folder(const char *path, size_t *nr_files)
{
	struct dirent **names;
	bool good = true;
	int n = scandir(path, &names, NULL, alphasort);

	if (n < 0)
		return complain(path);
	for (int i = 0; i < n; i++) {
		char *inner;
		if (names[i]->d_name[0] != '.') {
			if (asprintf(&inner, "%s/%s", path, names[i]->d_name) < 0)
				abort();
			good = run_path(inner, nr_files) && good;
			free(inner);
		}
		free(names[i]);
	}
	free(names);
	return good;
}

static bool run_path(const char *path, size_t *nr_files)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return complain(path);
	if (S_ISDIR(st.st_mode))
		return run_folder(path, nr_files);
	++*nr_files;
	return run_file(path, (size_t)st.st_size);
}

int main(int argc, char **argv)
{
	size_t nr_files = 0;
	bool good = true;

	for (int i = 1; i < argc; i++)
		good = run_path(argv[i], &nr_files) && good;
	printf("%zu inputs\n", nr_files);
	if (nr_files == 0)
		fprintf(stderr, "no input was found\n");
	return good && nr_files > 0 ? 0 : 1;
}
