#include <sys/stat.h>

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/conf/conf.h"
#include "daemon/conf/lines.h"
#include "daemon/lookup/table.h"
#include "daemon/lookup/user.h"
#include "lib/base/buf.h"

static void
on_entry(void *arg, const char *key, const char *value)
{
	buf_putf(arg, "%s=%s;", key, value);
}

static int
on_target(void *arg, const char *target)
{
	buf_putf(arg, "%s;", target);
	return strcmp(target, "stop") == 0 ? -1 : 0;
}

static const struct {
	const char *in, *want; /* NULL: refused with why */
	const char *why;
} files[] = {
	{ "", "", "" },
	{ "\n\n# x\n   # y\n", "", "" },
	{ "a b", "a=b;", "" },
	{ "a b\n", "a=b;", "" },
	{ "a\nb\r\nc", "a=;b=;c=;", "" },
	{ "root: ann\nx:y\nz = w w\n", "root=ann;x=y;z=w w;", "" },
	{ "team: ann,\n\tbob,\n# note\n  carol \nnext: x\n",
	    "team=ann, bob, carol;next=x;", "" },
	{ "10.0.0.0/8\n2001:db8::/32\n::1 here\n",
	    "10.0.0.0/8=;2001:db8::/32=;::1=here;", "" },
	{ "\"a b\": c\n\"x:y\"@d z\n", "a b=c;\"x:y\"@d=z;", "" },
	{ "x:: b\n", "x=: b;", "" },
	{ "@dom ann\n*.x\n", "@dom=ann;*.x=;", "" },
	{ " a\n", NULL, "line 1: the first line continues nothing" },
	{ "x\n: b\n", NULL, "line 2: an entry without its key" },
	{ "x\n\"a b\n", NULL, "line 2: an entry without its key" },
	{ "x\n\"\": b\n", NULL, "line 2: an entry without its key" },
	{ "x\ny a\001b\n", NULL, "line 2: a control character" },
};

static void
test_files(void **state)
{
	struct buf *b = buf_new(1 << 20);
	char why[200];
	size_t i;
	int r;

	(void)state;
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		buf_reset(b);
		why[0] = '\0';
		r = lines_read(files[i].in, strlen(files[i].in), on_entry, b,
		    why, sizeof(why));
		assert_int_equal(r, files[i].want != NULL ? 0 : -1);
		assert_string_equal(why, files[i].why);
		if (files[i].want != NULL)
			assert_string_equal(buf_text(b), files[i].want);
	}
	assert_int_equal(lines_read("a\0b", 3, on_entry, b, why, 200), -1);
	buf_free(b);
}

static void
test_long_entry(void **state)
{
	size_t len = LINES_MAX + 2;
	char *text = malloc(len), why[200];
	struct buf *b = buf_new(1 << 20);

	(void)state;
	assert_non_null(text);
	memset(text, 'x', len);
	text[1] = ' ';
	assert_int_equal(lines_read(text, LINES_MAX, on_entry, b, why, 200), 0);
	assert_int_equal(lines_read(text, len, on_entry, b, why, 200), -1);
	assert_string_equal(why, "line 1: the entry is too long");
	free(text);
	buf_free(b);
}

static void
test_targets(void **state)
{
	static const struct {
		const char *in, *want;
		int result;
	} cases[] = {
		{ "", "", 0 },
		{ " , ,", "", 0 },
		{ "ann", "ann;", 0 },
		{ " ann , bob@c ,carol", "ann;bob@c;carol;", 0 },
		{ "\"a, b\"@c, d", "\"a, b\"@c;d;", 0 },
		{ "\"|/bin/x a, b\", d", "|/bin/x a, b;d;", 0 },
		{ "\"a\\\"b\"@c", "\"a\\\"b\"@c;", 0 },
		{ "\\ann, x", "\\ann;x;", 0 },
		{ "a, stop, b", "a;stop;", -1 },
		{ "\"open, a", "\"open, a;", 0 },
		{ "\"a\\", "\"a\\;", 0 },
	};
	struct buf *b = buf_new(1 << 16);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_reset(b);
		assert_int_equal(
		    lines_targets(cases[i].in, on_target, b), cases[i].result);
		assert_string_equal(buf_text(b), cases[i].want);
	}
	buf_free(b);
}

