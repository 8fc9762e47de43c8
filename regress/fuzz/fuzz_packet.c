/* Answers in wire form, as MX, as addresses, as TLSA, as aliases. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/dns/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct packet_mx mx[8];
	struct name_record records[8];
	uint8_t octets[8][16];
	char name[PACKET_NAME];
	size_t usable, k;
	int i, n;

	(void)packet_rcode(data, size);
	n = packet_mx(data, size, mx, 8);
	for (i = 0; i < n; i++)
		if (memchr(mx[i].name, '\0', sizeof(mx[i].name)) == NULL)
			abort();
	if (n > 8 || packet_addresses(data, size, PACKET_A, octets, 8) > 8 ||
	    packet_addresses(data, size, PACKET_AAAA, octets, 8) > 8)
		abort();
	n = packet_tlsa(data, size, records, 8, &usable);
	if (usable > 8 || (n >= 0 && usable > (size_t)n))
		abort();
	for (k = 0; k < usable; k++)
		if (records[k].data < data || records[k].len == 0 ||
		    records[k].data + records[k].len > data + size)
			abort();
	(void)packet_alias(data, size, name);
	if (memchr(name, '\0', sizeof(name)) == NULL)
		abort();
	return 0;
}
