#include "queue/keyring.h"

#include <fcntl.h>
#include <pthread.h>
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

#define KID "home-key-2026-11"
#define WHEN "2026-11-22T13:21:09Z"
#define ZEROS "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define COUNTED "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define LINE KID " active " WHEN " aes-256-gcm " COUNTED "\n"
/* seal_vectors.py */
#define SEALED_RING                                                            \
	"scrypt 10 8 1 UFFSU1RVVldYWVpbXF1eX2Bh\n" KID " active " WHEN         \
	" aes-256-gcm "                                                        \
	"ZGVmZ2hpamtsbW5vAZ7xXH/YDXg1sCGPsjmPAiRLAkgv0AmaXbZru9Ju"             \
	"puc6lt/Z1sxMWv2I5SlEibDk\n"

static struct keyring *
parse(const char *text, const char *passphrase, char err[128])
{
	return keyring_parse(text, strlen(text), passphrase, err, 128);
}

static void
reads_a_ring(void **state)
{
	struct keyring *r;
	const struct key *k;
	char err[128];
	unsigned i;

	(void)state;
	r = parse("# keys\n\n" LINE "  second-key-0001\t readable " WHEN
		  " aes-256-gcm " ZEROS "\n",
	    NULL, err);
	assert_null(r);
	assert_string_equal(
	    err, "line 4: the kid must be 16 of a-z, 0-9 and -");
	r = parse("# keys\n\n" LINE "  second-key-00001\t readable  " WHEN
		  " aes-256-gcm " ZEROS "  \n"
		  "third-key-000001 retired " WHEN " aes-256-gcm " ZEROS,
	    NULL, err);
	assert_non_null(r);
	assert_int_equal(keyring_count(r), 3);
	k = keyring_active(r);
	assert_ptr_equal(k, keyring_at(r, 0));
	assert_string_equal(k->kid, KID);
	assert_int_equal(k->created, 1795353669);
	for (i = 0; i < KEYRING_SECRET; i++)
		assert_int_equal(k->secret[i], i);
	assert_ptr_equal(keyring_find(r, "third-key-000001"), keyring_at(r, 2));
	assert_int_equal(keyring_at(r, 1)->state, KEY_READABLE);
	assert_int_equal(keyring_at(r, 2)->state, KEY_RETIRED);
	assert_null(keyring_find(r, "third-key-00000"));
	assert_null(keyring_find(NULL, KID));
	assert_null(keyring_active(NULL));
	assert_ptr_equal(keyring_ref(r), r);
	keyring_unref(r);
	assert_int_equal(keyring_count(r), 3);
	keyring_unref(r);
	keyring_unref(NULL);
}

static void
says_what_is_wrong(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "", "there is no key in it" },
		{ "# nothing\n\n", "there is no key in it" },
		{ "\n" KID "\n",
		    "line 2: it must read `kid state created aes-256-gcm "
		    "key'" },
		{ LINE LINE, "line 2: its kid stands there twice" },
		{ LINE "other-key-000000 active " WHEN " aes-256-gcm " ZEROS,
		    "line 2: a second key is active" },
		{ "Home-key-2026-11 active " WHEN " aes-256-gcm " ZEROS,
		    "line 1: the kid must be 16 of a-z, 0-9 and -" },
		{ "-ome-key-2026-11 active " WHEN " aes-256-gcm " ZEROS,
		    "line 1: the kid must be 16 of a-z, 0-9 and -" },
		{ KID "1 active " WHEN " aes-256-gcm " ZEROS,
		    "line 1: the kid must be 16 of a-z, 0-9 and -" },
		{ KID " dead " WHEN " aes-256-gcm " ZEROS,
		    "line 1: the state must be active, readable or retired" },
		{ KID " active 2026-11-22 aes-256-gcm " ZEROS,
		    "line 1: the time must read like 2026-11-22T13:21:09Z" },
		{ KID " active " WHEN " aes-128-gcm " ZEROS,
		    "line 1: the algorithm must be aes-256-gcm" },
		{ KID " active " WHEN " aes-256-gcm AAAA",
		    "line 1: the key is not 32 octets in base64" },
		{ KID " active " WHEN " aes-256-gcm "
		      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=",
		    "line 1: the key is not 32 octets in base64" },
		{ KID " active " WHEN " aes-256-gcm " ZEROS " more",
		    "line 1: it is no line of a ring" },
		{ KID " active " WHEN " aes-256-gcm " ZEROS "\r\n",
		    "line 1: it is no line of a ring" },
		{ LINE "scrypt 10 8 1 UFFSU1RVVldYWVpbXF1eX2Bh\n",
		    "line 2: the kid must be 16 of a-z, 0-9 and -" },
		{ "scrypt 10 8 1\n",
		    "line 1: it must read `scrypt LOG2N R P SALT'" },
		{ "scrypt 40 8 1 UFFSU1RVVldYWVpbXF1eX2Bh\n",
		    "line 1: it must read `scrypt LOG2N R P SALT'" },
		{ "scrypt 10 0 1 UFFSU1RVVldYWVpbXF1eX2Bh\n",
		    "line 1: it must read `scrypt LOG2N R P SALT'" },
		{ SEALED_RING,
		    "line 1: the ring is sealed by a passphrase, "
		    "and there is none" },
	};
	char err[128];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_null(parse(cases[i].text, NULL, err));
		assert_string_equal(err, cases[i].want);
	}
	assert_null(keyring_parse(KID " active\0" WHEN, 40, NULL, err, 128));
	assert_string_equal(err, "line 1: it is no line of a ring");
}

