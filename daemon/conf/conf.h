/*
 * conf - the configuration as the roles see it (smtpd.conf.5)
 *
 * The parent reads the file, checks it, and prints each role its slice in the
 * same language; the role parses that again. There is one parser and one
 * printer, and parsing what was printed yields the same configuration.
 */
#ifndef DAEMON_CONF_CONF_H
#define DAEMON_CONF_CONF_H

#include <sys/socket.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/conf/role.h"
#include "lib/base/buf.h"

#define CONF_TEXT_MAX (16u << 20) /* a slice, inline tables included */

struct conf_listener {
	char *where; /* as written: address or interface name */
	struct sockaddr_storage addr; /* resolved, with its port */
	socklen_t addrlen;
	uint16_t port;
	char *hostname; /* NULL: conf.hostname */
	char *tag; /* shown in envelopes: lo:2525 */
	unsigned line;
};

struct conf_table {
	char *name;
	char *path; /* file:PATH; NULL: inline */
	char **keys, **values; /* inline; values NULL or "" for a plain list */
	size_t n;
	bool given; /* they were read from a file, here or by the parent */
	bool outgoing; /* a relay or a limit has use of it */
	bool secret; /* holds passwords: the mta alone sees what is in it */
	char *place; /* file:line */
	unsigned line;
};

struct conf_pair {
	char *key, *value; /* value "": none */
};

/* A table as the mta sees it: its contents, read by the parent. */
struct conf_list {
	char *table; /* its name; NULL: one value, given in place */
	struct conf_pair *pairs;
	size_t n;
};

enum conf_transport {
	CONF_SMTP,
	CONF_SMTPS, /* TLS from the first octet */
	CONF_LMTP
};

enum conf_tls {
	CONF_TLS_TRY, /* STARTTLS when it is offered, in clear when it fails */
	CONF_TLS_NONE, /* no-tls */
	CONF_TLS_MUST, /* tls: never in clear; a URL may ask for it too */
	CONF_TLS_VERIFY /* and the certificate is verified */
};

struct conf_url { /* of relay via: smtp+tls+auth://label@host:port */
	enum conf_transport transport;
	bool tls; /* smtp+tls and tls: STARTTLS is a must */
	char *label; /* +auth: the key of its credentials; NULL: none */
	char *host; /* name or [address]; NULL: path */
	uint16_t port;
	char *path; /* of a unix socket: lmtp:///PATH */
};

/* How an action of kind CONF_RELAY relays. */
struct conf_relay {
	struct conf_url *urls; /* via; equal alternatives; none: by MX */
	size_t nurls; /* of a table: filled in the mta's slice alone */
	char *via; /* the table they come from; NULL: one is given */
	struct conf_list source; /* keys: addresses we connect from; n 0: the
				  * system chooses */
	struct conf_list helo; /* keys: our addresses, values: names; in place:
				* one pair with the key "" */
	struct conf_list auth; /* keys: labels, values: user:password */
	char *as; /* user@domain, user or @domain; NULL */
	bool backup; /* only to MX that are better than we are, */
	char *backup_name; /* who stand there as; NULL: the host's name */
	enum conf_tls tls;
	char *protocols, *ciphers; /* OpenSSL's words; NULL: the defaults */
	char *pki; /* whose certificate is shown; NULL: that of the name said
		    * at EHLO, when there is one */
	char *ca; /* file of those trusted; NULL: the system's */
	char *ca_pem; /* its contents, in the mta's slice */
};

struct conf_pki {
	char *name; /* of the host it stands for */
	char *certificate, *key; /* files */
	char *certificate_pem, *key_pem; /* contents, in the mta's slice */
	char *place; /* file:line */
};

/* limit mta [for domain D|<t>] KEY VALUE; the last that fits decides. */
enum conf_limit_key {
	CONF_LIMIT_HOST, /* max-connections-per-host: 10 */
	CONF_LIMIT_ROUTE, /* max-connections-per-route: 5 */
	CONF_LIMIT_SOURCE, /* max-connections-per-source: 100 */
	CONF_LIMIT_RELAY, /* max-connections-per-relay: 100 */
	CONF_LIMIT_DOMAIN, /* max-connections-per-domain: 100 */
	CONF_LIMIT_MESSAGES, /* messages-per-connection: 100 */
	CONF_LIMIT_RECIPIENTS, /* recipients-per-transaction: 100 */
	CONF_LIMIT_REJECTS, /* rejects-in-a-row: 25 */
	CONF_LIMIT_FRUITLESS, /* transactions-without-recipient: 10 */
	CONF_LIMIT_ROUTE_DELAY, /* route-delay: 5 s, between connections */
	CONF_LIMIT_DISCONNECT_DELAY, /* disconnect-delay: 3 s */
	CONF_LIMIT_RELAY_DELAY, /* relay-delay: 2 s */
	CONF_LIMIT_KEEPALIVE, /* keep-alive: 10 s */
	CONF_LIMIT_PENALTY, /* penalty: 30 s, times the square of p */
	CONF_LIMIT_PENALTY_MAX, /* penalty-max: 1 h */
	CONF_LIMIT_ASIDE, /* put-aside: 400 s */
	CONF_LIMITS
};

struct conf_limit {
	char *domain; /* "*.d" for those below; NULL: all */
	struct conf_list domains; /* of a table; n 0 unless in a slice */
	enum conf_limit_key key;
	uint32_t value; /* connections and the like, or seconds */
	char *place; /* file:line */
};

