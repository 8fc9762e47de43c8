#include "daemon/spooler/sealing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/spooler/spooler.h"
#include "lib/base/log.h"
#include "lib/base/secret.h"
#include "lib/cli/exitcode.h"
#include "lib/proto/record.h"

/* A whole secret with a NUL behind it; the length, 0 when none came, -1 with a
 * sentence. Blocks for nothing: the parent has closed the other end. */
static ssize_t
receive(struct spooler *s, enum start_secrets which, char *room, char *err,
    size_t errlen)
{
	int fd = proc_take_secret(s->proc, which);
	ssize_t len;

	if (fd == -1)
		return 0;
	len = secret_take(fd, room, KEYRING_TEXT_MAX, err, errlen);
	close(fd);
	if (len != -1)
		room[len] = '\0';
	return len;
}

static struct keyring *
parse(struct spooler *s, char *text, char *passphrase, char *err, size_t errlen)
{
	struct keyring *ring;
	char why[160];
	ssize_t len, given;

	given = receive(s, START_PASSPHRASE, passphrase, why, sizeof(why));
	if (given == -1) {
		snprintf(err, errlen, "the passphrase: %s", why);
		return NULL;
	}
	/* Of the file only its first line. */
	passphrase[strcspn(passphrase, "\r\n")] = '\0';
	len = receive(s, START_RING, text, why, sizeof(why));
	if (len <= 0) {
		snprintf(err, errlen, "the key ring: %s",
		    len == 0 ? "it did not arrive" : why);
		return NULL;
	}
	ring = keyring_parse(text, (size_t)len, given == 0 ? NULL : passphrase,
	    why, sizeof(why));
	if (ring == NULL)
		snprintf(err, errlen, "the key ring: %s", why);
	else if (s->conf->seal && keyring_active(ring) == NULL) {
		snprintf(err, errlen,
		    "the key ring: no key of it is active, "
		    "and new mail is to be sealed");
		keyring_unref(ring);
		ring = NULL;
	}
	return ring;
}

static struct keyring *
take(struct spooler *s, char *err, size_t errlen)
{
	char *text = secret_room(KEYRING_TEXT_MAX + 1);
	char *passphrase = secret_room(KEYRING_TEXT_MAX + 1);
	struct keyring *ring = NULL;

	if (text == NULL || passphrase == NULL)
		snprintf(err, errlen, "the key ring: no memory");
	else
		ring = parse(s, text, passphrase, err, errlen);
	secret_room_free(text, KEYRING_TEXT_MAX + 1);
	secret_room_free(passphrase, KEYRING_TEXT_MAX + 1);
	return ring;
}

struct keyring *
sealing_start(struct spooler *s)
{
	struct keyring *ring;
	char err[256];

	if (!s->conf->keyed)
		return NULL;
	ring = take(s, err, sizeof(err));
	if (ring == NULL) {
		log_err("event=keys-refused text=%s", err);
		exit(EXIT_CONFIG);
	}
	return ring;
}

static const char *
active_kid(const struct spooler *s)
{
	const struct key *k = keyring_active(s->ring);

	return k == NULL ? "" : k->kid;
}

static void
use(struct spooler *s, struct keyring *ring)
{
	/* The ring that comes may have no active key, when nothing is to be
	 * sealed any more. */
	(void)queue_restyle(s->q, s->compression, false);
	queue_rekey(s->q, ring);
	keyring_unref(s->ring);
	s->ring = ring;
	if (ring != NULL)
		log_info("event=keys keys=%zu active=%s", keyring_count(ring),
		    active_kid(s));
}

void
sealing_reload(struct spooler *s)
{
	struct keyring *ring = NULL;
	char err[256] = "";

	s->keys_alarm[0] = '\0';
	if (s->conf->keyed)
		ring = take(s, err, sizeof(err));
	if (*err != '\0') {
		log_err("event=keys-refused text=%s; the old one stays", err);
		snprintf(s->keys_alarm, sizeof(s->keys_alarm),
		    "%.200s; the old one is in force", err);
	} else {
		use(s, ring);
	}
	/* Without a key nothing changes from sealed to the clear by mistake,
	 * nor is anything sealed. */
	if (queue_restyle(s->q, s->conf->compression, s->conf->seal)) {
		s->compression = s->conf->compression;
		s->seal = s->conf->seal;
	}
}

void
sealing_status(
    const struct spooler *s, const struct queue_stats *st, struct buf *row)
{
	char form[64] = "plain", zstd[16] = "";

	if (s->compression > 0)
		snprintf(zstd, sizeof(zstd), "zstd:%d", s->compression);
	if (s->seal)
		snprintf(form, sizeof(form), "%s%ssealed", zstd,
		    *zstd == '\0' ? "" : " ");
	else if (*zstd != '\0')
		snprintf(form, sizeof(form), "%s", zstd);
	record_str(row, "form", form);
	record_str(row, "active_key", active_kid(s));
	record_u64(row, "locked", st->locked);
	record_str(row, "locked_key", st->locked_kid);
}
