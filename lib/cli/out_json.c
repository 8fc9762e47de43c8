#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "lib/base/mem.h"
#include "lib/base/text.h"
#include "lib/cli/exitcode.h"
#include "lib/cli/out_writer.h"

#define SCHEMA 1

static void
print(struct out_shared *s, json_t *object)
{
	json_dumpf(object, s->o.to, JSON_COMPACT | JSON_REAL_PRECISION(14));
	putc('\n', s->o.to);
	json_decref(object);
}

static char *
base64(const char *text)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *p = (const unsigned char *)text;
	size_t left = strlen(text), i = 0;
	char *out = mem_zalloc((left + 2) / 3 * 4 + 1);
	uint32_t v;

	for (; left > 0; p += 3) {
		v = (uint32_t)p[0] << 16;
		v |= left > 1 ? (uint32_t)p[1] << 8 : 0;
		v |= left > 2 ? p[2] : 0;
		out[i++] = digits[v >> 18];
		out[i++] = digits[v >> 12 & 63];
		out[i++] = left > 1 ? digits[v >> 6 & 63] : '=';
		out[i++] = left > 2 ? digits[v & 63] : '=';
		left = left > 3 ? left - 3 : 0;
	}
	return out;
}

/* Bytes that are no UTF-8 get a sibling in base64, and are never replaced
 * silently. */
static void
set_text(json_t *object, const char *name, const char *text)
{
	json_t *v = json_string(text);
	char *other, *clean;
	size_t size;

	if (v != NULL) {
		json_object_set_new(object, name, v);
		return;
	}
	size = strlen(text) * 4 + 1;
	clean = mem_zalloc(size);
	json_object_set_new(
	    object, name, json_string(text_printable(clean, size, text)));
	free(clean);
	other = mem_printf("%s_b64", name);
	clean = base64(text);
	json_object_set_new(object, other, json_string(clean));
	free(clean);
	free(other);
}

/* "421 4.7.0 mx1.example.org rcpt: text" in its parts. */
static void
set_error(json_t *object, const char *text)
{
	json_t *error;
	char enhanced[16];
	const char *at = text;
	size_t len;

	if (*text == '\0')
		return;
	error = json_object();
	if (isdigit((unsigned char)at[0]) && isdigit((unsigned char)at[1]) &&
	    isdigit((unsigned char)at[2]) && at[3] == ' ') {
		json_object_set_new(error, "code", json_integer(atoi(at)));
		json_object_set_new(error, "class", json_integer(at[0] - '0'));
		at += 4;
	}
	len = strspn(at, "0123456789.");
	if (len >= 5 && len < sizeof(enhanced) && at[1] == '.') {
		memcpy(enhanced, at, len);
		enhanced[len] = '\0';
		json_object_set_new(error, "enhanced", json_string(enhanced));
	}
	set_text(error, "text", text);
	json_object_set_new(object, "error", error);
}

static void
set_time(struct out_shared *s, json_t *object, const char *name, int64_t when)
{
	char text[TEXT_TIME_MAX];

	if (when <= 0)
		return;
	json_object_set_new(
	    object, row_time_name(name), json_string(text_time(text, when)));
	if (strcmp(name, "next_try") == 0)
		json_object_set_new(object, "next_try_s",
		    json_integer(when > s->o.now ? when - s->o.now : 0));
}

static void
set_field(struct out_shared *s, json_t *object, const struct record_field *f)
{
	bool is_time = row_time_name(f->name) != NULL;

	switch (f->kind) {
	case RECORD_STR:
		if (strcmp(f->name, "error") == 0)
			set_error(object, f->str);
		else
			set_text(object, f->name, f->str);
		break;
	case RECORD_U64:
		json_object_set_new(
		    object, f->name, json_integer((json_int_t)f->u64));
		if (is_time)
			set_time(s, object, f->name, (int64_t)f->u64);
		break;
	case RECORD_I64:
		json_object_set_new(object, f->name, json_integer(f->i64));
		if (is_time)
			set_time(s, object, f->name, f->i64);
		break;
	case RECORD_BOOL:
		json_object_set_new(object, f->name, json_boolean(f->flag));
		break;
	}
}

static json_t *
object_of(const char *type)
{
	json_t *object = json_object();

	json_object_set_new(object, "type", json_string(type));
	return object;
}

static void
json_begin(struct out_shared *s)
{
	json_t *object = object_of("header");

	json_object_set_new(object, "v", json_integer(SCHEMA));
	set_text(object, "host", s->o.host);
	set_text(object, "cmd", s->o.command);
	if (s->o.selector != NULL)
		set_text(object, "selector", s->o.selector);
	print(s, object);
}

/* A role's own field "type" (mta, mda, bounce) would hide the record's: the
 * first member says what the object is, the other is called kind. */
static void
json_row(struct out_shared *s, const struct row *r)
{
	json_t *object = json_object();
	struct record_field f;
	size_t i;

	set_text(object, "type", r->type);
	for (i = 0; i < r->n; i++) {
		f = r->fields[i];
		if (strcmp(f.name, "type") == 0)
			f.name = "kind";
		set_field(s, object, &f);
	}
	print(s, object);
}

static void
json_line(
    struct out_shared *s, const char *sub, uint64_t when_ms, const char *text)
{
	json_t *object = object_of("trace");

	json_object_set_new(object, "ts", json_real((double)when_ms / 1000.0));
	json_object_set_new(object, "host", json_string(s->o.host));
	json_object_set_new(object, "sub", json_string(sub));
	set_text(object, "text", text);
	print(s, object);
}

static void
json_end(struct out_shared *s, const struct out_end *e)
{
	json_t *object;

	if (e->status >= EXIT_REFUSED) {
		object = object_of("error");
		json_object_set_new(object, "code", json_integer(e->status));
		json_object_set_new(object, "name",
		    json_string(exitcode_name((enum exitcode)e->status)));
		set_text(object, "text", e->text);
		print(s, object);
	}
	object = object_of("end");
	json_object_set_new(object, "n", json_integer((json_int_t)s->n));
	json_object_set_new(object, "matched",
	    json_integer((json_int_t)(e->done > 0 ? e->done : s->n)));
	json_object_set_new(
	    object, "skipped", json_integer((json_int_t)e->skipped));
	json_object_set_new(
	    object, "partial", json_boolean(e->status != EXIT_DONE));
	if (e->status < EXIT_REFUSED && e->text[0] != '\0')
		set_text(object, "text", e->text);
	print(s, object);
}

const struct out_writer out_json = { json_begin, json_row, json_line,
	json_end };
