#include "tools/qtool/commands.h"

#include "tools/qtool/sift.h"

static const struct qtool_action cat = { cat_run };
static const struct qtool_action count = { count_run };
static const struct qtool_action diff = { diff_run };
static const struct qtool_action doctor = { doctor_run };
static const struct qtool_action list = { list_run };
static const struct qtool_action verify = { verify_run };
static const struct qtool_action repair = { repair_run };
static const struct qtool_action convert = { convert_run };
static const struct qtool_action gc = { gc_run };
static const struct qtool_action keylist = { keylist_run };
static const struct qtool_action keynew = { keynew_run };
static const struct qtool_action keyrotate = { keyrotate_run };
static const struct qtool_action keyretire = { keyretire_run };
static const struct qtool_action keytest = { keytest_run };
static const struct qtool_action lockstatus = { lockstatus_run };
static const struct qtool_action shape = { shape_run };
static const struct qtool_action spool_stat = { stat_run };

#define MANY GRAMMAR_MANY

/* In the order of the help. */
const struct grammar_command commands[] = {
	{ "list", "[SELECTOR|ID...]", 0, MANY, "envelopes, a line each",
	    SIFT_HELP
	    "\n"
	    "  --sort FIELD,...  in that order; -FIELD falls\n"
	    "  --fields FIELD,...  only these, a tab between them\n"
	    "  -n N  at most N        -i  ids only    -0  ids, each with a "
	    "NUL\n"
	    "  --count  how many      --wide  with sender and error\n"
	    "S: R ready, D deferred, O either and no daemon runs, H held,\n"
	    "B waits for its bounce, L lacks its key, X cannot be used.",
	    &list },
	{ "count", "[SELECTOR|ID...]", 0, MANY, "how many envelopes there are",
	    SIFT_HELP "\n"
		      "  --by FIELD,...  of each kind, the most first\n"
		      "  --top N         only the N that are most",
	    &count },
	{ "shape", "[SELECTOR|ID...]", 0, MANY, "how old envelopes are",
	    SIFT_HELP "\n"
		      "  --by FIELD      rows (rcpt.domain)\n"
		      "  --top N         rows (20)\n"
		      "  --buckets N     columns (10)\n"
		      "  --first TIME    end of the first (5m); each next is "
		      "twice that\n"
		      "  --linear        or as much again",
	    &shape },
	{ "stat", "", 0, 0, "the spool in numbers", NULL, &spool_stat },
	{ "cat", "ID...", 1, MANY, "envelopes and messages in clear text",
	    "Of an envelope's id (16 hex digits) its text, of a message's (12, "
	    "or 6\n"
	    "and more that are unique) the message, unless one of these is "
	    "given:\n"
	    "  --envelope  the texts      --eml   the message\n"
	    "  --headers   its header     --body  what is behind it\n"
	    "  --mbox      for an mbox    --raw   the octets that are stored\n"
	    "  --redact addr,subject,body  left out, all or some\n"
	    "  --out DIR   a new file in DIR for each",
	    &cat },
	{ "verify", "[SELECTOR|ID|FILE...]", 0, MANY,
	    "what is wrong with the spool",
	    SIFT_HELP
	    "\n"
	    "A word with a slash is a file of the queue.\n"
	    "  --level LEVEL  names, parse, or deep: every octet (deep)\n"
	    "  --since TIME   opens only files changed since, or 2h\n"
	    "  --report FILE  the same as JSON lines in a file\n"
	    "With -c the actions of envelopes are looked up, too.\n"
	    "Ends with 1 when there are problems.",
	    &verify },
	{ "repair", "", 0, 0, "mends what verify finds",
	    "Says what it would do; changes nothing without --yes.\n"
	    "  --yes             does it\n"
	    "  --fix CLASS,...   only these: Q07,permissions\n"
	    "  --adopt           a message without envelopes gets them back, "
	    "held\n"
	    "  --quarantine DIR  sets aside to there, not to corrupt/\n"
	    "  --level LEVEL     as of verify\n"
	    "Nothing is deleted. Ends with 2 when something is left to a "
	    "person.",
	    &repair },
	{ "convert", "[SELECTOR|ID|FILE...]", 0, MANY,
	    "messages and envelopes in another stored form",
	    SIFT_HELP "\n"
		      "  --comp none|zstd[:LEVEL]\n"
		      "  --enc none|aes-256-gcm[:KID]\n"
		      "  --rate N/s  at most so many files a second\n"
		      "Cut off, it is simply run again.",
	    &convert },
	{ "gc", "", 0, 0, "frees what nobody needs; never mail",
	    "  --dry-run  only says what", &gc },
	{ "key list", "", 0, 0, "the keys, and what they seal", NULL,
	    &keylist },
	{ "key new", "", 0, 0, "a fresh key, as a line for the key ring",
	    "  --kid KID  its name, 16 of a-z, 0-9 and -\n"
	    "With --passphrase-file the whole ring is printed, sealed by it.",
	    &keynew },
	{ "key rotate", "", 0, 0, "everything sealed gets another key",
	    "  --to KID  of the ring; it becomes the active one\n"
	    "Bodies are not rewritten. Cut off, it is simply run again.",
	    &keyrotate },
	{ "key retire", "KID", 1, 1, "for a key that nothing needs", NULL,
	    &keyretire },
	{ "key test", "", 0, 0, "whether each key opens what it sealed", NULL,
	    &keytest },
	{ "diff", "SPOOL_A SPOOL_B", 2, 2, "what differs between two spools",
	    "Clear texts are compared, whatever form they are stored in.\n"
	    "- is in the first only, + in the second only, ~ differs.\n"
	    "Ends with 1 when there is a difference; -q says nothing else.\n"
	    "  --quick  envelopes only, not the messages",
	    &diff },
	{ "doctor", "", 0, 0, "what is wrong, and what mends it",
	    "Ends with 1 when something was found.", &doctor },
	{ "lock status", "", 0, 0, "who works on the spool", NULL,
	    &lockstatus },
	{ "help", "[COMMAND]", 0, 2, "this list, or one command", NULL, NULL },
};
const size_t ncommands = sizeof(commands) / sizeof(commands[0]);
