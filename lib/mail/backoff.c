#include "lib/mail/backoff.h"

/* The largest n with n * n <= v. */
static uint64_t
square_root(uint64_t v)
{
	uint64_t root = 0, bit = UINT64_C(1) << 31;

	for (; bit > 0; bit >>= 1)
		if ((root | bit) * (root | bit) <= v)
			root |= bit;
	return root;
}

int64_t
backoff_next(int64_t arrived, int64_t now, unsigned tries, unsigned base)
{
	uint64_t n = tries == 0 ? 1 : tries, first, age;

	if (base == 0)
		base = 1;
	if (arrived > now)
		arrived = now;
	age = (uint64_t)now - (uint64_t)arrived;
	first = square_root(age / base) + 1; /* the first n in the future */
	if (n < first)
		n = first;
	/* Far beyond any lifetime: keeps the product within 64 bits. */
	if (n > UINT64_C(1) << 15)
		return now + (INT64_C(1) << 30);
	return arrived + (int64_t)(n * n * base);
}