enum conf_action_kind {
	CONF_RELAY,
	CONF_MAILDIR,
	CONF_MBOX
};

struct conf_action {
	char *name; /* what envelopes carry: relay-1, maildir-1, or given */
	enum conf_action_kind kind;
	char *path; /* maildir: with %{user} %{domain} %{tag} ~ */
	char *owner; /* runs the agent; NULL: the destination user */
	struct conf_relay relay;
	uint32_t ttl; /* seconds; 0: the queue's */
	char *place; /* file:line */
};

enum conf_from {
	CONF_FROM_LOCAL,
	CONF_FROM_ANY,
	CONF_FROM_TABLE,
	CONF_FROM_CIDR
};
enum conf_for {
	CONF_FOR_ANY,
	CONF_FOR_LOCAL,
	CONF_FOR_DOMAIN,
	CONF_FOR_TABLE
};
enum conf_users {
	CONF_USERS_SYSTEM,
	CONF_USERS_ANY,
	CONF_USERS_TABLE
};

struct conf_rule {
	bool accept;
	bool from_not, for_not, sender_not;
	enum conf_from from;
	char *from_what; /* table name or CIDR */
	char *sender; /* address, @domain or <table>; NULL: any */
	enum conf_for dest;
	char *dest_what; /* domain (may start with "*.") or table name */
	char *aliases; /* table name or NULL */
	enum conf_users users; /* which local parts exist */
	char *users_table;
	unsigned action; /* index into conf.actions, when accept */
	unsigned line;
};

struct conf {
	char *hostname;
	char *spool, *control; /* paths, absolute after parsing */
	char *control_group; /* may view; NULL: nobody but the owner, root */
	struct conf_listener *listeners;
	size_t nlisteners;
	struct conf_table *tables;
	size_t ntables;
	struct conf_action *actions;
	size_t nactions;
	struct conf_rule *rules;
	size_t nrules;

	uint32_t ttl, bounce_ttl; /* seconds: 4 d, 7 d */
	uint32_t retry_relay, retry_local; /* seconds: 400, 10 */
	uint64_t max_message_size; /* octets: 35 MiB */
	uint64_t journal_size; /* 0: chosen by queue/ */
	bool settle_now, sync_files;
	int compression; /* level of zstd, 1 to 19; 0: none */
	bool seal; /* new mail is sealed */
	bool keyed; /* there is a key ring, for sealing or only for reading */
	char *keys_path, *passphrase_path; /* the parent's only; NULL: none */
	char *keys_place; /* file:line of the statement; not in a slice */
	unsigned reserve_percent; /* free blocks and inodes kept: 5 */
	uint32_t max_inflight_relay, max_inflight_local; /* 2000, 100 */
	unsigned max_recipients; /* per transaction: 1000 */
	unsigned max_sessions, max_sessions_per_client; /* 2000, 200 */
	uint32_t idle_timeout; /* seconds: 300 */
	struct conf_limit *limits;
	size_t nlimits;
	struct conf_pki *pkis;
	size_t npkis;
	char *trust_anchor; /* file of DS or DNSKEY records; NULL: none */
	char *trust_anchor_text; /* its contents, in the dns role's slice */
	char *trust_anchor_place;
	struct sockaddr_storage *resolvers; /* none: the system's */
	size_t nresolvers;

	/* From the command line, carried to the roles. */
	bool foreground, verbose, privileged;
	bool paused_mta, paused_mda, paused_smtp;
};

/* Both return NULL after having reported every error, each as
 * file:line: text, through report(arg, line). */
struct conf *conf_load(
    const char *path, void (*report)(void *, const char *), void *arg);
struct conf *conf_parse(const char *name, const char *text, size_t len,
    void (*report)(void *, const char *), void *arg);
void conf_free(struct conf *c); /* NULL is accepted */

/*
 * Reads what the files hold that the mta and the dns role cannot read: the
 * tables of relays and limits, keys, certificates, the trust anchor. False
 * after errors as above. With check, a file that may not be read because it is
 * not the caller's is said to be unchecked, and passes.
 */
bool conf_supply(struct conf *c, bool check,
    void (*report)(void *, const char *), void *arg);

/* Appends the slice one role may see; ROLE_PARENT: everything. */
int conf_print(const struct conf *c, enum role who, struct buf *b);

/* NULL when there is none of that name. */
const struct conf_action *conf_action(const struct conf *c, const char *name);
const struct conf_table *conf_table(const struct conf *c, const char *name);
/* What holds for mail to a domain; NULL: for no domain in particular. */
uint32_t conf_limit(
    const struct conf *c, const char *domain, enum conf_limit_key key);
const char *conf_limit_name(enum conf_limit_key key);
bool conf_limit_seconds(enum conf_limit_key key); /* or a count */
const struct conf_pki *conf_pki(const struct conf *c, const char *name);
/* In its full form: smtp+tls+auth://label@mx.example.org:25. */
#define CONF_URL_MAX 640
const char *conf_url_text(const struct conf_url *u, char dst[CONF_URL_MAX]);
/* What an action means, in the words of the file: relay via "smtp://..." */
const char *conf_action_text(
    const struct conf_action *a, char *dst, size_t size);
/* The same of a rule: accept from any for domain "example.org" ... */
const char *conf_rule_text(
    const struct conf *c, const struct conf_rule *r, char *dst, size_t size);

#endif
