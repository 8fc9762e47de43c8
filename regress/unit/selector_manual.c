/* man/selector.7 against the library: its examples are read, and each field
 * and each word has its place in it. Run from the root of the tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/mail/selector_tree.h"

#define MANUAL "man/selector.7"
#define MANUAL_MAX 65536
#define NOW INT64_C(1795353669)

static char *
manual(void)
{
	char *text = calloc(1, MANUAL_MAX);
	FILE *f = fopen(MANUAL, "r");

	assert_non_null(text);
	assert_non_null(f);
	assert_true(fread(text, 1, MANUAL_MAX - 1, f) > 0);
	fclose(f);
	return text;
}

/* A line of the page as a reader sees it. */
static void
rendered(char *dst, const char *line, size_t len)
{
	static const struct {
		const char *from;
		char to;
	} escapes[] = { { "\\(ti", '~' }, { "\\(dq", '"' }, { "\\e", '\\' } };
	size_t i, k;

	for (i = 0; i < len;) {
		for (k = 0; k < 3; k++)
			if (strncmp(line + i, escapes[k].from,
				strlen(escapes[k].from)) == 0)
				break;
		*dst++ = k < 3 ? escapes[k].to : line[i];
		i += k < 3 ? strlen(escapes[k].from) : 1;
	}
	*dst = '\0';
}

static void
test_examples(void **state)
{
	char *text = manual(), *line, *end, shown[256];
	struct selector_error e;
	struct selector *s;
	bool literal = false;
	unsigned n = 0;

	(void)state;
	for (line = text; *line != '\0'; line = end + 1) {
		end = strchr(line, '\n');
		assert_non_null(end);
		assert_true((size_t)(end - line) < sizeof(shown));
		if (*line == '.') {
			literal = strncmp(line, ".Bd -literal", 12) == 0;
			continue;
		}
		if (!literal)
			continue;
		rendered(shown, line, (size_t)(end - line));
		s = selector_parse(shown, NOW, &e);
		if (s == NULL)
			fail_msg("%s: %s", shown, e.text);
		selector_free(s);
		n++;
	}
	assert_true(n > 10);
	free(text);
}

/* " name" and what is no letter of a name, in a line of that macro. */
static bool
stands(const char *text, const char *macro, const char *name)
{
	size_t len = strlen(name);
	const char *line, *at, *end;

	for (line = text; *line != '\0'; line = end + 1) {
		end = strchr(line, '\n');
		assert_non_null(end);
		if (macro != NULL && strncmp(line, macro, strlen(macro)) != 0)
			continue;
		for (at = line; (at = strstr(at, name)) != NULL && at < end;
		     at++)
			if (at > line && strchr(" (", at[-1]) != NULL &&
			    strchr(" ,\n", at[len]) != NULL)
				return true;
	}
	return false;
}

static void
test_fields(void **state)
{
	const char *const *w;
	char *text = manual();
	unsigned f;

	(void)state;
	for (f = 0; f < SELECT_FIELDS; f++) {
		const struct field *row = &selector_fields[f];
		const char *name = f == SELECT_HDR ? "hdr." : row->name;

		if (!stands(text, ".It Cm", name))
			fail_msg("%s has no place in %s", name, MANUAL);
		for (w = row->words; w != NULL && *w != NULL; w++)
			if (!stands(text, ".Li", *w))
				fail_msg(
				    "%s of %s is not in %s", *w, name, MANUAL);
	}
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
