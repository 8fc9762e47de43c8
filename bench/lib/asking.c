#include "bench/lib/asking.h"

#include <err.h>
#include <stdlib.h>

#include "bench/lib/letters.h"
#include "lib/base/mem.h"
#include "lib/mail/selector_envelope.h"

#define ENVELOPES 1000 /* different ones */
#define PARSES 20000
#define NOW INT64_C(1795353669)

static const char *const texts[] = {
	"rcpt.domain = d7.example && age > 1h && !held",
	"age > 1h && tries < 9 && rcpt.domain != d7.example",
	"sender ~ *@shop.example && rcpt ~ user*@*.example",
	"error ~ *deferred*",
	"error ~ /temporar(il)?y/",
	"error.code = 421 || error.phase = connect",
	"client.ip in (10.0.0.0/8, 192.0.2.0/24)",
	"id in (3f9a0c41d7b20001, 8da42eed6093) || tries > 7",
};

static double
parsing(const char *text)
{
	struct selector_error e;
	uint64_t start = figure_cpu_us();
	struct selector *s;
	unsigned i;

	for (i = 0; i < PARSES; i++) {
		s = selector_parse(text, NOW, &e);
		if (s == NULL)
			errx(1, "%s: %s", text, e.text);
		selector_free(s);
	}
	return (double)(figure_cpu_us() - start) / PARSES;
}

/* Milliseconds for 100,000 of them. */
static double
matching(const char *text, const struct envelope *envelopes, unsigned n)
{
	struct selector_envelope x = { .now = NOW, .size = 4096 };
	struct selector_subject subject;
	struct selector_error e;
	struct selector *s = selector_parse(text, NOW, &e);
	uint64_t start = figure_cpu_us();
	volatile unsigned held = 0;
	unsigned i;

	for (i = 0; i < n; i++) {
		x.envelope = &envelopes[i % ENVELOPES];
		selector_envelope_subject(&x, &subject);
		if (selector_match(s, &subject))
			held++;
	}
	selector_free(s);
	return (double)(figure_cpu_us() - start) / 1000 * 100000 /
	    (n > 0 ? n : 1);
}

void
asking_measure(const struct figure *out, unsigned n)
{
	struct envelope *envelopes = mem_zarray(ENVELOPES, sizeof(*envelopes));
	unsigned i;

	for (i = 0; i < ENVELOPES; i++)
		letters_envelope(
		    &envelopes[i], UINT64_C(0x3f9a0c41d7b20000) + i + 1, i);
	figure_put(out, "parse of the first", parsing(texts[0]), "us", 0, NULL);
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		figure_put(out, texts[i], matching(texts[i], envelopes, n),
		    "ms per 100,000", 0, NULL);
	for (i = 0; i < ENVELOPES; i++)
		envelope_clear(&envelopes[i]);
	free(envelopes);
}
