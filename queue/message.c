#include "queue/message.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/crc32c.h"
#include "lib/base/ident.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/text.h"

#define LINE MESSAGE_LINE
#define LINE_CHECKED 120 /* of its octets, before " crc32c=" */
#define DIGEST_AT (LINE + 7) /* behind "sha256=" */

static const char *const codecs[] = {
	[MESSAGE_PLAIN] = "plain",
	[MESSAGE_ZSTD] = "zstd",
	[MESSAGE_SEALED] = "aes-256-gcm",
	[MESSAGE_ZSTD | MESSAGE_SEALED] = "zstd+aes-256-gcm",
};

struct message_hash {
	EVP_MD_CTX *ctx;
};

const char *
message_codec(unsigned codec)
{
	return codecs[codec & (MESSAGE_ZSTD | MESSAGE_SEALED)];
}

void
message_slot_print(const char slot[SEAL_SLOT + 1], char line[MESSAGE_SLOT + 1])
{
	memcpy(line, slot, SEAL_SLOT);
	snprintf(line + SEAL_SLOT, MESSAGE_SLOT - SEAL_SLOT + 1, " %08x",
	    (unsigned)crc32c(0, slot, SEAL_SLOT));
}

bool
message_slot_parse(const char *line, char slot[SEAL_SLOT + 1])
{
	char fits[MESSAGE_SLOT + 1];

	memcpy(slot, line, SEAL_SLOT);
	slot[SEAL_SLOT] = '\0';
	message_slot_print(slot, fits);
	return memcmp(line, fits, MESSAGE_SLOT) == 0;
}

void
message_print(const struct message *m, char head[MESSAGE_HEAD_MAX + 1])
{
	char id[IDENT_TEXT_MAX], when[TEXT_TIME_MAX], empty[SEAL_SLOT + 1];
	unsigned i;

	snprintf(head, MESSAGE_HEAD + 1,
	    "spoolkit-message 1 id=%s codec=%-16s arrived=%s record=%010" PRIu64
	    " size=%010" PRIu64 " crc32c=",
	    ident_msgid_text(id, m->msgid), message_codec(m->codec),
	    text_time(when, m->arrived), m->record, m->size);
	snprintf(head + LINE - 9, 10, "%08x\n",
	    (unsigned)crc32c(0, head, LINE_CHECKED));
	if (m->codec & MESSAGE_SEALED) {
		seal_slot_empty(empty);
		for (i = 0; i < MESSAGE_SLOTS; i++) {
			message_slot_print(empty, head + MESSAGE_SLOT_AT(i));
			head[MESSAGE_SLOT_AT(i) + MESSAGE_SLOT] = '\n';
		}
	} else {
		memcpy(head + LINE, "sha256=", 7);
		message_put_digest(head, m->digest);
		head[MESSAGE_HEAD - 2] = '\n';
	}
	memcpy(head + message_head(m) - 1, "\n", 2);
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

static const char *
parse_digest(struct message *m, const char *head)
{
	int i, high, low;

	for (i = 0; i < MESSAGE_DIGEST; i++) {
		high = nibble(head[DIGEST_AT + 2 * i]);
		low = nibble(head[DIGEST_AT + 2 * i + 1]);
		if (high == -1 || low == -1)
			return "its digest cannot be read";
		m->digest[i] = (uint8_t)(high << 4 | low);
	}
	return NULL;
}

/* What stands between the first line and the stream. */
static const char *
parse_rest(struct message *m, const char *head, size_t len)
{
	size_t end = message_head(m);

	if (len < end)
		return "cut short in its head";
	if (head[end - 1] != '\n' || head[end - 2] != '\n')
		return "no head of a message";
	if (m->codec & MESSAGE_SEALED)
		return head[MESSAGE_SLOT_AT(1) - 1] == '\n'
		    ? NULL
		    : "no head of a message";
	if (memcmp(head + LINE, "sha256=", 7) != 0)
		return "no head of a message";
	return parse_digest(m, head);
}

const char *
message_parse(struct message *m, const char *head, size_t len)
{
	char id[32], codec[32], when[32], record[32], size[32], crc[32],
	    fits[16];
	size_t at = 0;

	if (len < LINE)
		return "cut short in its head";
	if (!field(head, &at, "spoolkit-message 1 id=", id, 12) ||
	    !field(head, &at, " codec=", codec, 16) ||
	    !field(head, &at, " arrived=", when, 20) ||
	    !field(head, &at, " record=", record, 10) ||
	    !field(head, &at, " size=", size, 10) ||
	    !field(head, &at, " crc32c=", crc, 8) || head[at] != '\n')
		return "no head of a message";
	snprintf(fits, sizeof(fits), "%08x",
	    (unsigned)crc32c(0, head, LINE_CHECKED));
	if (strcmp(crc, fits) != 0)
		return "the checksum of its head does not fit";
	codec[strcspn(codec, " ")] = '\0';
	memset(m, 0, sizeof(*m));
	while (strcmp(codec, codecs[m->codec]) != 0)
		if (++m->codec == sizeof(codecs) / sizeof(codecs[0]))
			return "a codec this version cannot read";
	if (!ident_msgid_parse(id, &m->msgid) ||
	    !text_time_parse(when, &m->arrived) ||
	    !text_number(record, MESSAGE_BODY_MAX, &m->record) ||
	    !text_number(size, MESSAGE_BODY_MAX, &m->size))
		return "a field of its head cannot be read";
	return parse_rest(m, head, len);
}

size_t
message_head(const struct message *m)
{
	return m->codec & MESSAGE_SEALED ? MESSAGE_HEAD_SEALED : MESSAGE_HEAD;
}

uint64_t
message_clear(const struct message *m)
{
	return m->record + 1 + m->size;
}

uint64_t
message_stored(const struct message *m)
{
	if (m->codec & MESSAGE_ZSTD)
		return 0;
	if (m->codec & MESSAGE_SEALED)
		return MESSAGE_HEAD_SEALED + seal_length(message_clear(m));
	return MESSAGE_HEAD + message_clear(m);
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
