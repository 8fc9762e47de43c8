/*
 * selector_tree - a parsed selector, as the files of selector see it
 *
 * Conjunctions and disjunctions have any number of children and never one of
 * their own kind; a double negation is none. Texts are folded, and lists
 * sorted, when they are checked, so that matching only compares.
 */
#ifndef LIB_MAIL_SELECTOR_TREE_H
#define LIB_MAIL_SELECTOR_TREE_H

#include <regex.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/mail/failure.h"
#include "lib/mail/selector.h"

enum kind {
	KIND_ID,
	KIND_MSGID,
	KIND_WORD, /* one of a list */
	KIND_FLAG,
	KIND_TEXT,
	KIND_DOMAIN, /* case does not count */
	KIND_ADDRESS, /* case does not count behind the last @ */
	KIND_NUMBER,
	KIND_SIZE,
	KIND_SPAN,
	KIND_TIME,
	KIND_NET,
	KINDS
};

#define FIELD_OPTIONAL 1u /* alone it asks whether there is one */
#define FIELD_ARRIVAL 2u /* never changes after arrival */
#define FIELD_MESSAGE 4u /* the message is opened */
#define FIELD_SIBLINGS 8u

struct field {
	const char *name;
	enum kind kind;
	unsigned flags;
	enum selector_field base; /* what it is derived from, or itself */
	const char *const *words; /* of KIND_WORD, NULL behind the last */
};

extern const struct field selector_fields[SELECT_FIELDS];

/* The index in words, -1: none. */
int selector_word(const char *const *words, const char *text);
/* Add to text ", did you mean X?" or a hint, when something is near. */
void selector_near_field(char *text, size_t size, const char *typed);
void selector_near_word(
    char *text, size_t size, const char *const *words, const char *typed);

enum op {
	OP_HAS, /* the field alone */
	OP_EQ, /* and in */
	OP_NE,
	OP_LT,
	OP_LE,
	OP_GT,
	OP_GE,
	OP_LIKE,
	OP_UNLIKE,
	OPS
};

/* As it was read, before the field's kind says what it means. */
enum form {
	FORM_WORD,
	FORM_QUOTED,
	FORM_ERE
};

struct raw {
	enum form form;
	size_t column;
	char *text; /* owned, escapes resolved */
	bool fold; /* an ERE with i */
};

/* One value, by the kind of its test. */
struct item {
	int64_t lo, hi; /* numbers, times, ids: both ends count */
	char *text; /* texts; the source of an ERE */
	size_t len;
	regex_t *re; /* NULL: exact, or a glob */
	bool fold;
	uint8_t net[16]; /* an IPv4 address as its mapped IPv6 one */
	unsigned bits;
	size_t column;
};

struct test {
	enum selector_field field;
	char *header; /* of SELECT_HDR */
	enum op op;
	struct item *items;
	size_t n;
	uint32_t words; /* of KIND_WORD: bit n for word n */
};

enum node_kind {
	NODE_ALL,
	NODE_TEST,
	NODE_NOT,
	NODE_AND,
	NODE_OR,
	NODE_ANY, /* quantifiers over the message's envelopes */
	NODE_EVERY,
	NODE_NONE
};

struct node {
	enum node_kind kind;
	struct node *child, *last; /* first and last */
	struct node *next;
	struct test *test;
	/* Counted without locks: several threads may lose some. */
	_Atomic uint64_t asked, held;
};

struct selector {
	struct node *root;
	int64_t now;
	bool uses[SELECT_FIELDS];
	bool message, siblings, arrival;
	uint64_t *ids;
	size_t nids;
};

/* The state of one parse. */
struct parser {
	const char *text;
	size_t at, len;
	int64_t now;
	unsigned depth, tests, eres;
	bool quantified;
	struct selector_error *e; /* of the caller */
};

/* Notes what is wrong; returns -1. */
int selector_fail(struct parser *p, size_t column, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* selector_lex.c: what stands at the place */
void lex_blanks(struct parser *p);
bool lex_char(struct parser *p, char c); /* eats it when it is next */
bool lex_pair(struct parser *p, char c); /* "&&" */
bool lex_ends(const struct parser *p); /* an expression cannot go on */
/* A name of letters, digits, dots, hyphens; "" when there is none. */
size_t lex_name(const struct parser *p);
/* -1: an error; else an enum op, OP_HAS when there is no operator. */
int lex_op(struct parser *p, enum kind kind);
int lex_value(struct parser *p, enum op op, struct raw *r);
int lex_quoted(struct parser *p, char **text);
/* At most 40 octets of it, for a sentence. */
#define LEX_SHOWN 168
const char *lex_show(char dst[LEX_SHOWN], const char *text, size_t len);

/* selector_check.c: takes r->text; appends to the test's items. */
int check_op(struct parser *p, const struct test *t, size_t column);
int check_value(struct parser *p, struct test *t, struct raw *r);
void check_list(struct test *t); /* after the last value */

/* selector_value.c: -1 with an error */
int value_number(struct parser *p, const struct raw *r, struct item *i);
int value_size(struct parser *p, const struct raw *r, struct item *i);
int value_span(struct parser *p, const struct raw *r, struct item *i);
int value_time(struct parser *p, const struct raw *r, struct item *i);
int value_net(struct parser *p, const struct raw *r, struct item *i);
/* "192.0.2.1" or an IPv6 address into 16 octets. */
bool value_address(const char *text, uint8_t octets[16]);

/* selector_ere.c */
int ere_compile(
    struct parser *p, const struct raw *r, bool fold, struct item *i);

/* selector_compare.c: how texts compare; from octet fold on without case. */
size_t compare_fold_from(enum kind kind, const char *text, size_t len);
int compare_order(
    const char *text, size_t len, size_t fold, const struct item *i);
bool compare_glob(
    const char *pattern, const char *text, size_t len, size_t fold);

/* selector_narrow.c: fills s->ids. */
void selector_narrow(struct selector *s);

/* selector_derive.c */
struct slice {
	const char *text; /* NULL: a number */
	size_t len;
	int64_t number;
};

struct asking {
	const struct selector *s;
	const struct selector_subject *whole; /* outside of quantifiers */
	bool counted;
	int64_t siblings;
	char state[32]; /* of all siblings */
	char room[FAILURE_MX_MAX]; /* of what is derived */
};

bool derive_value(struct asking *k, const struct selector_subject *subject,
    const struct test *t, struct slice *v);

#endif
