# Spoolkit. GNU make; `make help` lists what can be asked for.
#
#   SAN=1       build and test under ASan and UBSan, in build-san/
#   CC=clang    another compiler
#   BUILD=DIR   another place for what is built
#   V=1         show whole commands
#   WERROR=     warnings do not stop the build
#   PREFIX=     where `make install` puts things (/usr/local), with DESTDIR

SAN ?= 0
ifeq ($(SAN),1)
BUILD ?= build-san
else
BUILD ?= build
endif
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc/spoolkit
WERROR ?= -Werror
PKG_CONFIG ?= pkg-config

PKGS := libevent_core libevent_extra libevent_openssl libssl libcrypto libzstd \
	libunbound jansson libbsd-overlay
ifeq ($(MAKECMDGOALS),)
NEED_PKGS := 1
else
NEED_PKGS := $(filter-out deps users clean format help layers,$(MAKECMDGOALS))
endif
ifneq ($(NEED_PKGS),)
PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(PKGS) 2>/dev/null)
PKG_LIBS := $(shell $(PKG_CONFIG) --libs $(PKGS) 2>/dev/null)
CMOCKA_LIBS := $(shell $(PKG_CONFIG) --libs cmocka 2>/dev/null)
endif

WARN := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wpointer-arith -Wundef $(WERROR)
HARDEN := -fPIE -fstack-protector-strong -fstack-clash-protection
HARDEN_LD := -pie -Wl,-z,relro,-z,now -Wl,-z,noexecstack
ifeq ($(SAN),1)
OPT := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=undefined
LDSAN := -fsanitize=address,undefined
else
OPT := -O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
LDSAN :=
endif
ALL_CFLAGS := -std=c11 -D_GNU_SOURCE -I. $(WARN) $(OPT) $(HARDEN) \
	$(PKG_CFLAGS) -pthread $(CFLAGS)
ALL_LDFLAGS := $(HARDEN_LD) $(LDSAN) -pthread $(LDFLAGS)

# V=1 shows the whole commands.
V ?= 0
hush := $(if $(filter 1,$(V)),,@)
say := @echo

# One static library a folder; nothing is compiled twice.
LIBDIRS := lib/compat lib/base lib/mail lib/proto lib/cli queue \
	$(addprefix daemon/,proc net conf edge parent control smtp lookup dns \
	spooler scheduler mta mda)
