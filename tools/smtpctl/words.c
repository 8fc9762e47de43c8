#include "tools/smtpctl/words.h"

#include "tools/smtpctl/complete.h"
#include "tools/smtpctl/details.h"
#include "tools/smtpctl/outgoing.h"
#include "tools/smtpctl/request.h"
#include "tools/smtpctl/sorted.h"
#include "tools/smtpctl/stream.h"

static const struct action plain = { request_run, OUT_LIST, IDS_NONE, NULL,
	NULL, 0 };
static const struct action sorted = { sorted_run, OUT_LIST, IDS_NONE, NULL,
	NULL, 0 };
static const struct action listing = { request_run, OUT_LIST, IDS_PREFIX, NULL,
	NULL, 0 };
static const struct action envelopes = { details_run, OUT_LIST, IDS_PREFIX,
	NULL, NULL, 0 };
static const struct action mailq = { request_run, OUT_MAILQ, IDS_PREFIX,
	"show queue", NULL, 0 };
static const struct action verb = { request_run, OUT_LIST, IDS_ALL, NULL, NULL,
	0 };
static const struct action discover = { request_run, OUT_LIST, IDS_WHOLE, NULL,
	NULL, 0 };
static const struct action trace_lines = { stream_trace, OUT_LIST, IDS_NONE,
	NULL, NULL, 0 };
static const struct action untrace = { stream_untrace, OUT_LIST, IDS_NONE, NULL,
	NULL, 0 };
static const struct action profile_imsg = { stream_profile, OUT_LIST, IDS_NONE,
	NULL, "profile-imsg", 0 };
static const struct action profile_queue = { stream_profile, OUT_LIST, IDS_NONE,
	NULL, "profile-queue", 0 };
static const struct action unprofile_imsg = { stream_untrace, OUT_LIST,
	IDS_NONE, NULL, "profile-imsg", 0 };
static const struct action unprofile_queue = { stream_untrace, OUT_LIST,
	IDS_NONE, NULL, "profile-queue", 0 };

static const struct action routes = { outgoing_list, OUT_LIST, IDS_NONE, NULL,
	NULL, GIVEN_WHY };
static const struct action part_pause = { outgoing_pause, OUT_LIST, IDS_NONE,
	NULL, NULL, GIVEN_FOR };
static const struct action explaining = { outgoing_explain, OUT_LIST, IDS_NONE,
	NULL, NULL, GIVEN_FROM };
static const struct action whying = { outgoing_why, OUT_LIST, IDS_PREFIX, NULL,
	NULL, 0 };

static const struct action completing = { complete_run, OUT_LIST, IDS_NONE,
	NULL, NULL, 0 };

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

#define ROUTE_HELP                                                             \
	"ROUTE is an id as show routes prints it (r12), or source and host:\n" \
	"'* -> mx.example.org [192.0.2.1]:25'."
#define PAUSE_HELP                                                             \
	"\nMail for it waits, what is under way is finished. Kept across\n"    \
	"restarts.\n"                                                          \
	"  --for TIME      for so long: 30m, 2h; otherwise until resumed\n"    \
	"  --reason TEXT   why, shown by show limits and explain"

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
	{ "show routes", "[--why]", 0, 0, "ways from a source to a host",
	    "FLAG: N new, not validated by a session yet; D disabled; Q its "
	    "penalty's\ntimer runs; K a connection is kept for more mail.\n"
	    "  --why     what each route waits for, and until when",
	    &routes },
	{ "show hoststats", "", 0, 0, "what became of mail, by domain",
	    "The last outcome for each domain, for four hours.", &plain },
	{ "show relays", "[--why]", 0, 0, "destinations with their mail",
	    "  --why     what each relay waits for", &routes },
	{ "show sessions", "", 0, 0, "outgoing connections", NULL, &plain },
	{ "show limits", "[DOMAIN]", 0, 1, "limits of outgoing mail, pauses",
	    "With a domain, those that hold for mail to it.", &plain },
	{ "explain", "ADDRESS [--from ADDRESS]", 1, 1,
	    "where mail for an address would go",
	    "Nothing is sent. The rule, the aliases, the relay, its hosts, "
	    "TLS, limits,\nand what mail for it would wait for.\n"
	    "  --from ADDRESS   the sender; <> is that of bounces",
	    &explaining },
	{ "why", "ID", 1, 1, "why an envelope is not delivered yet",
	    PREFIX_HELP, &whying },
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
	{ "pause route", "ROUTE", 1, 1, "no more mail by a route",
	    ROUTE_HELP PAUSE_HELP, &part_pause },
	{ "pause source", "ADDRESS", 1, 1, "no more mail from a source",
	    "ADDRESS is one of ours, or * where the system chooses." PAUSE_HELP,
	    &part_pause },
	{ "pause relay", "RELAY", 1, 1, "no more mail for a destination",
	    "RELAY is a domain, or a URL of relay via." PAUSE_HELP,
	    &part_pause },
	{ "resume envelope", "ID...|all", 1, MANY, "release held envelopes",
	    IDS_HELP, &verb },
	{ "resume mta", "", 0, 0, "relay again", NULL, &plain },
	{ "resume mda", "", 0, 0, "deliver again", NULL, &plain },
	{ "resume smtp", "", 0, 0, "take mail again", NULL, &plain },
	{ "resume route", "ROUTE|all", 1, 1, "use a route again",
	    ROUTE_HELP "\nAll ends the pauses of all routes, and "
		       "their penalties.",
	    &plain },
	{ "resume source", "ADDRESS", 1, 1, "use a source again", NULL,
	    &plain },
	{ "resume relay", "RELAY", 1, 1, "send to a destination again", NULL,
	    &plain },
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
	{ "completion", "bash|zsh|fish", 1, 1,
	    "a script that completes these words",
	    "For bash: eval \"$(smtpctl completion bash)\"", &completing },
	{ "help", "[COMMAND]", 0, 2, "this list, or one command", NULL, NULL },
};
const size_t nwords = sizeof(words) / sizeof(words[0]);
