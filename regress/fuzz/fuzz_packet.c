/* Answers in wire form, as MX and as addresses. */
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
	uint8_t octets[8][16];
	int i, n;

	(void)packet_rcode(data, size);
	n = packet_mx(data, size, mx, 8);
	for (i = 0; i < n; i++)
		if (memchr(mx[i].name, '\0', sizeof(mx[i].name)) == NULL)
			abort();
	if (n > 8 || packet_addresses(data, size, PACKET_A, octets, 8) > 8 ||
	    packet_addresses(data, size, PACKET_AAAA, octets, 8) > 8)
		abort();
	return 0;
}
