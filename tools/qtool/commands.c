#include "tools/qtool/commands.h"

static const struct qtool_action list = { list_run };
static const struct qtool_action lockstatus = { lockstatus_run };

#define MANY GRAMMAR_MANY

/* In the order of the help. */
const struct grammar_command commands[] = {
	{ "list", "[SELECTOR]", 0, MANY, "envelopes, a line each", NULL,
	    &list },
	{ "lock status", "", 0, 0, "who works on the spool", NULL,
	    &lockstatus },
	{ "help", "[COMMAND]", 0, 2, "this list, or one command", NULL, NULL },
};
const size_t ncommands = sizeof(commands) / sizeof(commands[0]);
