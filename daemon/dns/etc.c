#include "daemon/dns/etc.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base/mem.h"
#include "lib/base/text.h"

#define ENTRIES_MAX 4096 /* of hosts; more are left out */

struct entry {
	char *name;
	uint8_t family;
	uint8_t octets[16];
};

struct etc {
	char *servers[ETC_SERVERS];
	size_t nservers;
	struct entry *entries;
	size_t nentries, room;
};

static void
resolv_line(struct etc *e, char *line)
{
	char *save, *word = strtok_r(line, " \t\n", &save);
	unsigned char octets[16];

	if (word == NULL || strcmp(word, "nameserver") != 0)
		return;
	word = strtok_r(NULL, " \t\n", &save);
	if (word == NULL || e->nservers == ETC_SERVERS)
		return;
	/* A link-local address needs an interface, which unbound cannot take
	 * from here. */
	if (inet_pton(AF_INET, word, octets) == 1 ||
	    inet_pton(AF_INET6, word, octets) == 1)
		e->servers[e->nservers++] = mem_strdup(word);
}

static void
hosts_line(struct etc *e, char *line)
{
	char *save, *word;
	struct entry entry = { 0 };

	line[strcspn(line, "#")] = '\0';
	word = strtok_r(line, " \t\n", &save);
	if (word == NULL)
		return;
	if (inet_pton(AF_INET, word, entry.octets) == 1)
		entry.family = 4;
	else if (inet_pton(AF_INET6, word, entry.octets) == 1)
		entry.family = 6;
	else
		return;
	while ((word = strtok_r(NULL, " \t\n", &save)) != NULL) {
		if (e->nentries == ENTRIES_MAX)
			return;
		if (e->nentries == e->room) {
			e->room = e->room == 0 ? 16 : e->room * 2;
			e->entries = mem_rearray(
			    e->entries, e->room, sizeof(*e->entries));
		}
		text_lower(word);
		entry.name = mem_strdup(word);
		e->entries[e->nentries++] = entry;
	}
}

static void
each_line(struct etc *e, const char *path, void (*fn)(struct etc *, char *))
{
	FILE *f = fopen(path, "re");
	char line[1024];

	if (f == NULL)
		return;
	while (fgets(line, sizeof(line), f) != NULL)
		fn(e, line);
	(void)fclose(f);
}

struct etc *
etc_read(const char *resolv_conf, const char *hosts)
{
	struct etc *e = mem_zalloc(sizeof(*e));

	each_line(e, resolv_conf, resolv_line);
	each_line(e, hosts, hosts_line);
	return e;
}

void
etc_free(struct etc *e)
{
	size_t i;

	if (e == NULL)
		return;
	for (i = 0; i < e->nservers; i++)
		free(e->servers[i]);
	for (i = 0; i < e->nentries; i++)
		free(e->entries[i].name);
	free(e->entries);
	free(e);
}

const char *
etc_server(const struct etc *e, size_t n)
{
	return n < e->nservers ? e->servers[n] : NULL;
}

bool
etc_host(const struct etc *e, const char *name, struct name_host *h)
{
	size_t i;

	memset(h, 0, sizeof(*h));
	h->name = name;
	h->base = h->text = "";
	for (i = 0; i < e->nentries && h->n < NAME_ADDRESSES; i++) {
		if (strcmp(e->entries[i].name, name) != 0)
			continue;
		h->addresses[h->n].family = e->entries[i].family;
		memcpy(h->addresses[h->n].octets, e->entries[i].octets, 16);
		h->n++;
	}
	return h->n > 0;
}
