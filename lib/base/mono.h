/*
 * mono - the two clocks
 *
 * Deadlines and measurements use the monotonic clock; what is written down or
 * shown uses wall time. A test moves wall time (never the monotonic clock)
 * while the daemon runs: the file named by the environment variable
 * SMTPD_TEST_CLOCK holds a signed number of seconds that is added to it.
 */
#ifndef LIB_BASE_MONO_H
#define LIB_BASE_MONO_H

#include <stdbool.h>
#include <stdint.h>

/* Opens the test clock, where there is one. Call before privileges are
 * dropped; without this call wall time is simply the system's. */
void mono_open_test_clock(void);
bool mono_has_test_clock(void);

uint64_t mono_us(void); /* microseconds since some start */
uint64_t mono_ms(void);
int64_t mono_wall(void); /* seconds since the epoch */
uint64_t mono_wall_ms(void);

#endif
