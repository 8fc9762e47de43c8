/*
 * surveyor - a survey as the commands make it
 *
 * Lays the journal over the files, knows the configuration's actions when -c
 * names one, and narrows to what was asked for. Beside a daemon at work what
 * was found is looked at again, and only what stays is told: files come and go
 * there.
 */
#ifndef TOOLS_QTOOL_SURVEYOR_H
#define TOOLS_QTOOL_SURVEYOR_H

#include "tools/qtool/qtool.h"
#include "tools/qtool/survey.h"

struct conf;
struct sift;

struct surveyor {
	struct qtool *t;
	enum survey_level level;
	int64_t since;
	const char *what; /* for the bar */
	struct conf *conf; /* NULL: -c was not given */
	struct sift *sift; /* NULL: no selector was begun */
	bool sifted; /* an option of it was given */
	bool narrow; /* to these messages, sorted */
	uint64_t *msgids;
	size_t n, room;
	struct survey_stats stats; /* of all that was surveyed */
};

/* Opens the view. 0, or an exit code whose error was printed. */
int surveyor_open(struct surveyor *s, struct qtool *t);
void surveyor_close(struct surveyor *s);

void surveyor_narrow(struct surveyor *s, uint64_t msgid);
/* An option of a selector: 0, or an exit code. */
int surveyor_option(struct surveyor *s, int opt);
/* By the words of a command line: files, ids, or a selector. As open. */
int surveyor_select(struct surveyor *s, int argc, char *argv[]);

/* Sorted by now: after surveyor_select(), or a run. */
bool surveyor_wants(const struct surveyor *s, uint64_t msgid);

int surveyor_run(struct surveyor *s, struct problems *p);

bool survey_level_parse(const char *word, enum survey_level *level);

#endif
