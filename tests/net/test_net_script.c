/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Runs scripts (script.h), each in several variants.
 *
 *	test_net_script [--teeth] <folder or file>...
 *
 * --teeth: each script must fail, where and as its first line says: "# fails at LINE: TEXT".
 */
#include "tests/net/script.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MAX_JOBS 1024

struct job {
	char path[512];
	char title[128];
	struct script_variant variant;
	bool is_teeth;
};

static const struct script_variant variants[] = {
	{"plain", 1000000, false, false, 0},
	{"the peer's numbers wrap", 0xffffffffu - 700, false, false, 0},
	{"the stack's numbers wrap", 1000000, false, true, 0xffffffffu - 1500},
	{"over IPv6", 1000000, true, false, 0},
};
#define NR_VARIANTS (sizeof(variants) / sizeof(variants[0]))

static void script_holds(void **state)
{
	const struct job *job = *state;
	char why[SCRIPT_WHY_BYTES] = "";
	struct script s;
	bool is_ok = script_load(&s, job->path, why) && script_run(&s, &job->variant, why);

	script_free(&s);
	if (!is_ok)
		fail_msg("%s (%s)", why, job->variant.name);
}

static void script_bites(void **state)
{
	const struct job *job = *state;
	char why[SCRIPT_WHY_BYTES] = "", want[256] = "", at[80];
	unsigned nr = 0;
	struct script s;
	bool is_ok;
	FILE *f = fopen(job->path, "re");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "# fails at %u: %255[^\n]", &nr, want), 2);
	fclose(f);
	is_ok = script_load(&s, job->path, why) && script_run(&s, &job->variant, why);
	snprintf(at, sizeof(at), ":%u: ", nr);
	script_free(&s);
	if (is_ok)
		fail_msg("it holds");
	if (!strstr(why, at) || !strstr(why, want))
		fail_msg("%s", why);
}

static void job_add(struct job *jobs, uint32_t *nr, const char *path, bool is_teeth)
{
	const char *slash = strrchr(path, '/');

	for (uint32_t v = 0; v < (is_teeth ? 1 : NR_VARIANTS); v++) {
		struct job *job = &jobs[(*nr)++];

		assert_true(*nr <= MAX_JOBS);
		snprintf(job->path, sizeof(job->path), "%s", path);
		snprintf(job->title, sizeof(job->title), "%.60s, %s", slash ? slash + 1 : path,
			variants[v].name);
		job->variant = variants[v];
		job->is_teeth = is_teeth;
	}
}

static void folder_add(struct job *jobs, uint32_t *nr, const char *path, bool is_teeth)
{
	struct dirent **names;
	const int n = scandir(path, &names, NULL, alphasort);

	if (n < 0) {
		job_add(jobs, nr, path, is_teeth);
		return;
	}
	for (int i = 0; i < n; i++) {
		char inner[512];

		if (strstr(names[i]->d_name, ".seg")) {
			snprintf(inner, sizeof(inner), "%.250s/%.250s", path, names[i]->d_name);
			job_add(jobs, nr, inner, is_teeth);
		}
		free(names[i]);
	}
	free(names);
}

int main(int argc, char **argv)
{
	static struct job jobs[MAX_JOBS];
	static struct CMUnitTest tests[MAX_JOBS];
	uint32_t nr = 0;
	bool is_teeth = false;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--teeth") == 0)
			is_teeth = true;
		else
			folder_add(jobs, &nr, argv[i], is_teeth);
	}
	if (nr == 0) {
		fprintf(stderr, "no scripts\n");
		return 1;
	}
	for (uint32_t i = 0; i < nr; i++) {
		tests[i].name = jobs[i].title;
		tests[i].test_func = jobs[i].is_teeth ? script_bites : script_holds;
		tests[i].initial_state = &jobs[i];
	}
	return _cmocka_run_group_tests("scripts", tests, nr, NULL, NULL);
}
