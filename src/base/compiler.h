/* SPDX-License-Identifier: Apache-2.0 */
/* Everything compiler-specific, wrapped once; no other file names an attribute or a builtin. */
#ifndef WEFT_BASE_COMPILER_H
#define WEFT_BASE_COMPILER_H

#include <stddef.h>
#include <weft/export.h>

#define WEFT_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define WEFT_NORETURN __attribute__((noreturn))
#define WEFT_FALLTHROUGH __attribute__((fallthrough))
#define WEFT_UNUSED __attribute__((unused))
#define WEFT_ALWAYS_INLINE inline __attribute__((always_inline))
#define WEFT_NOINLINE __attribute__((noinline))
#define WEFT_LIKELY(x) __builtin_expect(!!(x), 1)
#define WEFT_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define WEFT_PREFETCH(p) __builtin_prefetch(p)

/* Four words at once, at any address; two halves where the processor knows only 16 bytes. */
typedef unsigned long long weft__u64x4 __attribute__((vector_size(32), aligned(1), may_alias));

/* Sixteen bytes, compared all at once: `a == b` has all bits set in the bytes where that is so, and
 * weft__u8x16_mask takes the highest bit of each byte. */
#if defined(__SSE2__)
#define WEFT_HAS_U8X16 1
typedef unsigned char weft__u8x16 __attribute__((vector_size(16)));
typedef char weft__i8x16 __attribute__((vector_size(16)));
static inline unsigned weft__u8x16_mask(weft__u8x16 x)
{
    return (unsigned)__builtin_ia32_pmovmskb128((weft__i8x16)x);
}
#else
#define WEFT_HAS_U8X16 0
#endif

/* Functions that are also compiled for the wider vectors of newer processors, and the question
 * whether this one has them. */
#if defined(__x86_64__) && defined(__GNUC__)
#define WEFT_HAS_AVX2_TARGET 1
#define WEFT_TARGET_AVX2 __attribute__((target("avx2")))
static inline int weft__cpu_has_avx2(void)
{
    return __builtin_cpu_supports("avx2");
}
#else
#define WEFT_HAS_AVX2_TARGET 0
#endif

/* The object of type |type| whose member |member| is at |ptr|. */
#define WEFT_CONTAINER_OF(ptr, type, member)                                                       \
    ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define WEFT_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define WEFT_MIN(a, b) ((a) < (b) ? (a) : (b))
#define WEFT_MAX(a, b) ((a) > (b) ? (a) : (b))

/* Overflow-checked arithmetic: true when the result does not fit. */
#define WEFT_ADD_OVERFLOW(a, b, ret) __builtin_add_overflow(a, b, ret)
#define WEFT_SUB_OVERFLOW(a, b, ret) __builtin_sub_overflow(a, b, ret)
#define WEFT_MUL_OVERFLOW(a, b, ret) __builtin_mul_overflow(a, b, ret)

/* |x| > 0: index of the highest set bit. */
static inline unsigned weft__log2_u64(unsigned long long x)
{
    return 63u - (unsigned)__builtin_clzll(x);
}

/* |x| > 0: number of trailing zero bits. */
static inline unsigned weft__ctz_u64(unsigned long long x)
{
    return (unsigned)__builtin_ctzll(x);
}

static inline unsigned weft__popcount_u64(unsigned long long x)
{
    return (unsigned)__builtin_popcountll(x);
}

#endif
