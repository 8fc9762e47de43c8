#include "lib/base/hmap.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define KEYS 400
#define THREADS 4
#define CHILDREN 300

static void
agrees_with_an_array(void **state)
{
	struct hmap *m = hmap_new();
	int *want[KEYS + 1] = { NULL }, values[KEYS + 1], *v;
	uint32_t seed = 1;
	size_t at, n, i, count;
	uint64_t key;

	(void)state;
	for (i = 0; i < 200000; i++) {
		seed = seed * 1664525 + 1013904223;
		n = 1 + (seed >> 8) % KEYS;
		/* Neighbours, and keys that differ in high bits only. */
		key = n % 2 == 0 ? n : (uint64_t)n << 40;
		if (seed >> 31 && i / 20000 % 2 == 0) {
			assert_ptr_equal(hmap_put(m, key, &values[n]), want[n]);
			want[n] = &values[n];
		} else if (seed >> 30 & 1) {
			assert_ptr_equal(hmap_del(m, key), want[n]);
			want[n] = NULL;
		} else {
			assert_ptr_equal(hmap_get(m, key), want[n]);
		}
	}
	for (count = 0, i = 1; i <= KEYS; i++)
		count += want[i] != NULL;
	assert_int_equal(hmap_count(m), count);
	HMAP_FOREACH(v, m, at) {
		n = (size_t)(v - values);
		assert_ptr_equal(want[n], v);
		want[n] = NULL; /* each once */
		count--;
	}
	assert_int_equal(count, 0);
	hmap_free(m);
	hmap_free(NULL);
}

static void
a_value_is_replaced_and_returned(void **state)
{
	struct hmap *m = hmap_new();
	int a, b;

	(void)state;
	assert_null(hmap_get(m, 5));
	assert_null(hmap_del(m, 5));
	assert_null(hmap_put(m, 5, &a));
	assert_ptr_equal(hmap_put(m, 5, &b), &a);
	assert_int_equal(hmap_count(m), 1);
	assert_ptr_equal(hmap_del(m, 5), &b);
	assert_int_equal(hmap_count(m), 0);
	hmap_free(m);
}

static void
hashes_tell_bytes_apart(void **state)
{
	char text[64];
	uint64_t seen[1000];
	size_t i, k;

	(void)state;
	for (i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "%zu.example.org", i);
		seen[i] = hmap_hash(text, strlen(text));
		assert_true(seen[i] != 0);
		assert_true(seen[i] == hmap_hash(text, strlen(text)));
		for (k = 0; k < i; k++)
			assert_true(seen[k] != seen[i]);
	}
	assert_true(hmap_hash("a", 1) != hmap_hash("a\0", 2));
	assert_true(hmap_hash("", 0) != 0);
}

struct asker {
	pthread_t thread;
	atomic_uint *ready;
	uint64_t hash;
};

static void *
ask(void *arg)
{
	struct asker *a = arg;

	/* All at once, as near as that can be had. */
	atomic_fetch_add(a->ready, 1);
	while (atomic_load(a->ready) < THREADS)
		;
	a->hash = hmap_hash("plain", 5);
	return NULL;
}

/* In a process that has hashed nothing yet: 0 when all threads agree. */
static int
disagree(void)
{
	struct asker a[THREADS];
	atomic_uint ready = 0;
	int i, other = 0;

	for (i = 0; i < THREADS; i++) {
		a[i].ready = &ready;
		if (pthread_create(&a[i].thread, NULL, ask, &a[i]) != 0)
			return 2;
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(a[i].thread, NULL);
		other += a[i].hash != a[0].hash;
	}
	return other != 0;
}

/* Before any other test: each child is to be the first that hashes. */
static void
threads_agree_from_the_first_hash_on(void **state)
{
	int i, status;
	pid_t pid;

	(void)state;
	for (i = 0; i < CHILDREN; i++) {
		pid = fork();
		assert_int_not_equal(pid, -1);
		if (pid == 0)
			_exit(disagree());
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_agree_from_the_first_hash_on),
		cmocka_unit_test(agrees_with_an_array),
		cmocka_unit_test(a_value_is_replaced_and_returned),
		cmocka_unit_test(hashes_tell_bytes_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