static void
write_file(const char *path, const char *text, int age)
{
	struct timespec times[2];
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	/* Whatever the file system's clock can tell apart. */
	times[0].tv_sec = times[1].tv_sec = 1000000000 + age;
	times[0].tv_nsec = times[1].tv_nsec = 0;
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static const char *
value_of(struct tables *t, const char *name, const char *key)
{
	const char *value = "?";

	switch (table_find(t, name, key, &value)) {
	case TABLE_FOUND:
		return value;
	case TABLE_NONE:
		return "none";
	case TABLE_TROUBLE:
		break;
	}
	return "trouble";
}

static void
test_inline(void **state)
{
	static const char text[] = "table a { Key = V, plain, z = \"x, y\", "
				   "10.0.0.0/8, \"::1\" }\ntable e { }\n";
	struct conf *c = conf_parse("t", text, strlen(text), NULL, NULL);
	struct tables *t = tables_new(c, NULL);
	struct network n;
	char longest[600];

	(void)state;
	assert_string_equal(value_of(t, "a", "KEY"), "V");
	assert_string_equal(value_of(t, "a", "plain"), "");
	assert_string_equal(value_of(t, "a", "z"), "x, y");
	assert_string_equal(value_of(t, "a", "zz"), "none");
	assert_string_equal(value_of(t, "a", ""), "none");
	assert_string_equal(value_of(t, "e", "x"), "none");
	assert_string_equal(value_of(t, "q", "x"), "trouble");
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	assert_string_equal(value_of(t, "a", longest), "none");
	assert_true(network_parse(&n, "10.1.1.1"));
	assert_int_equal(table_find_address(t, "a", &n), TABLE_FOUND);
	assert_true(network_parse(&n, "::1"));
	assert_int_equal(table_find_address(t, "a", &n), TABLE_FOUND);
	assert_true(network_parse(&n, "::2"));
	assert_int_equal(table_find_address(t, "a", &n), TABLE_NONE);
	assert_int_equal(table_find_address(t, "e", &n), TABLE_NONE);
	assert_int_equal(table_find_address(t, "q", &n), TABLE_TROUBLE);
	tables_free(t);
	conf_free(c);
}

static void
test_file_changes(void **state)
{
	char path[] = "/tmp/table.XXXXXX", text[200];
	int fd = mkstemp(path);
	struct tables *t;
	struct conf *c;

	(void)state;
	assert_true(fd != -1);
	close(fd);
	snprintf(text, sizeof(text), "table f file:%s\n", path);
	c = conf_parse("t", text, strlen(text), NULL, NULL);
	assert_non_null(c);
	write_file(path, "a: 1\nA: 2\nb: 3\n", 0);
	t = tables_new(c, NULL);
	assert_string_equal(value_of(t, "f", "a"), "trouble");
	tables_now(t, 10000);
	/* Of two the first counts. */
	assert_string_equal(value_of(t, "f", "a"), "1");
	assert_string_equal(value_of(t, "f", "B"), "3");

	/* Looked at once a second, not more often. */
	write_file(path, "a: 4\n", 1);
	tables_now(t, 10999);
	assert_string_equal(value_of(t, "f", "a"), "1");
	tables_now(t, 11000);
	assert_string_equal(value_of(t, "f", "a"), "4");
	assert_string_equal(value_of(t, "f", "b"), "none");

	/* Broken, or gone: what was read stays. */
	write_file(path, ": x\n", 2);
	tables_now(t, 12000);
	assert_string_equal(value_of(t, "f", "a"), "4");
	unlink(path);
	tables_now(t, 13000);
	assert_string_equal(value_of(t, "f", "a"), "4");

	/* A reload keeps it too, and looks at once. */
	t = tables_new(c, t);
	tables_now(t, 13001);
	assert_string_equal(value_of(t, "f", "a"), "4");
	write_file(path, "a: 5\n", 3);
	t = tables_new(c, t);
	tables_now(t, 13002);
	assert_string_equal(value_of(t, "f", "a"), "5");

	/* A directory is no table. */
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	tables_now(t, 15000);
	assert_string_equal(value_of(t, "f", "a"), "5");
	rmdir(path);
	tables_free(t);

	t = tables_new(c, NULL);
	tables_now(t, 20000);
	assert_string_equal(value_of(t, "f", "a"), "trouble");
	write_file(path, "a: 6\n", 4);
	tables_now(t, 21000);
	assert_string_equal(value_of(t, "f", "a"), "6");
	unlink(path);
	tables_free(t);
	conf_free(c);
}

static void
test_many(void **state)
{
	struct buf *b = buf_new(CONF_TEXT_MAX);
	struct tables *t;
	struct conf *c;
	char key[32], value[32];
	int i;

	(void)state;
	buf_puts(b, "table m {\n");
	for (i = 0; i < 5000; i++)
		buf_putf(b, "k%d = v%d,\n", i * 7919 % 5000, i);
	buf_puts(b, "}\n");
	c = conf_parse("t", buf_text(b), buf_len(b), NULL, NULL);
	assert_non_null(c);
	t = tables_new(c, NULL);
	for (i = 0; i < 5000; i++) {
		snprintf(key, sizeof(key), "K%d", i * 7919 % 5000);
		snprintf(value, sizeof(value), "v%d", i);
		assert_string_equal(value_of(t, "m", key), value);
	}
	assert_string_equal(value_of(t, "m", "k5000"), "none");
	tables_free(t);
	conf_free(c);
	buf_free(b);
}

static void
test_users(void **state)
{
	struct users *u = users_new();
	char name[64];
	unsigned i;

	(void)state;
	assert_int_equal(users_find(u, "root", 0), USER_FOUND);
	assert_int_equal(users_find(u, "root", 1), USER_FOUND);
	assert_int_equal(users_find(u, "root", USER_KEEP + 1), USER_FOUND);
	assert_int_equal(users_find(u, "no-such-user-x", 0), USER_NONE);
	assert_int_equal(users_find(u, "", 0), USER_NONE);
	assert_int_equal(users_find(u, "-x", 0), USER_NONE);
	assert_int_equal(users_find(u, "../root", 0), USER_NONE);
	assert_int_equal(users_find(u, "root:x", 0), USER_NONE);
	/* More names than are kept. */
	for (i = 0; i < USER_KNOWN + 10; i++) {
		snprintf(name, sizeof(name), "no-such-%u", i);
		assert_int_equal(users_find(u, name, 2), USER_NONE);
	}
	assert_int_equal(users_find(u, "root", 2), USER_FOUND);
	users_free(u);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_long_entry),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_inline),
		cmocka_unit_test(test_file_changes),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_users),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
