#include "lib/cli/progress.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/base/mono.h"
#include "lib/base/text.h"

#define FIRST_MS 500
#define EVERY_MS 200
#define WIDTH 80
#define WIDTH_MAX 256
#define BAR 20

struct progress {
	FILE *to; /* NULL: nothing is drawn */
	const char *what;
	_Atomic uint64_t total, items, octets;
	_Atomic uint64_t due; /* ms: when to draw next */
	uint64_t since;
	pthread_mutex_t lock; /* of the terminal's line */
	bool drawn;
};

struct progress *
progress_new(FILE *to, const char *what, uint64_t total, bool shown)
{
	struct progress *p = mem_zalloc(sizeof(*p));
	const char *term = getenv("TERM");

	p->to = shown && isatty(fileno(to)) && term != NULL &&
		strcmp(term, "dumb") != 0
	    ? to
	    : NULL;
	p->what = what;
	p->total = total;
	p->since = mono_ms();
	p->due = p->since + FIRST_MS;
	pthread_mutex_init(&p->lock, NULL);
	return p;
}

void
progress_total(struct progress *p, uint64_t total)
{
	p->total = total;
}

static void
bar(char text[BAR + 4], uint64_t items, uint64_t total)
{
	unsigned full = (unsigned)(items * BAR / total);

	memset(text, ' ', BAR + 3);
	text[1] = '[';
	memset(text + 2, '#', full);
	text[BAR + 2] = ']';
	text[BAR + 3] = '\0';
}

void
progress_print(char *line, size_t size, unsigned width, const char *what,
    uint64_t items, uint64_t total, uint64_t octets, uint64_t ms)
{
	char filled[BAR + 4] = "", per[TEXT_SPAN_MAX], left[TEXT_SPAN_MAX];
	char done[64], speed[64] = "", eta[64] = "";

	if (ms == 0)
		ms = 1;
	if (items > total && total > 0)
		total = items;
	if (total > 0) {
		if (width >= WIDTH)
			bar(filled, items, total);
		snprintf(done, sizeof(done), " %3u%%%s %llu/%llu",
		    (unsigned)(items * 100 / total), filled,
		    (unsigned long long)items, (unsigned long long)total);
		if (items > 0)
			snprintf(eta, sizeof(eta), "  %s left",
			    text_span(left,
				(int64_t)((double)ms * (double)(total - items) /
				    (double)items / 1000.0)));
	} else {
		snprintf(
		    done, sizeof(done), " %llu", (unsigned long long)items);
	}
	if (octets > 0)
		snprintf(speed, sizeof(speed), "  %s/s",
		    text_size(per, octets * 1000 / ms));
	snprintf(line, size < width + 1 ? size : width + 1, "%s%s  %llu/s%s%s",
	    what, done, (unsigned long long)(items * 1000 / ms), speed, eta);
}

static unsigned
columns(FILE *to)
{
	struct winsize ws;

	if (ioctl(fileno(to), TIOCGWINSZ, &ws) == 0 && ws.ws_col > 0)
		return ws.ws_col < WIDTH_MAX ? ws.ws_col : WIDTH_MAX;
	return WIDTH;
}

static void
draw(struct progress *p, uint64_t now)
{
	char line[WIDTH_MAX + 1];

	if (pthread_mutex_trylock(&p->lock) != 0)
		return;
	/* The last column stays free: writing it may wrap the line. */
	progress_print(line, sizeof(line), columns(p->to) - 1, p->what,
	    p->items, p->total, p->octets, now - p->since);
	fprintf(p->to, "\r%s\033[K", line);
	fflush(p->to);
	p->drawn = true;
	pthread_mutex_unlock(&p->lock);
}

void
progress_add(struct progress *p, uint64_t items, uint64_t octets)
{
	uint64_t now, due;

	atomic_fetch_add_explicit(&p->items, items, memory_order_relaxed);
	atomic_fetch_add_explicit(&p->octets, octets, memory_order_relaxed);
	if (p->to == NULL)
		return;
	now = mono_ms();
	due = atomic_load_explicit(&p->due, memory_order_relaxed);
	if (now >= due &&
	    atomic_compare_exchange_strong(&p->due, &due, now + EVERY_MS))
		draw(p, now);
}

void
progress_clear(struct progress *p)
{
	pthread_mutex_lock(&p->lock);
	if (p->drawn) {
		fputs("\r\033[K", p->to);
		fflush(p->to);
		p->drawn = false;
	}
	pthread_mutex_unlock(&p->lock);
}

void
progress_free(struct progress *p)
{
	if (p == NULL)
		return;
	progress_clear(p);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

uint64_t
progress_items(const struct progress *p)
{
	return p->items;
}

uint64_t
progress_octets(const struct progress *p)
{
	return p->octets;
}

uint64_t
progress_ms(const struct progress *p)
{
	return mono_ms() - p->since;
}
