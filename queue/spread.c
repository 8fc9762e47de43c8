#include "queue/spread.h"

#include <assert.h>

#define STEP_BITS 4 /* of the leading bit's successors */
#define STEPS (1u << STEP_BITS)

static unsigned
step_of(uint64_t us)
{
	unsigned octave, step;

	if (us < STEPS)
		return (unsigned)us;
	octave = 63 - (unsigned)__builtin_clzll(us) - STEP_BITS;
	step = (octave + 1) * STEPS + (unsigned)(us >> octave) % STEPS;
	return step < SPREAD_STEPS ? step : SPREAD_STEPS - 1;
}

/* The largest that falls into it. */
static uint64_t
most_of(unsigned step)
{
	unsigned octave;

	if (step < STEPS)
		return step;
	octave = step / STEPS - 1;
	return ((uint64_t)(STEPS + step % STEPS + 1) << octave) - 1;
}

void
spread_add(struct spread *s, uint64_t us)
{
	s->n++;
	s->count[step_of(us)]++;
	if (us > s->max)
		s->max = us;
}

uint64_t
spread_percentile(const struct spread *s, unsigned percent)
{
	uint64_t below = 0, want;
	unsigned i;

	assert(percent <= 100);
	if (s->n == 0)
		return 0;
	want = (s->n * percent + 99) / 100;
	if (want == 0)
		want = 1;
	for (i = 0; i < SPREAD_STEPS - 1; i++)
		if ((below += s->count[i]) >= want)
			return most_of(i) < s->max ? most_of(i) : s->max;
	return s->max;
}
