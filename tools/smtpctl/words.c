#include "tools/smtpctl/words.h"

#include "tools/smtpctl/details.h"
#include "tools/smtpctl/request.h"
#include "tools/smtpctl/sorted.h"
#include "tools/smtpctl/stream.h"

static const struct action plain = { request_run, OUT_LIST, IDS_NONE, NULL,
	NULL };
static const struct action sorted = { sorted_run, OUT_LIST, IDS_NONE, NULL,
	NULL };
static const struct action listing = { request_run, OUT_LIST, IDS_PREFIX, NULL,
	NULL };
static const struct action envelopes = { details_run, OUT_LIST, IDS_PREFIX,
	NULL, NULL };
static const struct action mailq = { request_run, OUT_MAILQ, IDS_PREFIX,
	"show queue", NULL };
static const struct action verb = { request_run, OUT_LIST, IDS_ALL, NULL,
	NULL };
static const struct action discover = { request_run, OUT_LIST, IDS_WHOLE, NULL,
	NULL };
static const struct action trace_lines = { stream_trace, OUT_LIST, IDS_NONE,
	NULL, NULL };
static const struct action untrace = { stream_untrace, OUT_LIST, IDS_NONE, NULL,
	NULL };
static const struct action profile_imsg = { stream_profile, OUT_LIST, IDS_NONE,
	NULL, "profile-imsg" };
static const struct action profile_queue = { stream_profile, OUT_LIST, IDS_NONE,
	NULL, "profile-queue" };
static const struct action unprofile_imsg = { stream_untrace, OUT_LIST,
	IDS_NONE, NULL, "profile-imsg" };
static const struct action unprofile_queue = { stream_untrace, OUT_LIST,
	IDS_NONE, NULL, "profile-queue" };

#define IDS_HELP                                                               \
	"An ID of 12 hex digits is a message, all its envelopes; one of 16\n"  \
	"is an envelope."
#define PREFIX_HELP                                                            \
	IDS_HELP " Six or more digits will do where they are unique."
#define TRACE_HELP                                                             \
	"Subsystems: imsg io smtp mta mda bounce scheduler lookup expand\n"    \
	"rules tables queue stat, or all. Lines come until ^C, and go to "     \
	"the\n"                                                                \
	"log as well; then the subsystem is switched off, unless another\n"    \
	"caller reads it or it was switched on for the log.\n"                 \
	"  -c N      end after N lines\n"                                      \
	"  -d TIME   end after that time: 30s, 5m, 1h\n"                       \
	"  --on      only switch it on for the log, until untrace"

#define MANY GRAMMAR_MANY

/* In the order of the help. */
const struct grammar_command words[] = {
	{ "show status", "", 0, 0, "the daemon and its roles", NULL, &sorted },
	{ "show stats", "", 0, 0, "counters, as name=value", NULL, &sorted },
	{ "show queue", "[ID...|all]", 0, MANY, "envelopes, a line each",
	    PREFIX_HELP
	    "\nS: R ready, D deferred, I in flight, H held, B waits "
	    "for its bounce,\nX cannot be used.",
	    &listing },
	{ "show envelope", "ID...", 1, MANY,
	    "envelopes as they are in the spool", PREFIX_HELP, &envelopes },
	{ "show message", "ID", 1, 1, "a message as it will be sent",
	    PREFIX_HELP, &listing },
	{ "show hosts", "", 0, 0, "remote hosts in use", NULL, &plain },
	{ "mailq", "", 0, 0, "the queue the way sendmail shows it", NULL,
	    &mailq },
	{ "pause envelope", "ID...|all", 1, MANY, "hold envelopes",
	    IDS_HELP " Held envelopes stay so across restarts.\n"
		     "  --reason TEXT   why, kept with the envelope",
	    &verb },
	{ "pause mta", "", 0, 0, "no more relaying", "Kept across restarts.",
	    &plain },
	{ "pause mda", "", 0, 0, "no more local delivery",
	    "Kept across restarts.", &plain },
	{ "pause smtp", "", 0, 0, "take no more mail", "Kept across restarts.",
	    &plain },
	{ "resume envelope", "ID...|all", 1, MANY, "release held envelopes",
	    IDS_HELP, &verb },
	{ "resume mta", "", 0, 0, "relay again", NULL, &plain },
	{ "resume mda", "", 0, 0, "deliver again", NULL, &plain },
	{ "resume smtp", "", 0, 0, "take mail again", NULL, &plain },
	{ "schedule", "ID...|all", 1, MANY, "try envelopes now", IDS_HELP,
	    &verb },
	{ "remove", "ID...|all", 1, MANY, "remove envelopes",
	    IDS_HELP "\n  --reason TEXT   why, for the log", &verb },
	{ "discover", "ID...", 1, MANY, "take what was edited in the spool",
	    IDS_HELP, &discover },
	{ "uncorrupt", "ID...", 1, MANY, "bring back what was set aside",
	    IDS_HELP "\nIts files come back from corrupt/ when they read well. "
		     "What was\nmade anew or finished before comes back held.",
	    &discover },
	{ "sync", "", 0, 0, "bring the spool's files up to date", NULL,
	    &plain },
	{ "trace", "SUBSYSTEM...", 1, MANY, "lines of what goes on", TRACE_HELP,
	    &trace_lines },
	{ "untrace", "SUBSYSTEM...", 1, MANY, "switch off trace --on", NULL,
	    &untrace },
	{ "profile imsg", "", 0, 0, "what messages between roles cost",
	    "Lines until ^C, then a table. -c, -d and --on as for trace.",
	    &profile_imsg },
	{ "profile queue", "", 0, 0, "what operations of the spool cost",
	    "Lines until ^C, then a table. -c, -d and --on as for trace.",
	    &profile_queue },
	{ "unprofile imsg", "", 0, 0, "switch off profile imsg --on", NULL,
	    &unprofile_imsg },
	{ "unprofile queue", "", 0, 0, "switch off profile queue --on", NULL,
	    &unprofile_queue },
	{ "log brief", "", 0, 0, "log what matters", NULL, &plain },
	{ "log verbose", "", 0, 0, "log more", NULL, &plain },
	{ "reload", "", 0, 0, "read the configuration again", NULL, &plain },
	{ "stop", "", 0, 0, "end the daemon", NULL, &plain },
	{ "help", "[COMMAND]", 0, 2, "this list, or one command", NULL, NULL },
};
const size_t nwords = sizeof(words) / sizeof(words[0]);
