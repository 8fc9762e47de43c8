#include "lib/base/mono.h"

#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int test_clock = -1; /* set once at start, then only read */

void
mono_open_test_clock(void)
{
	const char *path = getenv("SMTPD_TEST_CLOCK");

	if (path != NULL && test_clock == -1)
		test_clock = open(path, O_RDONLY | O_CLOEXEC);
}

bool
mono_has_test_clock(void)
{
	return test_clock != -1;
}

static int64_t
shift(void)
{
	char text[32];
	ssize_t n;

	if (test_clock == -1)
		return 0;
	n = pread(test_clock, text, sizeof(text) - 1, 0);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	return strtoll(text, NULL, 10);
}

uint64_t
mono_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t
mono_ms(void)
{
	return mono_us() / 1000;
}

int64_t
mono_wall(void)
{
	return (int64_t)(mono_wall_ms() / 1000);
}

uint64_t
mono_wall_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)(ts.tv_sec + shift()) * 1000 +
	    (uint64_t)ts.tv_nsec / 1000000;
}
