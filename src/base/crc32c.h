/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRC-32C (Castagnoli, polynomial 0x1EDC6F41 reflected; RFC 3720 appendix B.4), the checksum of
 * everything stored.
 */
#ifndef WEFT_BASE_CRC32C_H
#define WEFT_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of |len| bytes that follow bytes whose checksum is |crc|; 0 at the beginning.
 * **Thread:** any. */
uint32_t weft__crc32c(uint32_t crc, const void *data, size_t len);

#endif