static void
holds_64_keys(void **state)
{
	char *text = calloc(1, 65 * 128), err[128];
	struct keyring *r;
	size_t n = 0;
	int i;

	(void)state;
	for (i = 0; i < 64; i++)
		n += (size_t)sprintf(text + n,
		    "key-%012d readable " WHEN " aes-256-gcm " ZEROS "\n", i);
	r = keyring_parse(text, n, NULL, err, sizeof(err));
	assert_non_null(r);
	assert_int_equal(keyring_count(r), 64);
	assert_null(keyring_active(r));
	keyring_unref(r);
	sprintf(text + n, LINE);
	assert_null(parse(text, NULL, err));
	assert_string_equal(err, "line 65: a ring holds at most 64 keys");
	free(text);
	text = calloc(1, KEYRING_TEXT_MAX + 1);
	memset(text, '\n', KEYRING_TEXT_MAX + 1);
	assert_null(
	    keyring_parse(text, KEYRING_TEXT_MAX + 1, NULL, err, sizeof(err)));
	assert_string_equal(err, "it is larger than a ring may be");
	free(text);
}

/* Any prefix is refused, or lacks nothing but its last LF. */
static void
cut_short(void **state)
{
	size_t len = strlen(LINE), i;
	struct keyring *r;
	char err[128];

	(void)state;
	for (i = 0; i < len; i++) {
		r = keyring_parse(LINE, i, NULL, err, sizeof(err));
		if (i < len - 1)
			assert_null(r);
		else
			assert_non_null(r);
		keyring_unref(r);
	}
}

static void
opens_with_a_passphrase(void **state)
{
	struct keyring *r;
	char err[128], text[] = SEALED_RING, *key;
	unsigned i, bit;

	(void)state;
	assert_true(keyring_wants_passphrase(text, strlen(text)));
	assert_false(keyring_wants_passphrase(LINE, strlen(LINE)));
	assert_false(keyring_wants_passphrase("", 0));
	r = parse(text, "correct horse", err);
	assert_non_null(r);
	for (i = 0; i < KEYRING_SECRET; i++)
		assert_int_equal(keyring_active(r)->secret[i], i);
	keyring_unref(r);
	assert_null(parse(text, "correct house", err));
	assert_string_equal(
	    err, "line 2: the passphrase does not open this key");
	assert_null(parse(text, "", err));
	/* A changed letter of the sealed key, or of its kid. */
	key = strstr(text, "ZGVm");
	for (i = 0; i < 80; i += 7) {
		for (bit = 0; bit < 8; bit++) {
			key[i] = (char)(key[i] ^ 1 << bit);
			assert_null(parse(text, "correct horse", err));
			key[i] = (char)(key[i] ^ 1 << bit);
		}
	}
	strchr(text, '\n')[1] = 'r';
	assert_null(parse(text, "correct horse", err));
}

