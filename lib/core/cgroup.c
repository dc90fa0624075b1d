/* cgroup.c: how many CPUs this process may use: sched_getaffinity(2), and the CPU bandwidth limit of its control group
 * (Linux Documentation/admin-guide/cgroup-v2.rst "cpu.max"; v1 sched-bwc.rst). */
#include "lib/core/affinity.h"
#include "lib/core/threads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int affinity_cpus(void)
{
	const int count = attend_affinity_count();
	if (count > 0) return count;
	const long online = sysconf(_SC_NPROCESSORS_ONLN);
	return online > 0 && online < 1 << 18 ? (int)online : 1;
}

static bool read_line(char *line, size_t size, const char *path)
{
	FILE *const file = fopen(path, "re");
	if (!file) return false;
	const bool ok = fgets(line, (int)size, file) != NULL;
	fclose(file);
	return ok;
}

/* CPUs that quota microseconds in every period allow, rounded up; 0: no limit. */
static int quota_cpus(long long quota, long long period)
{
	if (quota <= 0 || period <= 0) return 0;
	const long long cpus = (quota + period - 1) / period;
	return cpus < 1 << 18 ? (int)cpus : 0;
}

static int folder_limit(const char *folder, bool v2)
{
	char path[1200], line[128];
	long long quota, period;
	if (v2) {
		snprintf(path, sizeof path, "%s/cpu.max", folder);
		if (!read_line(line, sizeof line, path) || sscanf(line, "%lld %lld", &quota, &period) != 2)
			return 0; /* "max" */
		return quota_cpus(quota, period);
	}
	snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder);
	if (!read_line(line, sizeof line, path) || sscanf(line, "%lld", &quota) != 1) return 0;
	snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
	if (!read_line(line, sizeof line, path) || sscanf(line, "%lld", &period) != 1) return 0;
	return quota_cpus(quota, period);
}

/* A parent's limit binds its children: walk from the group of this process up to the mount point. */
static int tightest_limit(const char *mount, const char *group, bool v2)
{
	char folder[1100];
	int limit = 0;
	snprintf(folder, sizeof folder, "%s%s", mount, group);
	for (;;) {
		const int here = folder_limit(folder, v2);
		if (here && (!limit || here < limit)) limit = here;
		char *const slash = strrchr(folder, '/');
		if (!slash || (size_t)(slash - folder) < strlen(mount)) return limit;
		*slash = 0;
	}
}

static bool names_controller(const char *list, const char *name)
{
	const size_t length = strlen(name);
	for (const char *at = list; (at = strstr(at, name)); at += length)
		if ((at == list || at[-1] == ',') && (at[length] == 0 || at[length] == ',')) return true;
	return false;
}

static int cgroup_cpus(void)
{
	FILE *const file = fopen("/proc/self/cgroup", "re");
	if (!file) return 0;
	char line[1024];
	int limit = 0;
	while (fgets(line, sizeof line, file)) { /* hierarchy:controllers:group */
		line[strcspn(line, "\n")] = 0;
		char *const controllers = strchr(line, ':');
		char *const group = controllers ? strchr(controllers + 1, ':') : NULL;
		if (!group) continue;
		*group = 0;
		int here = 0;
		if (controllers[1] == 0) here = tightest_limit("/sys/fs/cgroup", group + 1, true);
		else if (names_controller(controllers + 1, "cpu"))
			here = tightest_limit("/sys/fs/cgroup/cpu", group + 1, false);
		if (here && (!limit || here < limit)) limit = here;
	}
	fclose(file);
	return limit;
}

int attend_available_cpus(void)
{
	const int cpus = affinity_cpus(), limit = cgroup_cpus();
	return limit && limit < cpus ? limit : cpus;
}
