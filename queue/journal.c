#include "queue/journal.h"

#include <inttypes.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/crc32c.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

#define SEGMENT_MAGIC "spoolkit-journal 1 segment="
#define SEGMENT_HEAD 166u /* octets of the line */
#define GROUP_CHECKED 45u /* octets before its checksum */
#define RECORD_CHECKED 34u

struct journal_key {
	EVP_MAC *mac;
	EVP_MAC_CTX *ctx;
	uint8_t secret[JOURNAL_SECRET];
};

static const char *const kinds[JOURNAL_KINDS] = {
	[JOURNAL_PUT] = "put  ",
	[JOURNAL_IMAGE] = "image",
	[JOURNAL_DONE] = "done ",
	[JOURNAL_BULK] = "bulk ",
	[JOURNAL_MARK] = "mark ",
};

struct journal_key *
journal_key_new(void)
{
	struct journal_key *k = mem_zalloc(sizeof(*k));
	size_t size = 8;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
		OSSL_PARAM_construct_end(),
	};

	k->mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
	if (k->mac == NULL || (k->ctx = EVP_MAC_CTX_new(k->mac)) == NULL ||
	    EVP_MAC_CTX_set_params(k->ctx, params) != 1)
		fatal("SipHash is not to be had from libcrypto");
	return k;
}

void
journal_key_set(struct journal_key *k, const uint8_t secret[JOURNAL_SECRET])
{
	memcpy(k->secret, secret, sizeof(k->secret));
}

void
journal_key_free(struct journal_key *k)
{
	if (k == NULL)
		return;
	EVP_MAC_CTX_free(k->ctx);
	EVP_MAC_free(k->mac);
	free(k);
}

static void
begin(struct journal_key *k)
{
	if (EVP_MAC_init(k->ctx, k->secret, sizeof(k->secret), NULL) != 1)
		fatal("SipHash cannot be keyed");
}

static uint64_t
finish(struct journal_key *k)
{
	uint8_t out[8];
	uint64_t v = 0;
	size_t len, i;

	if (EVP_MAC_final(k->ctx, out, &len, sizeof(out)) != 1 || len != 8)
		fatal("SipHash cannot be finished");
	for (i = 0; i < 8; i++)
		v = v << 8 | out[i];
	return v;
}

static void
put_hex(char *at, uint64_t v, int digits)
{
	while (digits-- > 0) {
		at[digits] = "0123456789abcdef"[v & 15];
		v >>= 4;
	}
}

static bool
get_hex(const char *at, int digits, uint64_t *v)
{
	*v = 0;
	for (; digits > 0; digits--, at++) {
		if (*at >= '0' && *at <= '9')
			*v = *v << 4 | (uint64_t)(*at - '0');
		else if (*at >= 'a' && *at <= 'f')
			*v = *v << 4 | (uint64_t)(*at - 'a' + 10);
		else
			return false;
	}
	return true;
}

void
journal_segment_print(
    const struct journal_segment *s, char block[JOURNAL_BLOCK])
{
	char secret[2 * JOURNAL_SECRET + 1];
	int i, n;

	for (i = 0; i < JOURNAL_SECRET; i++)
		put_hex(secret + 2 * i, s->secret[i], 2);
	secret[2 * JOURNAL_SECRET] = '\0';
	memset(block, 0, JOURNAL_BLOCK);
	n = snprintf(block, JOURNAL_BLOCK,
	    SEGMENT_MAGIC "%016" PRIx64 " run=%016" PRIx64 " first=%016" PRIx64
			  " size=%016" PRIx64 " secret=%s crc32c=",
	    s->number, s->run, s->first, s->size, secret);
	snprintf(block + n, JOURNAL_BLOCK - (size_t)n, "%08x\n",
	    (unsigned)crc32c(0, block, (size_t)n));
	memcpy(block + JOURNAL_HEAD_COPY, block, SEGMENT_HEAD);
}

static bool
parse_head(struct journal_segment *s, const char *block)
{
	static const struct {
		const char *name;
		size_t at; /* of the value */
	} fields[] = { { SEGMENT_MAGIC, 27 }, { " run=", 48 },
		{ " first=", 71 }, { " size=", 93 } };
	uint64_t v[4], byte, crc;
	size_t i, n;

	for (i = 0; i < 4; i++) {
		n = strlen(fields[i].name);
		if (memcmp(block + fields[i].at - n, fields[i].name, n) != 0 ||
		    !get_hex(block + fields[i].at, 16, &v[i]))
			return false;
	}
	if (memcmp(block + 109, " secret=", 8) != 0 ||
	    memcmp(block + 149, " crc32c=", 8) != 0 ||
	    !get_hex(block + 157, 8, &crc) || block[165] != '\n' ||
	    crc32c(0, block, 157) != crc)
		return false;
	for (i = 0; i < JOURNAL_SECRET; i++) {
		if (!get_hex(block + 117 + 2 * i, 2, &byte))
			return false;
		s->secret[i] = (uint8_t)byte;
	}
	s->number = v[0];
	s->run = v[1];
	s->first = v[2];
	s->size = v[3];
	return true;
}

