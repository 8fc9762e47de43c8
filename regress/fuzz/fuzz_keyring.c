/* Any octets as a key ring: it is refused with a reason, or what is printed of
 * it is read again as the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "queue/keyring.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct keyring *r, *again;
	char err[128] = "";
	struct buf *b;
	size_t i;

	/* Without a passphrase: nothing is stretched, which takes its time. */
	r = keyring_parse((const char *)data, size, NULL, err, sizeof(err));
	if ((r == NULL) != (err[0] != '\0'))
		abort();
	if (r == NULL)
		return 0;
	b = buf_new(KEYRING_TEXT_MAX);
	for (i = 0; i < keyring_count(r); i++)
		key_print(keyring_at(r, i), b);
	again = keyring_parse(buf_text(b), buf_len(b), NULL, err, sizeof(err));
	if (again == NULL || keyring_count(again) != keyring_count(r))
		abort();
	for (i = 0; i < keyring_count(r); i++)
		if (memcmp(keyring_at(r, i), keyring_at(again, i),
			sizeof(struct key)) != 0)
			abort();
	keyring_unref(again);
	keyring_unref(r);
	buf_free(b);
	return 0;
}
