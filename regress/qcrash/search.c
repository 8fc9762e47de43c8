#include "regress/qcrash/search.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/base/mono.h"
#include "regress/qcrash/image.h"
#include "regress/qcrash/recover.h"
#include "regress/qcrash/table.h"

#define PENDING 8192
#define LOG_ROOM (8u * 1024 * 1024)
#define LOOK 8 /* so many choices for one new state */

/* What is checked, and what is known of it. */
struct state {
	struct search *s;
	struct disk *disk; /* the workload's, or that of one recovery */
	struct legal *legal;
	uint32_t *pending;
	size_t n;
	uint32_t at; /* the event after which the power goes */
	uint32_t moment; /* for the duties */
	enum model model;
	unsigned round;
	uint64_t limit, done;
	double planned; /* to be done after this moment */
	bool inside; /* a recovery */
	struct table seen[MODELS], judged, all;
	struct table outcomes; /* by hash, shortened */
	struct table traces;
	struct outcome *a, *b;
	struct qtrace_log *log;
	char spool[512];
	uint64_t wrong;
};

static void *
shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED) {
		perror("qcrash: mmap");
		exit(3);
	}
	return p;
}

static void
broken(const char *what)
{
	printf("qcrash: %s: %s\n", what, strerror(errno));
	fflush(stdout);
	exit(3);
}

static bool
enough(const struct search *s)
{
	return *s->halt || (s->until != 0 && mono_ms() > s->until);
}

static void
print_choice(FILE *out, const struct state *t, const uint8_t *chosen)
{
	static const char *const kinds[] = { "data", "size", "add", "del" };
	const struct micro *m;
	size_t i;

	for (i = 0; i < t->n; i++) {
		m = disk_micro(t->disk, t->pending[i]);
		fprintf(out, "%c %u %s %s", chosen[i] ? '+' : '-', m->op,
		    kinds[m->kind], disk_event(t->disk, m->op)->name);
		if (m->kind == MICRO_DATA)
			fprintf(out, " sector %u", m->sector);
		else if (m->kind == MICRO_SIZE)
			fprintf(out, " %llu", (unsigned long long)m->size);
		else
			fprintf(out, " %s", disk_name(t->disk, m->name));
		fputc('\n', out);
	}
}

static void
save(const struct state *t, const uint8_t *chosen, bool garbage,
    const char *how, const char *why)
{
	const struct search *s = t->s;
	char path[600];
	FILE *out;

	if (s->save == NULL)
		return;
	snprintf(path, sizeof(path), "%s/%s-%u-%llu", s->save, s->workload,
	    s->worker, (unsigned long long)t->wrong);
	(void)mkdir(s->save, 0700);
	(void)mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/%s-%u-%llu/spool", s->save,
	    s->workload, s->worker, (unsigned long long)t->wrong);
	if (disk_make(t->disk, path, garbage) == -1)
		broken(path);
	snprintf(path, sizeof(path), "%s/%s-%u-%llu/why", s->save, s->workload,
	    s->worker, (unsigned long long)t->wrong);
	if ((out = fopen(path, "w")) == NULL)
		broken(path);
	fprintf(out,
	    "workload: %s\nmoment: %u\nmodel: %s\nchoice: %s%s\n"
	    "wrong: %s\n\n",
	    s->workload, t->moment, legal_models[t->model], how,
	    t->inside ? ", inside recovery" : "", why);
	print_choice(out, t, chosen);
	fclose(out);
	snprintf(path, sizeof(path), "%s/%s-%u-%llu", s->save, s->workload,
	    s->worker, (unsigned long long)t->wrong);
	printf("kept: qcrash replay %s\n", path);
}

static void
violation(struct state *t, const uint8_t *chosen, bool garbage, const char *how,
    const char *why)
{
	const struct event *e = disk_event(t->disk, t->at);

	t->s->counts->wrong[t->model]++;
	if (t->wrong++ > 2)
		return;
	printf("VIOLATION workload=%s model=%s moment=%u after=%s %s%s "
	       "choice=\"%s\": %s\n",
	    t->s->workload, legal_models[t->model], t->at, e->r->libc, e->name,
	    t->inside ? " (inside recovery)" : "", how, why);
	save(t, chosen, garbage, how, why);
	fflush(stdout);
}

