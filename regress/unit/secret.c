#include "lib/base/secret.h"

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
#include <unistd.h>

#include <cmocka.h>

#define MOST 1000u

static void
room_is_clean(void **state)
{
	static const size_t sizes[] = { 1, 4095, 4096, 4097, 65537 };
	uint8_t *room;
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		room = secret_room(sizes[i]);
		assert_non_null(room);
		for (k = 0; k < sizes[i]; k++)
			assert_int_equal(room[k], 0);
		memset(room, 0xa5, sizes[i]);
		secret_room_free(room, sizes[i]);
	}
	secret_room_free(NULL, 1);
}

/* Through a pipe in two pieces. */
static void
takes_what_fits(void **state)
{
	static const struct {
		size_t len;
		ssize_t want;
		const char *err;
	} cases[] = {
		{ 0, -1, "is empty" },
		{ 1, 1, "" },
		{ MOST - 1, MOST - 1, "" },
		{ MOST, MOST, "" },
		{ MOST + 1, -1, "is larger than 1000 octets" },
	};
	char text[MOST + 1], room[MOST], err[64];
	size_t i, half;
	int fds[2];

	(void)state;
	memset(text, 's', sizeof(text));
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		half = cases[i].len / 2;
		err[0] = '\0';
		memset(room, 'x', sizeof(room));
		assert_int_equal(pipe(fds), 0);
		assert_int_equal(write(fds[1], text, half), half);
		assert_int_equal(write(fds[1], text, cases[i].len - half),
		    cases[i].len - half);
		close(fds[1]);
		assert_int_equal(
		    secret_take(fds[0], room, MOST, err, sizeof(err)),
		    cases[i].want);
		assert_string_equal(err, cases[i].err);
		if (cases[i].want == -1)
			assert_int_equal(room[0] | room[MOST - 1], 0);
		else
			assert_memory_equal(room, text, cases[i].len);
		close(fds[0]);
	}
	assert_int_equal(secret_take(-1, room, MOST, err, sizeof(err)), -1);
	assert_string_equal(err, strerror(EBADF));
}

static void
checks_without_reading(void **state)
{
	char path[] = "/tmp/secret.XXXXXX", err[64];
	int fd = mkstemp(path);

	(void)state;
	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, "secret", 6), 6);
	close(fd);
	assert_int_equal(secret_check(path, MOST, err, sizeof(err)), -1);
	assert_string_equal(err, "has mode 0600, and must have 0400");
	assert_int_equal(chmod(path, 0400), 0);
	assert_int_equal(secret_check(path, MOST, err, sizeof(err)), 0);
	assert_int_equal(secret_check(path, 6, err, sizeof(err)), 0);
	assert_int_equal(secret_check(path, 5, err, sizeof(err)), -1);
	assert_string_equal(err, "is larger than 5 octets");
	unlink(path);
	assert_int_equal(secret_check(path, MOST, err, sizeof(err)), -1);
	assert_string_equal(err, strerror(ENOENT));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(room_is_clean),
		cmocka_unit_test(takes_what_fits),
		cmocka_unit_test(checks_without_reading),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
