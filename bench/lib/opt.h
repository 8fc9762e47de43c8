/*
 * opt - numbers on the command line of a measuring program
 */
#ifndef BENCH_LIB_OPT_H
#define BENCH_LIB_OPT_H

#include <stdint.h>

/* The value of --name; exits 2 with the bounds when arg is not one. */
unsigned opt_number(
    const char *name, const char *arg, uint64_t least, uint32_t most);

#endif
