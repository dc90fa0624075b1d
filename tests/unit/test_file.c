/* test_file.c: reading, mapping, and writing that leaves the old file or the new one. */
#include "lib/core/file.h"
#include "tests/support/check.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/attend-file-XXXXXX";
static char path[64], link_path[64];

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(folder)) return -1;
	snprintf(path, sizeof path, "%s/file", folder);
	snprintf(link_path, sizeof link_path, "%s/link", folder);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(link_path);
	unlink(path);
	return rmdir(folder); /* fails when a temporary was left behind */
}

static size_t entries(void)
{
	DIR *const dir = opendir(folder);
	size_t count = 0;
	while (readdir(dir)) count++;
	closedir(dir);
	return count - 2;
}

static void check_content(const char *name, const char *expected)
{
	char *text;
	size_t size;
	assert_ok(attend_file_read(&text, &size, name, 0));
	assert_string_equal(text, expected);
	assert_int_equal(size, strlen(expected));
	free(text);
}

static void test_read_and_map(void **state)
{
	(void)state;
	char *text = NULL;
	size_t size = 0;
	attend_mapping mapping;
	assert_fails(ATTEND_ERR_NOTFOUND, "/nowhere: cannot open: No such file",
	             attend_file_read(&text, &size, "/nowhere", 0));
	assert_fails(ATTEND_ERR_NOTFOUND, "/nowhere", attend_file_map(&mapping, "/nowhere"));
	assert_fails(ATTEND_ERR_NOTFOUND, "is a folder", attend_file_read(&text, &size, folder, 0));
	assert_fails(ATTEND_ERR_NOTFOUND, "is a folder", attend_file_map(&mapping, folder));
	assert_fails(ATTEND_ERR_NOTFOUND, "not a regular file", attend_file_map(&mapping, "/dev/null"));
	assert_ok(attend_file_write(path, "", 0));
	check_content(path, "");
	check_content("/dev/null", "");
	assert_ok(attend_file_map(&mapping, path));
	assert_null(mapping.data);
	attend_file_unmap(&mapping);
	assert_ok(attend_file_write(path, "12345", 5));
	assert_ok(attend_file_read(&text, &size, path, 5));
	free(text);
	assert_fails(ATTEND_ERR_FORMAT, "limit of 4 bytes", attend_file_read(&text, &size, path, 4));
	assert_fails(ATTEND_ERR_FORMAT, "limit of 100 bytes", attend_file_read(&text, &size, "/dev/zero", 100));
	assert_ok(attend_file_map(&mapping, path));
	assert_int_equal(mapping.size, 5);
	assert_memory_equal(mapping.data, "12345", 5);
	attend_file_unmap(&mapping);
	attend_file_unmap(NULL);
	assert_true(attend_file_exists(path));
	assert_false(attend_file_exists(folder));
	assert_true(attend_folder_exists(folder));
	assert_false(attend_folder_exists(path));
	assert_ok(attend_file_read(&text, &size, "/proc/self/status", 0)); /* tells size 0 */
	assert_true(size > 100 && strlen(text) == size);
	free(text);
}

static void test_replace(void **state)
{
	(void)state;
	attend_writer *writer;
	assert_ok(attend_file_write(path, "old", 3));
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(symlink("file", link_path), 0);
	assert_ok(attend_writer_open(&writer, link_path));
	assert_ok(attend_writer_write(writer, "ne", 2));
	assert_ok(attend_writer_write(writer, "w", 1));
	check_content(path, "old");
	assert_ok(attend_writer_commit(writer));
	check_content(path, "new");
	struct stat info;
	assert_int_equal(lstat(link_path, &info), 0);
	assert_true(S_ISLNK(info.st_mode));
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode & 07777, 0640);

	assert_ok(attend_writer_open(&writer, path));
	assert_ok(attend_writer_write(writer, "lost", 4));
	assert_int_equal(entries(), 3);
	attend_writer_abort(writer);
	attend_writer_abort(NULL);
	check_content(path, "new");
	assert_int_equal(entries(), 2);
}

static void test_bad_targets(void **state)
{
	(void)state;
	attend_writer *writer;
	assert_fails(ATTEND_ERR_NOTFOUND, "/nowhere/x", attend_writer_open(&writer, "/nowhere/x"));
	assert_fails(ATTEND_ERR_IO, "is a folder", attend_writer_open(&writer, folder));
	assert_fails(ATTEND_ERR_IO, "/dev/full: cannot write: No space", attend_file_write("/dev/full", "x", 1));
	struct stat info;
	assert_int_equal(stat("/dev/full", &info), 0);
	assert_true(S_ISCHR(info.st_mode));
	assert_ok(attend_file_write("/dev/null", "x", 1));
}

/* A write that fails half-way leaves the old file and no temporary. */
static void test_full_disk(void **state)
{
	(void)state;
	assert_ok(attend_file_write(path, "old", 3));
	struct rlimit old, small = {1000, 0};
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small.rlim_max = old.rlim_max;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	char block[4096] = {0};
	const size_t before = entries();
	const attend_status status = attend_file_write(path, block, sizeof block);
	attend_writer *writer = NULL;
	attend_status second = attend_writer_open(&writer, path);
	if (second == ATTEND_OK) {
		second = attend_writer_write(writer, block, sizeof block);
		assert_int_equal(attend_writer_write(writer, "x", 1), ATTEND_ERR_IO);
		assert_int_equal(attend_writer_commit(writer), ATTEND_ERR_IO);
	}
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	signal(SIGXFSZ, SIG_DFL);
	assert_int_equal(status, ATTEND_ERR_IO);
	assert_int_equal(second, ATTEND_ERR_IO);
	assert_non_null(strstr(attend_error(), "File too large"));
	assert_int_equal(entries(), before);
	check_content(path, "old");
}

static void test_join(void **state)
{
	(void)state;
	static const char *const cases[][3] = {{"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"", "b", "b"}, {"/", "b", "/b"}};
	for (size_t i = 0; i < 4; i++) {
		char *joined;
		assert_ok(attend_path_join(&joined, cases[i][0], cases[i][1]));
		assert_string_equal(joined, cases[i][2]);
		free(joined);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_read_and_map), cmocka_unit_test(test_replace),
	                                   cmocka_unit_test(test_bad_targets), cmocka_unit_test(test_full_disk),
	                                   cmocka_unit_test(test_join)};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
