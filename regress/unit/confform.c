/* The words of how the queue is stored: queue compression and encryption. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/conf/conf.h"

static void
gather(void *arg, const char *line)
{
	assert_int_equal(buf_putf(arg, "%s\n", line), 0);
}

static struct conf *
parse(const char *text, struct buf *said)
{
	buf_reset(said);
	return conf_parse("t", text, strlen(text), gather, said);
}

static void
reads_and_prints(void **state)
{
	static const struct {
		const char *text;
		int compression;
		bool seal, keyed;
		const char *keys, *passphrase;
		const char *parent, *spooler; /* what is printed */
	} cases[] = {
		{ "", 0, false, false, NULL, NULL,
		    "queue compression none\nqueue encryption none\n",
		    "queue compression none\nqueue encryption none\n" },
		{ "queue compression none encryption none", 0, false, false,
		    NULL, NULL, "queue encryption none\n",
		    "queue encryption none\n" },
		{ "queue compression zstd", 1, false, false, NULL, NULL,
		    "queue compression zstd:1\n",
		    "queue compression zstd:1\n" },
		{ "queue encryption key file:/k compression zstd:19", 19, true,
		    true, "/k", NULL,
		    "queue compression zstd:19\nqueue encryption key "
		    "file:\"/k\"\n",
		    "queue compression zstd:19\nqueue encryption given\n" },
		{ "queue encryption key file:\"/a b\" passphrase file:/p", 0,
		    true, true, "/a b", "/p",
		    "queue encryption key file:\"/a b\" passphrase "
		    "file:\"/p\"\n",
		    "queue encryption given\n" },
		{ "queue encryption none key file:/k ttl 4d", 0, false, true,
		    "/k", NULL, "queue encryption none key file:\"/k\"\n",
		    "queue encryption none given\n" },
		{ "queue encryption given", 0, true, true, NULL, NULL,
		    "queue encryption given\n", "queue encryption given\n" },
	};
	struct buf *said = buf_new(4096), *b = buf_new(CONF_TEXT_MAX);
	struct conf *c;
	size_t i;
	int who;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		c = parse(cases[i].text, said);
		assert_string_equal(buf_text(said), "");
		assert_non_null(c);
		assert_int_equal(c->compression, cases[i].compression);
		assert_int_equal(c->seal, cases[i].seal);
		assert_int_equal(c->keyed, cases[i].keyed);
		if (cases[i].keys == NULL) {
			assert_null(c->keys_path);
		} else {
			assert_string_equal(c->keys_path, cases[i].keys);
			assert_string_equal(c->keys_place, "t:1");
		}
		if (cases[i].passphrase == NULL)
			assert_null(c->passphrase_path);
		else
			assert_string_equal(
			    c->passphrase_path, cases[i].passphrase);
		for (who = ROLE_PARENT; who < ROLES; who++) {
			buf_reset(b);
			assert_int_equal(conf_print(c, (enum role)who, b), 0);
			if (who == ROLE_PARENT)
				assert_non_null(
				    strstr(buf_text(b), cases[i].parent));
			else if (who == ROLE_SPOOLER)
				assert_non_null(
				    strstr(buf_text(b), cases[i].spooler));
			else
				assert_null(strstr(buf_text(b), "ncryption"));
			if (who != ROLE_PARENT && cases[i].keys != NULL)
				assert_null(strstr(buf_text(b), "file:"));
		}
		conf_free(c);
	}
	buf_free(b);
	buf_free(said);
}

static void
says_what_is_wrong(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "queue compression",
		    "t:1: compression: expected none or zstd[:LEVEL] at the "
		    "end of the line\n" },
		{ "queue compression gzip",
		    "t:1: compression: expected none or zstd[:LEVEL], not "
		    "\"gzip\"\n" },
		{ "queue compression zstd3",
		    "t:1: compression: expected none or zstd[:LEVEL], not "
		    "\"zstd3\"\n" },
		{ "queue compression zstd:0",
		    "t:1: compression: expected a level from zstd:1 to "
		    "zstd:19, not \"zstd:0\"\n" },
		{ "\nqueue compression zstd:20",
		    "t:2: compression: expected a level from zstd:1 to "
		    "zstd:19, not \"zstd:20\"\n" },
		{ "queue compression zstd:",
		    "t:1: compression: expected a level from zstd:1 to "
		    "zstd:19, not \"zstd:\"\n" },
		{ "queue compression none\nqueue compression zstd",
		    "t:2: queue: \"compression\" is given twice\n" },
		{ "queue encryption",
		    "t:1: encryption: expected none or key file:PATH at the "
		    "end of the line\n" },
		{ "queue encryption on",
		    "t:1: encryption: expected none or key file:PATH, not "
		    "\"on\"\n" },
		{ "queue encryption key /etc/ring",
		    "t:1: encryption: expected file:PATH, not "
		    "\"/etc/ring\"\n" },
		{ "queue encryption key file:",
		    "t:1: encryption: expected file:PATH, not \"file:\"\n" },
		{ "queue encryption key file:/k passphrase secret",
		    "t:1: encryption: expected file:PATH, not \"secret\"\n" },
		{ "queue encryption key file:/k passfrase file:/p",
		    "t:1: queue: unknown word \"passfrase\"\n" },
		{ "queue encryption none\nqueue encryption key file:/k",
		    "t:2: queue: \"encryption\" is given twice\n" },
	};
	struct buf *said = buf_new(4096);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_null(parse(cases[i].text, said));
		assert_string_equal(buf_text(said), cases[i].want);
	}
	buf_free(said);
}

/* The words of a slice are none of a file's; a path is relative to the file. */
static void
from_a_file(void **state)
{
	char dir[] = "/tmp/confform.XXXXXX", path[64], want[128];
	struct buf *said = buf_new(4096);
	struct conf *c;
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/conf", dir);
	f = fopen(path, "w");
	fputs("queue encryption given\n", f);
	fclose(f);
	assert_null(conf_load(path, gather, said));
	snprintf(want, sizeof(want),
	    "%s:1: encryption: expected none or key file:PATH, not "
	    "\"given\"\n",
	    path);
	assert_string_equal(buf_text(said), want);
	f = fopen(path, "w");
	fputs("\nqueue encryption key file:ring passphrase file:/p\n", f);
	fclose(f);
	c = conf_load(path, gather, said);
	assert_non_null(c);
	snprintf(want, sizeof(want), "%s/ring", dir);
	assert_string_equal(c->keys_path, want);
	snprintf(want, sizeof(want), "%s:2", path);
	assert_string_equal(c->keys_place, want);
	conf_free(c);
	unlink(path);
	rmdir(dir);
	buf_free(said);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_and_prints),
		cmocka_unit_test(says_what_is_wrong),
		cmocka_unit_test(from_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
