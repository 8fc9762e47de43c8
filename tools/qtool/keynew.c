/*
 * key new - a fresh key, as a line for the ring
 *
 * With a passphrase the whole ring is printed, sealed by it, the new key among
 * the others.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "queue/seal.h"
#include "tools/qtool/commands.h"
#include "tools/qtool/settings.h"

enum {
	OPT_KID = 256
};

static const struct option longs[] = {
	{ "kid", required_argument, NULL, OPT_KID },
	{ NULL, 0, NULL, 0 },
};

static int
print_ring(
    struct qtool *t, const struct key *fresh, const char *word, struct buf *b)
{
	size_t n = t->keys == NULL ? 0 : keyring_count(t->keys), i;
	struct key *keys = mem_zarray(n + 1, sizeof(*keys));
	int rc;

	for (i = 0; i < n; i++)
		keys[i] = *keyring_at(t->keys, i);
	keys[n] = *fresh;
	rc = keyring_print_sealed(keys, n + 1, word, b);
	seal_wipe(keys, (n + 1) * sizeof(*keys));
	free(keys);
	return rc;
}

static int
print_fresh(struct qtool *t, const char *kid)
{
	struct buf *b = buf_new(KEYRING_TEXT_MAX);
	char word[SETTINGS_PASSPHRASE], err[512];
	struct key fresh;
	int code = EXIT_DONE;

	if (key_generate(&fresh, kid) == -1) {
		code = qtool_fail(t, EXIT_SOFTWARE, "no randomness to be had");
	} else {
		fresh.state = t->keys != NULL && keyring_active(t->keys) != NULL
		    ? KEY_READABLE
		    : KEY_ACTIVE;
		if (t->o.passphrase_file == NULL)
			key_print(&fresh, b);
		else if (settings_passphrase(NULL, t->o.passphrase_file, word,
			     err, sizeof(err)) == -1)
			code = qtool_fail(t, EXIT_NOINPUT, "%s", err);
		else if (print_ring(t, &fresh, word, b) == -1)
			code = qtool_fail(t, EXIT_SOFTWARE, "scrypt failed");
	}
	if (code == EXIT_DONE)
		fwrite(buf_data(b), 1, buf_len(b), stdout);
	seal_wipe(word, sizeof(word));
	seal_wipe(&fresh, sizeof(fresh));
	buf_free(b);
	return code;
}

int
keynew_run(struct qtool *t, int argc, char *argv[])
{
	const char *kid = NULL;
	int opt, code = EXIT_DONE;

	while ((opt = qtool_getopt(t, argc, argv, "", longs)) != -1) {
		if (opt != OPT_KID)
			return EXIT_USAGE;
		kid = optarg;
	}
	if (kid != NULL && !key_kid_ok(kid))
		return qtool_fail(t, EXIT_USAGE,
		    "a kid is %d characters of a-z, 0-9 and -", KEYRING_KID);
	/* Without a ring it is the first key of one. */
	if (t->o.keyring != NULL)
		code = qtool_keys(t);
	if (code != EXIT_DONE)
		return code;
	if (kid != NULL && keyring_find(t->keys, kid) != NULL)
		return qtool_fail(
		    t, EXIT_USAGE, "the ring has a key %s already", kid);
	return print_fresh(t, kid);
}
