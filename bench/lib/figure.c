#include "bench/lib/figure.h"

#include <stdio.h>
#include <time.h>

void
figure_section(const struct figure *f, const char *name)
{
	if (f->tabs)
		printf("section\t%s\n", name);
	else
		printf("\n%s\n", name);
	fflush(stdout);
}

void
figure_put(const struct figure *f, const char *name, double value,
    const char *unit, double limit, const char *of)
{
	int digits = value < 10 ? 2 : value < 100 ? 1 : 0;

	if (f->tabs)
		printf("%s\t%s\t%.6g\t%.6g\t%s\n", name, unit, value,
		    limit > 0 ? value / limit : 0, of == NULL ? "" : of);
	else if (limit > 0)
		printf("  %-52s %10.*f %-5s %7.2f of %s\n", name, digits, value,
		    unit, value / limit, of);
	else
		printf("  %-52s %10.*f %s\n", name, digits, value, unit);
	fflush(stdout);
}

uint64_t
figure_cpu_us(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) == -1)
		return 0;
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}
