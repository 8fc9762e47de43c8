#include "tools/qtool/firstform.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/ident.h"
#include "lib/base/mem.h"
#include "queue/codec.h"
#include "queue/envfile.h"

#define RECORD_MAX (64u * 1024 * 1024)

bool
firstform_read(struct firstform *f, const struct layout *l,
    const struct keyring *keys, uint64_t msgid, const char **why)
{
	char name[LAYOUT_NAME_MAX];
	struct codec_reader *r = NULL;
	const struct message *m;
	bool read = false;
	size_t got = 0;
	off_t size;
	int fd;

	memset(f, 0, sizeof(*f));
	*why = "its message is not there";
	fd = layout_open_read(l, layout_message(name, msgid), &size);
	if (fd == -1)
		return false;
	*why = "its message is damaged";
	r = codec_open(fd, 0, (uint64_t)size, keys);
	if (codec_state(r) == CODEC_NO_KEY || codec_state(r) == CODEC_WRONG_KEY)
		*why = "the key of its message is missing";
	if (codec_state(r) != CODEC_OK || codec_verify(r) != CODEC_OK)
		goto out;
	m = codec_message(r);
	if (m->msgid != msgid || m->record > RECORD_MAX)
		goto out;
	f->record = mem_zarray((size_t)m->record + 1, 1);
	if (codec_read(r, 0, f->record, (size_t)m->record, &got) != CODEC_OK ||
	    got != m->record)
		goto out;
	f->len = got;
	if (codec_kid(r, 0)[0] != '\0') {
		f->key = keyring_active(keys);
		if (f->key == NULL)
			f->key = keyring_find(keys, codec_kid(r, 0));
	}
	*why = NULL;
	read = true;
out:
	codec_close(r);
	close(fd);
	return read;
}

void
firstform_free(struct firstform *f)
{
	free(f->record);
	memset(f, 0, sizeof(*f));
}

const char *
firstform_next(
    const struct firstform *f, size_t *at, uint64_t *evpid, size_t *len)
{
	const char *text = f->record + *at;

	*len = f->record == NULL ? 0 : envfile_first(text, f->len - *at);
	if (*len == 0)
		return NULL;
	*evpid = envfile_id(text, *len);
	*at += *len;
	return text;
}

const char *
firstform_find(const struct firstform *f, uint64_t evpid, size_t *len)
{
	const char *text;
	uint64_t id;
	size_t at = 0;

	while ((text = firstform_next(f, &at, &id, len)) != NULL)
		if (id == evpid)
			return text;
	return NULL;
}
