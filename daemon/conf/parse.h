/*
 * parse - the configuration's grammar (inside daemon/conf)
 *
 * Recursive descent, one token ahead. A statement is a line: a word, and
 * options in any order, each a row of a table of words. The first error of a
 * statement is reported, and the next statement is read. Names of tables and
 * actions may be used before they are defined: they are resolved at the end.
 */
#ifndef DAEMON_CONF_PARSE_H
#define DAEMON_CONF_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/conf/conf.h"
#include "daemon/conf/lex.h"

#define PARSE_LIST_MAX 10000u /* rules, actions, tables, listeners */

struct parse_place {
	const char *file;
	unsigned line;
};

enum parse_named {
	PARSE_TABLE,
	PARSE_ACTION,
	PARSE_PKI
};

/* A use of a name, to be resolved at the end. */
struct parse_use {
	struct parse_place at;
	char *name;
	enum parse_named what;
	size_t rule; /* that wants the action */
	bool outgoing, secret; /* of a table: see conf.h */
};

struct parse {
	struct lex *lex;
	struct lex_token tok; /* what comes next */
	struct conf *conf;
	const char *base; /* where relative paths start; NULL: they stay */
	bool is_slice; /* text of ours, from parent to role */
	unsigned rule_line; /* of a slice: that of the next rule */
	const char *option; /* being read: named in errors; NULL: none */

	struct parse_place statement;
	uint32_t seen[4]; /* rows of word tables read so far, by parse_set */
	struct parse_use *uses;
	size_t nuses;
	struct parse_place *rules, *actions; /* as those of conf */
};

struct parse_word {
	const char *word;
	/* Runs with the word behind it. False after a report. */
	bool (*fn)(struct parse *p, void *ctx);
	bool repeats; /* may be given more than once */
};

/* Reads all that was pushed into lex; false when anything was reported. */
bool parse_all(
    struct lex *lex, struct conf *conf, const char *base, bool is_slice);

void parse_next(struct parse *p);
/* All return false after a report that names the token which comes next. */
bool parse_error(struct parse *p, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
bool parse_expected(struct parse *p, const char *what);
bool parse_at_word(const struct parse *p, const char *word);
bool parse_accept(struct parse *p, const char *word); /* and step behind it */
bool parse_at_end(const struct parse *p);
/* One word out of a table; then words up to the end of the statement. */
bool parse_one(struct parse *p, const struct parse_word *words, size_t n,
    void *ctx, uint32_t *seen);
bool parse_words(struct parse *p, const struct parse_word *words, size_t n,
    void *ctx, uint32_t *seen);

/* *value is owned by the caller, and set only on success; what was there
 * before is freed. */
bool parse_value(struct parse *p, const char *what, char **value);
bool parse_path(struct parse *p, char **path);
bool parse_file(struct parse *p, const char *what, char **path); /* file:PATH */
bool parse_domain(struct parse *p, char **domain);
bool parse_name(struct parse *p, const char *what, char **name);
bool parse_table_use(struct parse *p, char **name); /* <table> */
/* The same for a relay or a limit; secret: for its passwords. */
bool parse_outgoing_use(struct parse *p, char **name, bool secret);
/* To be found at the end, in the last place it was said. Lent. */
struct parse_use *parse_use(
    struct parse *p, enum parse_named what, const char *name);
char *parse_place_text(const struct parse_place *at); /* file:line, owned */
bool parse_number(struct parse *p, uint64_t least, uint64_t most, uint64_t *n);
bool parse_u32(struct parse *p, uint32_t least, uint32_t most, uint32_t *n);
bool parse_span(struct parse *p, uint32_t most, uint32_t *seconds);
bool parse_size(struct parse *p, uint64_t least, uint64_t *size);

bool parse_domain_ok(const char *s);
/* ", did you mean "x"?" for the nearest of n words, or "". */
void parse_nearest(char *dst, size_t size, const char *word,
    const char *(*nth)(const void *list, size_t i), const void *list, size_t n);

/* The statements, by file. */
bool parse_include(struct parse *p, void *unused);
bool parse_listen(struct parse *p, void *unused);
bool parse_table(struct parse *p, void *unused);
bool parse_rule_accept(struct parse *p, void *unused);
bool parse_rule_reject(struct parse *p, void *unused);
bool parse_rule_action(struct parse *p, void *unused);
bool parse_mta(struct parse *p, void *unused);
bool parse_limit(struct parse *p, void *unused);
bool parse_pki(struct parse *p, void *unused);
bool parse_trust_anchor(struct parse *p, void *unused);
bool parse_given(struct parse *p, void *unused);
bool parse_compression(struct parse *p, void *unused); /* of queue */
bool parse_encryption(struct parse *p, void *unused);
/* Gives actions without a name theirs; then names are resolved. */
void parse_rule_finish(struct parse *p);
void parse_resolve(struct parse *p);
void parse_pki_finish(struct parse *p);
extern const struct parse_word parse_statements[];
extern const size_t parse_statement_count;

#endif
