#include "daemon/mta/manner.h"

#include <assert.h>
#include <stdlib.h>
#include <strings.h>

#include "lib/base/mem.h"

struct manner *
manner_new(void)
{
	struct manner *m = mem_zalloc(sizeof(*m));

	m->refs = 1;
	return m;
}

struct manner *
manner_ref(struct manner *m)
{
	m->refs++;
	return m;
}

void
manner_unref(struct manner *m)
{
	size_t i;

	if (m == NULL)
		return;
	assert(m->refs > 0);
	if (--m->refs > 0)
		return;
	for (i = 0; i < m->nsources; i++)
		free(m->sources[i]);
	for (i = 0; i < m->nnames; i++) {
		free(m->names[i].source);
		free(m->names[i].name);
	}
	if (m->free_policy != NULL)
		m->free_policy(m->policy);
	free(m->sources);
	free(m->names);
	free(m->backup);
	free(m->action);
	free(m->key);
	free(m);
}

const char *
manner_helo(const struct manner *m, const char *source)
{
	size_t i;

	for (i = 0; i < m->nnames; i++)
		if (m->names[i].source[0] == '\0' ||
		    strcasecmp(m->names[i].source, source) == 0)
			return m->names[i].name;
	return NULL;
}

struct choice *
choice_new(size_t n)
{
	struct choice *c = mem_zalloc(sizeof(*c));

	c->refs = 1;
	c->n = n;
	c->manners = mem_zarray(n > 0 ? n : 1, sizeof(struct manner *));
	return c;
}

struct choice *
choice_ref(struct choice *c)
{
	c->refs++;
	return c;
}

void
choice_unref(struct choice *c)
{
	size_t i;

	if (c == NULL)
		return;
	assert(c->refs > 0);
	if (--c->refs > 0)
		return;
	for (i = 0; i < c->n; i++)
		manner_unref(c->manners[i]);
	free(c->manners);
	free(c);
}
