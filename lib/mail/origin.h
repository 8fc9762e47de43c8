/*
 * origin - where an envelope came from, read from its from line
 *
 * smtp [192.0.2.14]:40112 helo mail.shop.example listener submission auth ann
 *
 * Behind the first two words stand pairs of a name and a value, in any order;
 * names that are not known are passed over. What is not there is "".
 */
#ifndef LIB_MAIL_ORIGIN_H
#define LIB_MAIL_ORIGIN_H

struct origin {
	char way[16]; /* smtp, local */
	char client[64]; /* IP address, without brackets */
	unsigned port; /* 0: none */
	char helo[256], name[256], listener[128], auth[256], tls[64];
};

void origin_read(struct origin *o, const char *from); /* NULL: nothing */

#endif
