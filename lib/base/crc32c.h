/*
 * crc32c - the Castagnoli checksum of envelopes and message headers
 */
#ifndef LIB_BASE_CRC32C_H
#define LIB_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Continues from crc (0 at first): crc32c(crc32c(0, a), b) is that of ab. */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);

#endif
