#include "lib/base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/log.h"

void *
mem_zalloc(size_t size)
{
	return mem_zarray(1, size);
}

void *
mem_zarray(size_t n, size_t size)
{
	void *p = calloc(n == 0 ? 1 : n, size == 0 ? 1 : size);

	if (p == NULL)
		fatal("out of memory: %zu times %zu bytes", n, size);
	return p;
}

void *
mem_rearray(void *p, size_t n, size_t size)
{
	if (size != 0 && n > SIZE_MAX / size)
		fatal("out of memory: %zu times %zu bytes", n, size);
	p = realloc(p, n * size == 0 ? 1 : n * size);
	if (p == NULL)
		fatal("out of memory: %zu times %zu bytes", n, size);
	return p;
}

char *
mem_strdup(const char *s)
{
	return mem_strndup(s, strlen(s));
}

char *
mem_strndup(const char *s, size_t n)
{
	char *p = strndup(s, n);

	if (p == NULL)
		fatal("out of memory: %zu bytes", n);
	return p;
}

char *
mem_printf(const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&p, fmt, ap);
	va_end(ap);
	if (n == -1)
		fatal("out of memory: formatting a string");
	return p;
}
