#include "bench/lib/forms.h"

#include <err.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/lib/letters.h"
#include "bench/lib/note.h"
#include "lib/base/mem.h"
#include "queue/codec.h"

#define MSGID UINT64_C(0x3f9a0c41d7b2)
#define MEGA 1e6

struct forms {
	const struct figure *out;
	struct filler fillers[NOTE_FILLERS];
	struct buf *record;
	struct keyring *ring;
	unsigned n;
	double digest, aes; /* megabytes a second of libcrypto alone */
};

static double
megabytes(const struct forms *f, uint64_t us)
{
	return (double)f->n * (double)f->fillers[0].len / MEGA /
	    ((double)(us > 0 ? us : 1) / 1e6);
}

static double
digest_alone(const struct forms *f)
{
	unsigned char out[EVP_MAX_MD_SIZE];
	uint64_t start = figure_cpu_us();
	unsigned i, len;

	for (i = 0; i < f->n; i++)
		if (EVP_Digest(f->fillers[0].wire, f->fillers[0].len, out, &len,
			EVP_sha256(), NULL) != 1)
			errx(1, "libcrypto");
	return megabytes(f, figure_cpu_us() - start);
}

static double
aes_alone(const struct forms *f)
{
	static const unsigned char key[32], nonce[12];
	unsigned char *room = mem_zalloc(f->fillers[0].len + 32), tag[16];
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	uint64_t start = figure_cpu_us();
	int len, size = (int)f->fillers[0].len;
	unsigned i;

	for (i = 0; i < f->n; i++)
		if (EVP_EncryptInit_ex(
			c, EVP_aes_256_gcm(), NULL, key, nonce) != 1 ||
		    EVP_EncryptUpdate(c, room, &len,
			(const unsigned char *)f->fillers[0].wire, size) != 1 ||
		    EVP_EncryptFinal_ex(c, room + len, &len) != 1 ||
		    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, 16, tag) != 1)
			errx(1, "libcrypto");
	EVP_CIPHER_CTX_free(c);
	free(room);
	return megabytes(f, figure_cpu_us() - start);
}

static char *
store(const struct forms *f, struct codec_writer *w,
    const struct codec_form *form, unsigned i, size_t *len)
{
	const struct filler *body = &f->fillers[i % NOTE_FILLERS];

	if (codec_begin(w, form, MSGID, 1, buf_len(f->record) + 1 + body->len,
		-1) == -1)
		err(1, "codec_begin");
	codec_put_record(w, buf_text(f->record), buf_len(f->record));
	if (codec_put_body(w, body->wire, body->len) == -1 ||
	    codec_end(w, NULL) == -1)
		err(1, "codec_end");
	return codec_take(w, len);
}

static uint64_t
storing(const struct forms *f, const struct codec_form *form, size_t *stored)
{
	struct codec_writer *w = codec_writer_new();
	uint64_t start = figure_cpu_us();
	unsigned i;

	for (i = 0; i < f->n; i++)
		free(store(f, w, form, i, stored));
	codec_writer_free(w);
	return figure_cpu_us() - start;
}

static void
read_all(struct codec_reader *r, char *room, size_t size)
{
	uint64_t at = 0;
	size_t got;

	do {
		if (codec_read_body(r, at, room, size, &got) != CODEC_OK)
			errx(1, "codec_read_body: %s", codec_why(r));
		at += got;
	} while (got == size);
}

/* Opened each time; verify: all of it is checked, nothing handed out. */
static uint64_t
reading(const struct forms *f, const struct codec_form *form, bool verify)
{
	static char room[32768];
	struct codec_writer *w = codec_writer_new();
	struct codec_reader *r;
	uint64_t start;
	unsigned i;
	size_t len;
	char *data = store(f, w, form, 0, &len);

	start = figure_cpu_us();
	for (i = 0; i < f->n; i++) {
		r = codec_open_data(data, len, f->ring);
		if (verify && codec_verify(r) != CODEC_OK)
			errx(1, "codec_verify: %s", codec_why(r));
		if (!verify)
			read_all(r, room, sizeof(room));
		codec_close(r);
	}
	codec_writer_free(w);
	free(data);
	return figure_cpu_us() - start;
}

static void
measure(const struct forms *f, const char *name, const struct codec_form *form)
{
	double limit = form->key == NULL ? f->digest : f->aes;
	const char *of =
	    form->key == NULL ? "SHA-256 alone" : "AES-256-GCM alone";
	char text[64];
	size_t stored;
	uint64_t us;

	if (form->level != 0)
		limit = 0;
	us = storing(f, form, &stored);
	snprintf(text, sizeof(text), "%s: store", name);
	figure_put(f->out, text, megabytes(f, us), "MB/s", limit, of);
	snprintf(text, sizeof(text), "%s: read the body", name);
	figure_put(f->out, text, megabytes(f, reading(f, form, false)), "MB/s",
	    limit, of);
	snprintf(text, sizeof(text), "%s: verify", name);
	figure_put(f->out, text, megabytes(f, reading(f, form, true)), "MB/s",
	    limit, of);
	snprintf(text, sizeof(text), "%s: octets stored", name);
	figure_put(f->out, text, (double)stored, "", (double)f->fillers[0].len,
	    "the body's");
}

static struct keyring *
fresh_ring(void)
{
	struct keyring *r;
	struct buf *b = buf_new(KEYRING_TEXT_MAX);
	struct key k;
	char why[256];

	if (key_generate(&k, NULL) == -1)
		errx(1, "no randomness");
	key_print(&k, b);
	r = keyring_parse(buf_text(b), buf_len(b), NULL, why, sizeof(why));
	if (r == NULL)
		errx(1, "%s", why);
	buf_free(b);
	return r;
}

void
forms_measure(const struct figure *out, size_t size, unsigned n)
{
	struct forms f = { .out = out, .n = n > 0 ? n : 1 };
	struct envelope e;
	struct codec_form form = { .level = 0 };
	unsigned i;

	note_fillers(f.fillers, size, true);
	f.record = buf_new(ENVELOPE_TEXT_MAX);
	letters_envelope(&e, MSGID << 16 | 1, 0);
	if (envelope_print(&e, f.record) == -1)
		errx(1, "the envelope is too long");
	envelope_clear(&e);
	f.ring = fresh_ring();
	f.digest = digest_alone(&f);
	f.aes = aes_alone(&f);
	figure_put(out, "SHA-256 alone", f.digest, "MB/s", 0, NULL);
	figure_put(out, "AES-256-GCM alone", f.aes, "MB/s", 0, NULL);
	measure(&f, "plain", &form);
	form.level = 1;
	measure(&f, "zstd:1", &form);
	form.level = 3;
	measure(&f, "zstd:3", &form);
	form.level = 0;
	form.key = keyring_active(f.ring);
	measure(&f, "sealed", &form);
	form.level = 1;
	measure(&f, "zstd:1 and sealed", &form);
	keyring_unref(f.ring);
	buf_free(f.record);
	for (i = 0; i < NOTE_FILLERS; i++)
		free(f.fillers[i].wire);
}
