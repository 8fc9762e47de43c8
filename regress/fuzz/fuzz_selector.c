/*
 * Any octets as a selector: what is read is written, and read again to the
 * same text; both are asked about one envelope and agree. What is not read is
 * told with a column within the text.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mail/selector_envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW INT64_C(1795353669)
#define ROOM (8u * SELECTOR_TEXT_MAX)
#define TEXT(s) ((char *)(uintptr_t)(s))

static bool
on_message(void *ctx, enum selector_field f, const char *header,
    struct selector_value *v)
{
	(void)ctx;
	(void)f;
	(void)header;
	v->text = "a \xc3\xa4 b\r\n";
	return true;
}

static bool
asked(const struct selector *s)
{
	struct envelope e = {
		.id = UINT64_C(0x3f9a0c41d7b20001),
		.sender = TEXT("News@Shop.Example"),
		.recipient = TEXT("Ann@Yahoo.COM"),
		.destination = TEXT("ann@mx.example"),
		.from = TEXT("smtp [192.0.2.14]:4 helo a listener b tls c"),
		.arrived = NOW - 9000,
		.expires = NOW + 1,
		.tries = 3,
		.last_try = NOW - 60,
		.next_try = NOW + 60,
		.error = TEXT("421 4.7.0 no from mx.example [192.0.2.1]"),
	};
	struct selector_envelope x = {
		.envelope = &e, .now = NOW, .size = 1, .message = on_message
	};
	struct selector_subject subject;

	selector_envelope_subject(&x, &subject);
	return selector_match(s, &subject);
}

static void
again(const struct selector *s, struct buf *once)
{
	struct buf *twice = buf_new(ROOM);
	const uint64_t *ids, *more;
	struct selector_error e;
	struct selector *t;
	size_t n;

	t = selector_parse(buf_text(once), NOW + 1000, &e);
	if (t == NULL)
		abort();
	selector_print(t, twice);
	if (strcmp(buf_text(once), buf_text(twice)) != 0)
		abort();
	n = selector_ids(s, &ids);
	if (selector_ids(t, &more) != n ||
	    (n > 0 && memcmp(ids, more, n * sizeof(*ids)) != 0))
		abort();
	selector_free(t);
	t = selector_parse(buf_text(once), NOW, &e);
	if (t == NULL || asked(s) != asked(t))
		abort();
	selector_free(t);
	buf_free(twice);
}

static void
sugar(const char *text)
{
	struct buf *b = buf_new(ROOM);
	struct selector_error e;
	const char *letter;
	struct selector *s;

	for (letter = "froyeSRw"; *letter != '\0'; letter++) {
		buf_reset(b);
		if (selector_sugar(*letter, text, b, &e) == -1) {
			if (buf_len(b) > 0 || e.text[0] == '\0' ||
			    e.column > strlen(text))
				abort();
			continue;
		}
		s = selector_parse(buf_text(b), NOW, &e);
		if (s == NULL)
			abort();
		selector_free(s);
	}
	buf_free(b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf *b = buf_new(ROOM);
	struct selector_error e;
	struct selector *s;
	char *text = malloc(size + 1);

	if (text == NULL)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	s = selector_parse(text, NOW, &e);
	if (s == NULL) {
		if (e.text[0] == '\0' || e.column > strlen(text))
			abort();
		selector_complain(text, &e, b);
	} else {
		selector_print(s, b);
		if (buf_len(b) <= SELECTOR_TEXT_MAX)
			again(s, b);
		buf_reset(b);
		selector_explain(s, b);
	}
	selector_free(s);
	if (size < 256)
		sugar(text);
	free(text);
	buf_free(b);
	return 0;
}
