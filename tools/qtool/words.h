/*
 * words - the commands of qtool, bound to what runs them
 */
#ifndef TOOLS_QTOOL_WORDS_H
#define TOOLS_QTOOL_WORDS_H

#include <stddef.h>

#include "lib/cli/grammar.h"

extern const struct grammar_command words[];
extern const size_t nwords;

#endif