static void
prints_what_it_reads(void **state)
{
	struct buf *b = buf_new(KEYRING_TEXT_MAX), *tiny = buf_new(20);
	struct key k[2], *made = &k[0];
	struct keyring *r;
	char err[128];

	(void)state;
	assert_int_equal(key_generate(made, NULL), 0);
	assert_true(key_kid_ok(made->kid));
	assert_int_equal(made->state, KEY_ACTIVE);
	assert_int_equal(key_generate(&k[1], "chosen-kid-00001"), 0);
	assert_string_equal(k[1].kid, "chosen-kid-00001");
	assert_memory_not_equal(k[0].secret, k[1].secret, KEYRING_SECRET);
	k[1].state = KEY_RETIRED;
	key_print(&k[0], b);
	key_print(&k[1], b);
	r = keyring_parse(buf_text(b), buf_len(b), NULL, err, sizeof(err));
	assert_non_null(r);
	assert_memory_equal(keyring_at(r, 0), &k[0], sizeof(k[0]));
	assert_memory_equal(keyring_at(r, 1), &k[1], sizeof(k[1]));
	keyring_unref(r);
	buf_reset(b);
	assert_int_equal(keyring_print_sealed(k, 2, "a passphrase", b), 0);
	assert_true(keyring_wants_passphrase(buf_text(b), buf_len(b)));
	r = keyring_parse(
	    buf_text(b), buf_len(b), "a passphrase", err, sizeof(err));
	assert_non_null(r);
	assert_memory_equal(keyring_at(r, 0), &k[0], sizeof(k[0]));
	assert_memory_equal(keyring_at(r, 1), &k[1], sizeof(k[1]));
	keyring_unref(r);
	assert_int_equal(keyring_print_sealed(k, 2, "a passphrase", tiny), -1);
	assert_int_equal(buf_len(tiny), 0);
	assert_string_equal(key_state_name(KEY_RETIRED), "retired");
	buf_free(tiny);
	buf_free(b);
}

static void
write_file(const char *path, const char *text, mode_t mode)
{
	int fd;

	(void)unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void
refuses_a_careless_file(void **state)
{
	static const struct {
		mode_t mode;
		const char *want;
	} cases[] = {
		{ 0600, "has mode 0600, and must have 0400" },
		{ 0440, "has mode 0440, and must have 0400" },
		{ 0404, "has mode 0404, and must have 0400" },
		{ 04400, "has mode 4400, and must have 0400" },
	};
	char dir[] = "/tmp/keyring.XXXXXX", path[64], other[64], err[128];
	struct keyring *r;
	size_t i;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/ring", dir);
	snprintf(other, sizeof(other), "%s/link", dir);
	write_file(path, LINE, 0400);
	r = keyring_load(path, NULL, err, sizeof(err));
	assert_non_null(r);
	keyring_unref(r);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_file(path, LINE, cases[i].mode);
		assert_null(keyring_load(path, NULL, err, sizeof(err)));
		assert_string_equal(err, cases[i].want);
	}
	write_file(path, "", 0400);
	assert_null(keyring_load(path, NULL, err, sizeof(err)));
	assert_string_equal(err, "is empty");
	assert_int_equal(symlink(path, other), 0);
	assert_null(keyring_load(other, NULL, err, sizeof(err)));
	assert_string_equal(err, "is a symbolic link");
	assert_null(keyring_load(dir, NULL, err, sizeof(err)));
	assert_string_equal(err, "is not a regular file");
	assert_int_equal(unlink(other), 0);
	assert_int_equal(mkfifo(other, 0400), 0);
	assert_null(keyring_load(other, NULL, err, sizeof(err)));
	assert_string_equal(err, "is not a regular file");
	assert_int_equal(unlink(other), 0);
	assert_null(keyring_load(other, NULL, err, sizeof(err)));
	assert_string_equal(err, "No such file or directory");
	write_file(path, "", 0400);
	assert_int_equal(truncate(path, KEYRING_TEXT_MAX + 1), 0);
	assert_null(keyring_load(path, NULL, err, sizeof(err)));
	assert_string_equal(err, "is larger than 65536 octets");
	if (geteuid() == 0) {
		write_file(path, LINE, 0400);
		assert_int_equal(chown(path, 65534, 0), 0);
		assert_null(keyring_load(path, NULL, err, sizeof(err)));
		assert_string_equal(err, "belongs to uid 65534, not to root");
	}
	unlink(path);
	rmdir(dir);
}

static void *
lends(void *arg)
{
	struct keyring *r = arg;
	int i;

	for (i = 0; i < 20000; i++) {
		keyring_ref(r);
		if (keyring_active(r) == NULL)
			abort();
		keyring_unref(r);
	}
	keyring_unref(r);
	return NULL;
}

static void
threads_share_it(void **state)
{
	pthread_t t[4];
	struct keyring *r;
	char err[128];
	int i;

	(void)state;
	r = parse(LINE, NULL, err);
	assert_non_null(r);
	for (i = 0; i < 4; i++)
		assert_int_equal(
		    pthread_create(&t[i], NULL, lends, keyring_ref(r)), 0);
	keyring_unref(r);
	for (i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_ring),
		cmocka_unit_test(says_what_is_wrong),
		cmocka_unit_test(holds_64_keys),
		cmocka_unit_test(cut_short),
		cmocka_unit_test(opens_with_a_passphrase),
		cmocka_unit_test(prints_what_it_reads),
		cmocka_unit_test(refuses_a_careless_file),
		cmocka_unit_test(threads_share_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