bool
journal_segment_parse(struct journal_segment *s, const char *block, size_t len)
{
	return len >= JOURNAL_BLOCK &&
	    (parse_head(s, block) || parse_head(s, block + JOURNAL_HEAD_COPY));
}

/* g1 <first> <flushed> <length> <checksum>LF */
void
journal_group_print(struct journal_key *k, const struct journal_group *g,
    char head[JOURNAL_GROUP_HEAD])
{
	memset(head, ' ', JOURNAL_GROUP_HEAD);
	memcpy(head, "g1", 2);
	put_hex(head + 3, g->first, 16);
	put_hex(head + 20, g->flushed, 16);
	put_hex(head + 37, g->length, 8);
	begin(k);
	EVP_MAC_update(k->ctx, (const uint8_t *)head, GROUP_CHECKED);
	put_hex(head + 46, finish(k), 16);
	head[JOURNAL_GROUP_HEAD - 1] = '\n';
}

bool
journal_group_parse(struct journal_key *k, struct journal_group *g,
    const char *data, size_t len)
{
	uint64_t length, check;

	if (len < JOURNAL_GROUP_HEAD || memcmp(data, "g1 ", 3) != 0 ||
	    !get_hex(data + 3, 16, &g->first) ||
	    !get_hex(data + 20, 16, &g->flushed) ||
	    !get_hex(data + 37, 8, &length) ||
	    !get_hex(data + 46, 16, &check) ||
	    data[JOURNAL_GROUP_HEAD - 1] != '\n')
		return false;
	g->length = (uint32_t)length;
	begin(k);
	EVP_MAC_update(k->ctx, (const uint8_t *)data, GROUP_CHECKED);
	return finish(k) == check && data[19] == ' ' && data[36] == ' ' &&
	    data[45] == ' ';
}

/* j1 <seq> <kind> <length> <checksum>LF */
void
journal_record_print(struct journal_key *k, struct journal_record *r,
    const struct iovec *payload, int parts, char head[JOURNAL_RECORD_HEAD])
{
	int i;

	memset(head, ' ', JOURNAL_RECORD_HEAD);
	memcpy(head, "j1", 2);
	put_hex(head + 3, r->seq, 16);
	memcpy(head + 20, kinds[r->kind], 5);
	put_hex(head + 26, r->length, 8);
	begin(k);
	EVP_MAC_update(k->ctx, (const uint8_t *)head, RECORD_CHECKED);
	for (i = 0; i < parts; i++)
		EVP_MAC_update(k->ctx, payload[i].iov_base, payload[i].iov_len);
	r->check = finish(k);
	put_hex(head + 35, r->check, 16);
	head[JOURNAL_RECORD_HEAD - 1] = '\n';
}

bool
journal_record_parse(struct journal_key *k, struct journal_record *r,
    const char *data, size_t len)
{
	uint64_t length;
	int kind;

	if (len < JOURNAL_RECORD_HEAD || memcmp(data, "j1 ", 3) != 0 ||
	    !get_hex(data + 3, 16, &r->seq) || data[19] != ' ' ||
	    data[25] != ' ' || !get_hex(data + 26, 8, &length) ||
	    data[34] != ' ' || !get_hex(data + 35, 16, &r->check) ||
	    data[JOURNAL_RECORD_HEAD - 1] != '\n')
		return false;
	for (kind = 0; kind < JOURNAL_KINDS; kind++)
		if (memcmp(data + 20, kinds[kind], 5) == 0)
			break;
	if (kind == JOURNAL_KINDS || length > JOURNAL_PAYLOAD_MAX ||
	    length + 1 > len - JOURNAL_RECORD_HEAD)
		return false;
	r->kind = (enum journal_kind)kind;
	r->length = (uint32_t)length;
	begin(k);
	EVP_MAC_update(k->ctx, (const uint8_t *)data, RECORD_CHECKED);
	EVP_MAC_update(
	    k->ctx, (const uint8_t *)data + JOURNAL_RECORD_HEAD, length);
	return finish(k) == r->check &&
	    data[JOURNAL_RECORD_HEAD + length] == '\n';
}