static struct outcome *
shorten(const struct outcome *o)
{
	size_t size =
	    offsetof(struct outcome, found) + o->n * sizeof(o->found[0]);
	struct outcome *kept = mem_zalloc(size);

	memcpy(kept, o, size);
	return kept;
}

/* What a recovery did, without order, ids and numbers. */
static uint64_t
trace_of(const struct qtrace_log *log)
{
	struct table kinds = { 0 };
	const struct qtrace_record *r;
	uint64_t at, h, sum = 0;
	const char *p;

	for (at = 0; at < log->used; at += r->size) {
		r = (const void *)(log->records + at);
		h = r->call * 31u + (r->error != 0);
		for (p = r->name > 0 ? (const char *)(r + 1) : ""; *p; p++)
			h = hash_mix(h,
			    (*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'f')
				? '#'
				: (unsigned char)*p);
		/* Once, or more often. */
		if (table_add(&kinds, h, NULL) ||
		    table_add(&kinds, h ^ 1, NULL))
			sum += h;
	}
	table_clear(&kinds);
	return sum;
}

static void crash_inside(struct state *t);

/* Recovers what is chosen; what came of it is in t->a. */
static void
check(struct state *t, bool garbage)
{
	struct recovery r = { .options = t->s->options,
		.duty = t->s->duty,
		.log = t->inside ? NULL : t->log };
	const char *why;

	if (disk_wipe(t->spool) == -1 ||
	    disk_make(t->disk, t->spool, garbage) == -1)
		broken(t->spool);
	recover(&r, t->spool, t->a);
	why = t->a->complaint[0] != '\0' ? NULL : recover_tree(t->spool, t->a);
	if (why == NULL && t->a->complaint[0] == '\0' && !t->inside) {
		r.log = NULL;
		recover(&r, t->spool, t->b);
		why = recover_same(t->a, t->b);
	}
	if (why != NULL)
		snprintf(t->a->complaint, sizeof(t->a->complaint), "%s", why);
	t->s->counts->anomalies += t->a->anomalies;
}

static bool
on_choice(void *ctx, const uint8_t *chosen, bool garbage, const char *how)
{
	struct state *t = ctx;
	struct search *s = t->s;
	uint64_t h = disk_choose(t->disk, t->pending, t->n, chosen, garbage);
	unsigned again = 0;
	struct outcome *o;
	const char *why;
	bool fresh;

	if (!t->inside && h / 128 % s->workers != s->worker) {
		disk_undo(t->disk);
		return true;
	}
	if (!t->inside) {
		s->counts->choices[t->model]++;
		s->counts->unlike += table_add(&t->all, h, NULL);
	}
	o = table_get(&t->outcomes, h);
	if (o == NULL &&
	    (t->done >= t->limit || (double)t->done >= t->planned + 1)) {
		disk_undo(t->disk);
		return !enough(s);
	}
	fresh = o == NULL;
	if (fresh) {
		check(t, garbage);
		o = shorten(t->a);
		(void)table_add(&t->outcomes, h, o);
		t->done++;
		if (t->inside)
			s->counts->inner++;
		else
			s->counts->states++;
	}
	if (table_add(&t->seen[t->model], h, NULL) && !t->inside)
		s->counts->distinct[t->model]++;
	if (table_add(&t->judged,
		hash_mix(h, duty_count(s->duty, t->moment)) + t->model, NULL)) {
		s->counts->judged++;
		why = duty_judge(s->duty, t->moment, o, &again);
		if (why != NULL)
			violation(t, chosen, garbage, how, why);
		s->counts->again += again;
		if (again > s->counts->again_most)
			s->counts->again_most = again;
	}
	if (fresh && !t->inside && s->inner > 0 && o->complaint[0] == '\0' &&
	    (s->traces == 0 || s->counts->traces < s->traces) &&
	    table_add(&t->traces, trace_of(t->log), NULL)) {
		s->counts->traces++;
		if (disk_wipe(t->spool) == -1 ||
		    disk_make(t->disk, t->spool, garbage) == -1)
			broken(t->spool);
		crash_inside(t);
	}
	disk_undo(t->disk);
	return !enough(s) && t->wrong < s->patience;
}

