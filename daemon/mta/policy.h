/*
 * policy - how sessions of a relay are secured: transport, TLS, credentials
 *
 * Made from the configuration once, with all files' contents parsed and all
 * words checked, and independent of it from then on. Equal policies are one:
 * what is costly in them, trusted certificates above all, is there once,
 * however many relays an action has.
 */
#ifndef DAEMON_MTA_POLICY_H
#define DAEMON_MTA_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/conf/conf.h"

struct policy;
struct tls;

#define POLICY_WHY_MAX 256

/* url NULL: by MX, SMTP. Credentials are those of url->label in relay->auth.
 * NULL with the reason in why: bad PEM, unknown words, no credentials. */
struct policy *policy_new(const struct conf *conf,
    const struct conf_relay *relay, const struct conf_url *url,
    char why[POLICY_WHY_MAX]);
struct policy *policy_ref(struct policy *p);
void policy_unref(struct policy *p); /* NULL is accepted */

/* "smtp, TLS when offered", "smtps, certificate verified", "lmtp": for people */
const char *policy_text(const struct policy *p);
bool policy_lmtp(const struct policy *p);
/* TLS may fail here and mail still goes, in clear. DANE may say otherwise of
 * a host. */
bool policy_may_be_clear(const struct policy *p);
/* DANE is not heeded: the configuration says no-tls. */
bool policy_no_tls(const struct policy *p);

bool policy_implicit(const struct policy *p); /* TLS from the first octet */
struct tls *policy_tls(const struct policy *p); /* lent; NULL: no-tls */
/* Both NULL when no credentials are asked for. */
const char *policy_user(const struct policy *p);
const char *policy_password(const struct policy *p);

#endif