TOOLS := smtpctl qtool
BENCHES := $(basename $(notdir $(wildcard bench/*.c)))
UNITS := $(basename $(notdir $(wildcard regress/unit/*.c)))
HELPERS := $(basename $(notdir $(wildcard regress/spool/*.c)))
FUZZERS := $(basename $(notdir $(wildcard regress/fuzz/fuzz_*.c)))

# Files of which each system has its own; the others are left out here.
SYSTEM := $(if $(filter Linux,$(shell uname)),linux,none)
HERE := daemon/proc/sandbox_$(SYSTEM).c lib/compat/writeback_$(SYSTEM).c \
	lib/compat/heap_$(if $(wildcard /usr/include/gnu/libc-version.h \
	/usr/include/*/gnu/libc-version.h),glibc,none).c
NOT_HERE := $(filter-out $(HERE),$(wildcard daemon/proc/sandbox_*.c \
	lib/compat/heap_*.c lib/compat/writeback_*.c))

objs = $(patsubst %.c,$(BUILD)/%.o,$(filter-out $(NOT_HERE),$(wildcard $(1)/*.c)))
archive = $(BUILD)/$(subst /,-,$(1)).a
ARCHIVES := $(foreach d,$(LIBDIRS),$(if $(wildcard $(d)/*.c),$(call archive,$(d))))
LIBS := $(foreach d,lib/compat lib/base lib/mail lib/proto lib/cli queue \
	daemon/conf,$(if $(wildcard $(d)/*.c),$(call archive,$(d))))
# A program is built as soon as its folder holds a source.
PROGRAMS := $(if $(wildcard daemon/main.c),$(BUILD)/smtpd) \
	$(if $(wildcard daemon/agents/*.c),$(BUILD)/smtpd-agent) \
	$(foreach t,$(TOOLS),$(if $(wildcard tools/$(t)/*.c),$(BUILD)/$(t)))
BENCH_PROGRAMS := $(addprefix $(BUILD)/bench/,$(BENCHES))
TEST_PROGRAMS := $(addprefix $(BUILD)/unit/,$(UNITS)) \
	$(addprefix $(BUILD)/spool/,$(HELPERS)) \
	$(addprefix $(BUILD)/fuzz/,$(FUZZERS)) $(BUILD)/fault/faultlib.so
TEST_PROGRAMS += $(addprefix $(BUILD)/qcrash/,qcrash libqtrace.so flags)

.PHONY: all deps users run check bench install uninstall clean format lint \
	layers unit system fuzz man help tests
.DEFAULT_GOAL := all

all: $(PROGRAMS)

help:
	@echo "all deps users run check bench install uninstall clean format lint"
	@echo "parts of check: layers unit fuzz man system"
	@echo "crashtest: every state a power cut may leave, and all mutants"
	@echo "fuzz-run looks for new inputs, FUZZ_SECONDS a target"
	@echo "fulltest fills small file systems (root: loop devices)"
	@echo "messtest makes a mess in a queue at work for SECONDS (600)"

define archive_rule
$(call archive,$(1)): $(call objs,$(1))
	@rm -f $$@
	$(hush)$(AR) rcs $$@ $$^
endef
$(foreach d,$(LIBDIRS) bench/lib regress/sim,$(eval $(call archive_rule,$(d))))

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(say) CC $<
	$(hush)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

link = $(say) LD $@ && $(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) \
	-Wl,--start-group $(filter %.a,$^) -Wl,--end-group

$(BUILD)/smtpd: $(BUILD)/daemon/main.o $(ARCHIVES)
	$(link) $(PKG_LIBS)

# Small on purpose: it is executed once per local delivery.
$(BUILD)/smtpd-agent: $(call objs,daemon/agents) $(call archive,lib/base)
	$(link) $(shell $(PKG_CONFIG) --libs libbsd-overlay)

define tool_rule
$(BUILD)/$(1): $(call objs,tools/$(1)) $(LIBS)
	$$(link) $$(PKG_LIBS)
endef
$(foreach t,$(TOOLS),$(eval $(call tool_rule,$(t))))

$(BUILD)/bench/%: $(BUILD)/bench/%.o $(call archive,bench/lib) $(ARCHIVES)
	$(link) $(PKG_LIBS)
$(BUILD)/unit/sim%: $(BUILD)/regress/unit/sim%.o $(call archive,regress/sim) \
		$(ARCHIVES)
	@mkdir -p $(@D)
	$(link) $(PKG_LIBS) $(CMOCKA_LIBS)
$(BUILD)/unit/%: $(BUILD)/regress/unit/%.o $(ARCHIVES)
	@mkdir -p $(@D)
	$(link) $(PKG_LIBS) $(CMOCKA_LIBS)
$(BUILD)/spool/%: $(BUILD)/regress/spool/%.o $(ARCHIVES)
	@mkdir -p $(@D)
	$(link) $(PKG_LIBS)
# Preloaded into a daemon under test; never with the sanitizers' flags itself.
$(BUILD)/fault/%.so: regress/fault/%.c
	@mkdir -p $(@D)
	$(say) LD $@
	$(hush)$(CC) -std=c11 -D_GNU_SOURCE $(WARN) -O1 -g -fPIC -shared \
		-o $@ $< -ldl
$(BUILD)/fuzz/%: $(BUILD)/regress/fuzz/%.o $(BUILD)/regress/fuzz/replay.o $(ARCHIVES)
	@mkdir -p $(@D)
	$(link) $(PKG_LIBS)

# The crash test: a library that records, and a program with all the rest.
QCRASH := $(filter-out regress/qcrash/libqtrace%,$(wildcard regress/qcrash/*.c))
QCRASH_OBJS := $(patsubst %.c,$(BUILD)/%.o,$(QCRASH))
QCRASH_LIBS := $(foreach d,queue lib/mail lib/base lib/compat,$(call archive,$(d)))
$(BUILD)/qcrash/libqtrace.so: $(wildcard regress/qcrash/*qtrace*)
	@mkdir -p $(@D)
	$(say) LD $@
	$(hush)$(CC) -std=c11 -D_GNU_SOURCE -I. $(WARN) -O2 -g -fPIC -shared \
		-U_FORTIFY_SOURCE -pthread -o $@ $(filter %.c,$^) -ldl
$(BUILD)/qcrash/qcrash: $(QCRASH_OBJS) $(QCRASH_LIBS)
	@mkdir -p $(@D)
	$(link) $(PKG_LIBS)
$(BUILD)/qcrash/flags: Makefile $(QCRASH_OBJS) $(BUILD)/qcrash/qcrash
	@printf '%s\n' 'CC=$(CC)' 'CFLAGS=$(filter-out -Werror,$(ALL_CFLAGS))' \
		'LDFLAGS=$(ALL_LDFLAGS)' 'OBJECTS=$(QCRASH_OBJS)' \
		'ARCHIVES=$(QCRASH_LIBS)' 'LIBS=$(PKG_LIBS)' >$@

# The long form: every state of every workload, all mutants.
.PHONY: crashtest
crashtest: all tests
	@BUILD=$(BUILD) perl -Iregress/qcrash regress/qcrash/crashtest

.SECONDARY:

tests: $(TEST_PROGRAMS) $(BENCH_PROGRAMS)

deps:
	@sh contrib/deps.sh

users:
	@sh contrib/users.sh

run: deps
	@$(MAKE) --no-print-directory all
	@BUILD=$(BUILD); export BUILD; exec sh contrib/run.sh

# A fresh make, so that what deps installed is seen by pkg-config.
check: deps
	@$(MAKE) --no-print-directory check-built

.PHONY: check-built
check-built: all tests layers unit fuzz man system

layers:
	@sh regress/layers.sh

unit: $(addprefix $(BUILD)/unit/,$(UNITS))
	@set -e; for t in $(UNITS); do echo "# unit/$$t"; $(BUILD)/unit/$$t; done

fuzz: $(addprefix $(BUILD)/fuzz/,$(FUZZERS))
	@set -e; for t in $(FUZZERS); do \
		$(BUILD)/fuzz/$$t regress/fuzz/corpus/$${t#fuzz_}/*; done

# Looks for new inputs for FUZZ_SECONDS a target; what it finds worth keeping
# goes to the corpus, what crashes to the current folder.
FUZZ_SECONDS ?= 30
.PHONY: fuzz-run fuzz-bounded
fuzz-run:
	@$(MAKE) --no-print-directory CC=clang BUILD=build-fuzz \
		OPT='-O1 -g -fsanitize=address,fuzzer-no-link' \
		LDSAN=-fsanitize=address,fuzzer fuzz-bounded

fuzz-bounded: $(addprefix $(BUILD)/fuzzer/,$(FUZZERS))
	@set -e; for t in $(FUZZERS); do echo "# $$t"; \
		dict=regress/fuzz/$${t#fuzz_}.dict; [ -f $$dict ] || dict=; \
		$(BUILD)/fuzzer/$$t $${dict:+-dict=$$dict} -max_total_time=$(FUZZ_SECONDS) \
		-max_len=65536 -verbosity=0 -print_final_stats=1 \
		regress/fuzz/corpus/$${t#fuzz_}; done

$(BUILD)/fuzzer/%: $(BUILD)/regress/fuzz/%.o $(ARCHIVES)
	@mkdir -p $(@D)
	$(link) $(PKG_LIBS)

man:
	@sh regress/manlint.sh

# Two at a time: they wait more than they work.
PROVEFLAGS ?= -j2
system: all tests
	@BUILD=$(BUILD) SAN=$(SAN) prove -Iregress/lib $(PROVEFLAGS) \
		$(sort $(wildcard regress/*/*.t))

# An administrator's mess in a queue at work, for so many seconds.
SECONDS ?= 600
.PHONY: messtest
messtest: all tests
	@BUILD=$(BUILD) SECONDS=$(SECONDS) perl -Iregress/lib \
		regress/fault/mess_long

# Small file systems, filled until there is no room at all.
.PHONY: fulltest
fulltest: all tests
	@BUILD=$(BUILD) perl -Iregress/lib regress/fault/full_long

bench: all tests
	@BUILD=$(BUILD) bench/run

install: all
	@sh contrib/users.sh
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/libexec \
		$(DESTDIR)$(PREFIX)/share/man/man5 \
		$(DESTDIR)$(PREFIX)/share/man/man7 \
		$(DESTDIR)$(PREFIX)/share/man/man8 $(DESTDIR)$(SYSCONFDIR)
	install -m 755 $(BUILD)/smtpd $(BUILD)/smtpctl $(BUILD)/qtool \
		$(DESTDIR)$(PREFIX)/sbin
	install -m 755 $(BUILD)/smtpd-agent $(DESTDIR)$(PREFIX)/libexec
	install -d $(DESTDIR)$(PREFIX)/bin
	ln -sf ../sbin/smtpctl $(DESTDIR)$(PREFIX)/bin/mailq
	install -m 644 man/*.5 $(DESTDIR)$(PREFIX)/share/man/man5
	install -m 644 man/*.7 $(DESTDIR)$(PREFIX)/share/man/man7
	install -m 644 man/*.8 $(DESTDIR)$(PREFIX)/share/man/man8
	test -e $(DESTDIR)$(SYSCONFDIR)/smtpd.conf || \
		install -m 644 contrib/smtpd.conf $(DESTDIR)$(SYSCONFDIR)

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/sbin/smtpd $(DESTDIR)$(PREFIX)/sbin/smtpctl \
		$(DESTDIR)$(PREFIX)/sbin/qtool \
		$(DESTDIR)$(PREFIX)/libexec/smtpd-agent
	test ! -L $(DESTDIR)$(PREFIX)/bin/mailq || \
		rm -f $(DESTDIR)$(PREFIX)/bin/mailq
	! cmp -s contrib/smtpd.conf $(DESTDIR)$(SYSCONFDIR)/smtpd.conf || \
		rm -f $(DESTDIR)$(SYSCONFDIR)/smtpd.conf
	rmdir $(DESTDIR)$(SYSCONFDIR) 2>/dev/null || true
	cd man && for m in *.5; do \
		rm -f $(DESTDIR)$(PREFIX)/share/man/man5/$$m; done
	cd man && for m in *.7; do \
		rm -f $(DESTDIR)$(PREFIX)/share/man/man7/$$m; done
	cd man && for m in *.8; do \
		rm -f $(DESTDIR)$(PREFIX)/share/man/man8/$$m; done

clean:
	rm -rf build build-san

format:
	clang-format -i $$(git ls-files '*.c' '*.h')

lint:
	clang-format --dry-run --Werror $$(git ls-files '*.c' '*.h')
	cppcheck --quiet --error-exitcode=1 --inline-suppr -I. \
		--suppress=missingIncludeSystem lib queue daemon tools

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
