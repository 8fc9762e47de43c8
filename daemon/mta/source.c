#include "daemon/mta/source.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "daemon/mta/engine.h"
#include "lib/base/hmap.h"
#include "lib/base/mem.h"

static bool
read_address(struct source *s, const char *text)
{
	struct sockaddr_in6 *six = (void *)&s->addr;
	struct sockaddr_in *four = (void *)&s->addr;

	if (strcmp(text, SOURCE_ANY) == 0) {
		snprintf(s->text, sizeof(s->text), "%s", text);
		return true;
	}
	if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		s->addrlen = sizeof(*four);
		inet_ntop(AF_INET, &four->sin_addr, s->text, sizeof(s->text));
		return true;
	}
	if (inet_pton(AF_INET6, text, &six->sin6_addr) == 1) {
		six->sin6_family = AF_INET6;
		s->addrlen = sizeof(*six);
		inet_ntop(AF_INET6, &six->sin6_addr, s->text, sizeof(s->text));
		return true;
	}
	return false;
}

struct source *
source_get(struct engine *e, const char *text)
{
	struct source new = { 0 }, *s;
	uint64_t key;

	if (!read_address(&new, text))
		return NULL;
	key = hmap_hash(new.text, strlen(new.text));
	s = hmap_get(e->sources, key);
	if (s != NULL)
		return s;
	s = mem_zalloc(sizeof(*s));
	*s = new;
	TAILQ_INIT(&s->waiting.line);
	s->steering = steering_find(&e->steerings, CARRY_SOURCE, s->text);
	hmap_put(e->sources, key, s);
	return s;
}
