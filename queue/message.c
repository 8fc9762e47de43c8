#include "queue/message.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/crc32c.h"
#include "lib/base/ident.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/text.h"

#define LINE 137 /* octets of the first line */
#define LINE_CHECKED 120 /* of them before " crc32c=" */
#define DIGEST_AT (LINE + 7) /* behind "sha256=" */
#define VERIFY_CHUNK 65536

struct message_hash {
	EVP_MD_CTX *ctx;
};

/* How a codec finds len octets of the clear stream at offset. */
struct codec {
	const char *name; /* as in the head, padded there */
	ssize_t (*read)(
	    int fd, uint64_t base, uint64_t offset, void *data, size_t len);
};

static ssize_t
read_plain(int fd, uint64_t base, uint64_t offset, void *data, size_t len)
{
	size_t at = 0;
	ssize_t n;

	while (at < len) {
		n = pread(fd, (char *)data + at, len - at,
		    (off_t)(base + MESSAGE_HEAD + offset + at));
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		if (n == 0) {
			errno = EBADMSG;
			return -1;
		}
		at += (size_t)n;
	}
	return (ssize_t)at;
}

static const struct codec plain = { "plain", read_plain };

void
message_print(const struct message *m, char head[MESSAGE_HEAD_MAX + 1])
{
	char id[IDENT_TEXT_MAX], when[TEXT_TIME_MAX];

	snprintf(head, MESSAGE_HEAD + 1,
	    "spoolkit-message 1 id=%s codec=%-16s arrived=%s record=%010" PRIu64
	    " size=%010" PRIu64 " crc32c=",
	    ident_msgid_text(id, m->msgid), plain.name,
	    text_time(when, m->arrived), m->record, m->size);
	snprintf(head + LINE - 9, 10, "%08x\n",
	    (unsigned)crc32c(0, head, LINE_CHECKED));
	memcpy(head + LINE, "sha256=", 7);
	message_put_digest(head, m->digest);
	memcpy(head + MESSAGE_HEAD - 2, "\n\n", 3);
}

void
message_put_digest(char *head, const uint8_t digest[MESSAGE_DIGEST])
{
	static const char hex[] = "0123456789abcdef";
	int i;

	for (i = 0; i < MESSAGE_DIGEST; i++) {
		head[DIGEST_AT + 2 * i] = hex[digest[i] >> 4];
		head[DIGEST_AT + 2 * i + 1] = hex[digest[i] & 15];
	}
}

static int
nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* Copies the fixed field behind name at *at, moves on; false: not there. */
static bool
field(const char *head, size_t *at, const char *name, char *value, size_t len)
{
	size_t n = strlen(name);

	if (memcmp(head + *at, name, n) != 0)
		return false;
	memcpy(value, head + *at + n, len);
	value[len] = '\0';
	*at += n + len;
	return true;
}

const char *
message_parse(struct message *m, const char *head, size_t len)
{
	char id[32], codec[32], when[32], record[32], size[32], crc[32],
	    fits[16];
	size_t at = 0;
	int i, high, low;

	if (len < MESSAGE_HEAD)
		return "cut short in its head";
	if (!field(head, &at, "spoolkit-message 1 id=", id, 12) ||
	    !field(head, &at, " codec=", codec, 16) ||
	    !field(head, &at, " arrived=", when, 20) ||
	    !field(head, &at, " record=", record, 10) ||
	    !field(head, &at, " size=", size, 10) ||
	    !field(head, &at, " crc32c=", crc, 8) ||
	    memcmp(head + at, "\nsha256=", 8) != 0 ||
	    memcmp(head + MESSAGE_HEAD - 2, "\n\n", 2) != 0)
		return "no head of a message";
	snprintf(fits, sizeof(fits), "%08x",
	    (unsigned)crc32c(0, head, LINE_CHECKED));
	if (strcmp(crc, fits) != 0)
		return "the checksum of its head does not fit";
	codec[strcspn(codec, " ")] = '\0';
	if (strcmp(codec, plain.name) != 0)
		return "a codec this version cannot read";
	if (!ident_msgid_parse(id, &m->msgid) ||
	    !text_time_parse(when, &m->arrived) ||
	    !text_number(record, MESSAGE_BODY_MAX, &m->record) ||
	    !text_number(size, MESSAGE_BODY_MAX, &m->size))
		return "a field of its head cannot be read";
	for (i = 0; i < MESSAGE_DIGEST; i++) {
		high = nibble(head[DIGEST_AT + 2 * i]);
		low = nibble(head[DIGEST_AT + 2 * i + 1]);
		if (high == -1 || low == -1)
			return "its digest cannot be read";
		m->digest[i] = (uint8_t)(high << 4 | low);
	}
	return NULL;
}

uint64_t
message_body_at(const struct message *m)
{
	return MESSAGE_HEAD + m->record + 1;
}

uint64_t
message_end(const struct message *m)
{
	return message_body_at(m) + m->size;
}

struct message_hash *
message_hash_new(void)
{
	struct message_hash *h = mem_zalloc(sizeof(*h));

	h->ctx = EVP_MD_CTX_new();
	if (h->ctx == NULL ||
	    EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL) != 1)
		fatal("SHA-256 is not to be had from libcrypto");
	return h;
}

void
message_hash_add(struct message_hash *h, const void *data, size_t len)
{
	EVP_DigestUpdate(h->ctx, data, len);
}

void
message_hash_end(struct message_hash *h, uint8_t digest[MESSAGE_DIGEST])
{
	unsigned len = MESSAGE_DIGEST;

	EVP_DigestFinal_ex(h->ctx, digest, &len);
	/* Ready for the next message. */
	EVP_DigestInit_ex(h->ctx, NULL, NULL);
}

void
message_hash_free(struct message_hash *h)
{
	if (h == NULL)
		return;
	EVP_MD_CTX_free(h->ctx);
	free(h);
}

ssize_t
message_read_body(int fd, uint64_t base, const struct message *m,
    uint64_t offset, void *data, size_t len)
{
	if (offset >= m->size)
		return 0;
	if (len > m->size - offset)
		len = (size_t)(m->size - offset);
	return plain.read(fd, base, m->record + 1 + offset, data, len);
}

ssize_t
message_read_record(
    int fd, uint64_t base, const struct message *m, void *data, size_t len)
{
	if (len > m->record)
		len = (size_t)m->record;
	return plain.read(fd, base, 0, data, len);
}

int
message_verify(int fd, uint64_t base, const struct message *m)
{
	struct message_hash *h = message_hash_new();
	uint8_t *chunk = mem_zalloc(VERIFY_CHUNK), digest[MESSAGE_DIGEST];
	uint64_t at, end = m->record + 1 + m->size, stop;
	size_t len;
	int rc = -1;

	/* The body first, then the record. */
	for (at = m->record + 1, stop = end;;) {
		if (at == stop && stop == end && m->record > 0) {
			at = 0;
			stop = m->record;
		}
		if (at == stop)
			break;
		len = stop - at > VERIFY_CHUNK ? VERIFY_CHUNK
					       : (size_t)(stop - at);
		if (plain.read(fd, base, at, chunk, len) == -1)
			goto out;
		message_hash_add(h, chunk, len);
		at += len;
	}
	message_hash_end(h, digest);
	rc = memcmp(digest, m->digest, sizeof(digest)) == 0;
out:
	message_hash_free(h);
	free(chunk);
	return rc;
}