static void
all_models(struct state *t)
{
	double wanted = (t->planned - (double)t->done) * LOOK / MODELS + 0.5;
	unsigned i;

	/* Each worker throws away what is another's. */
	if (!t->inside)
		wanted *= t->s->workers;
	if (wanted <= 0)
		return;

	for (i = 0; i < MODELS; i++) {
		/* Not always the same one first. */
		t->model = (enum model)((i + t->at + t->round) % MODELS);
		legal_each(t->legal, t->model, t->round, t->at, t->pending,
		    t->n, wanted, on_choice, t);
	}
}

static void
go_through(struct state *t, unsigned rounds)
{
	static const unsigned share[LEGAL_ROUNDS] = { 40, 65, 80, 90, 95, 100 };
	uint32_t at, events = disk_events(t->disk);
	const struct event *e;
	double before, rest;
	bool over;

	for (t->round = 0; t->round < rounds; t->round++) {
		before = (double)t->done;
		rest = (double)(t->limit * share[t->round]) / 100 - before;
		if (rest <= 0)
			continue;
		disk_rewind(t->disk);
		for (at = 0; at < events; at++) {
			e = disk_event(t->disk, at);
			if (at + 1 < events && e->count == 0 &&
			    e->r->call != QTRACE_MARK &&
			    e->r->call != QTRACE_SYNCED)
				continue;
			t->at = at;
			if (!t->inside)
				t->moment = at + 1;
			t->n =
			    disk_stand(t->disk, at, t->pending, PENDING, &over);
			if (over)
				broken("more is pending than can be told");
			t->planned = before + rest * (at + 1) / events;
			if (t->round == 0 && !t->inside)
				t->s->counts->moments++;
			all_models(t);
			if (enough(t->s) || t->wrong >= t->s->patience)
				return;
		}
	}
}

/* The log of the last recovery, and the state it began with in t->spool. */
static void
crash_inside(struct state *t)
{
	struct state in = { .s = t->s, .inside = true, .limit = t->s->inner };
	struct qtrace_log *log =
	    mem_zalloc(sizeof(*log) + (size_t)t->log->used);
	const char *why;
	int i;

	memcpy(log, t->log, sizeof(*log) + (size_t)t->log->used);
	in.moment = t->moment;
	in.disk = disk_new();
	in.pending = mem_zarray(PENDING, sizeof(*in.pending));
	in.a = t->a;
	in.b = t->b;
	in.outcomes.valued = true;
	snprintf(in.spool, sizeof(in.spool), "%.500s.in", t->spool);
	if (disk_base(in.disk, t->spool) == -1)
		broken(t->spool);
	if ((why = disk_record(in.disk, log)) != NULL)
		broken(why);
	in.legal = legal_new(in.disk, t->s->seed);
	go_through(&in, 2);
	t->wrong += in.wrong;
	for (i = 0; i < MODELS; i++)
		table_clear(&in.seen[i]);
	table_clear(&in.judged);
	table_clear(&in.outcomes);
	legal_free(in.legal);
	disk_free(in.disk);
	free(in.pending);
	free(log);
}

void
search_run(struct search *s)
{
	struct state t = { .s = s, .disk = s->disk, .limit = s->limit };
	int i;

	t.pending = mem_zarray(PENDING, sizeof(*t.pending));
	t.a = shared(sizeof(*t.a));
	t.b = shared(sizeof(*t.b));
	t.log = shared(sizeof(*t.log) + LOG_ROOM);
	t.log->room = LOG_ROOM;
	t.outcomes.valued = true;
	t.legal = legal_new(s->disk, s->seed);
	snprintf(t.spool, sizeof(t.spool), "%.400s/%u", s->dir, s->worker);
	go_through(&t, LEGAL_ROUNDS);
	legal_free(t.legal);
	for (i = 0; i < MODELS; i++)
		table_clear(&t.seen[i]);
	table_clear(&t.judged);
	table_clear(&t.all);
	table_clear(&t.traces);
	table_clear(&t.outcomes);
	free(t.pending);
}
