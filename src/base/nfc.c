/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The check of form C (UAX #15, section 9): no character that form C never contains, marks in the
 * order of their classes, and no mark left that would compose with its starter.
 */
#include "base/nfc.h"

#include "base/utf8.h"

struct nfc_range {
    uint32_t first;
    uint32_t last;
};

struct nfc_pair {
    uint32_t starter;
    uint32_t second;
    uint32_t composite;
};

struct nfc_class {
    uint32_t first;
    uint32_t last;
    uint8_t combining;
};

#include "base/nfc_tables.h"

/* Hangul syllables compose by arithmetic (The Unicode Standard, section 3.12). */
enum {
    HANGUL_S = 0xac00,
    HANGUL_L = 0x1100,
    HANGUL_V = 0x1161,
    HANGUL_T = 0x11a7,
    HANGUL_L_COUNT = 19,
    HANGUL_V_COUNT = 21,
    HANGUL_T_COUNT = 28,
    HANGUL_S_COUNT = HANGUL_L_COUNT * HANGUL_V_COUNT * HANGUL_T_COUNT,
};

static uint8_t combining_class(uint32_t point)
{
    size_t low = 0;
    size_t high = WEFT_ARRAY_LEN(nfc_classes);
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (point > nfc_classes[mid].last)
            low = mid + 1;
        else if (point < nfc_classes[mid].first)
            high = mid;
        else
            return nfc_classes[mid].combining;
    }
    return 0;
}

static bool is_refused(uint32_t point)
{
    size_t low = 0;
    size_t high = WEFT_ARRAY_LEN(nfc_refused);
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (point > nfc_refused[mid].last)
            low = mid + 1;
        else if (point < nfc_refused[mid].first)
            high = mid;
        else
            return true;
    }
    return false;
}

static bool hangul_composes(uint32_t starter, uint32_t point)
{
    if (starter - HANGUL_L < HANGUL_L_COUNT)
        return point - HANGUL_V < HANGUL_V_COUNT;
    return starter - HANGUL_S < HANGUL_S_COUNT && (starter - HANGUL_S) % HANGUL_T_COUNT == 0 &&
           point - HANGUL_T - 1 < HANGUL_T_COUNT - 1;
}

static bool pair_composes(uint32_t starter, uint32_t point)
{
    size_t low = 0;
    size_t high = WEFT_ARRAY_LEN(nfc_pairs);
    while (low < high) {
        size_t mid = (low + high) / 2;
        const struct nfc_pair *pair = &nfc_pairs[mid];
        if (starter == pair->starter && point == pair->second)
            return true;
        if (starter > pair->starter || (starter == pair->starter && point > pair->second))
            low = mid + 1;
        else
            high = mid;
    }
    return hangul_composes(starter, point);
}

/* The pair that makes |composite|, or NULL. */
static const struct nfc_pair *pair_of(uint32_t composite)
{
    for (size_t i = 0; i < WEFT_ARRAY_LEN(nfc_pairs); i++)
        if (nfc_pairs[i].composite == composite)
            return &nfc_pairs[i];
    return NULL;
}

/* Whether |point| of class |combining| composes with |starter|, or with what |starter| is composed
 * of: a mark of a lower class than the one already in it goes before that one (G-breve with a
 * cedilla below is G-cedilla with a breve). */
static bool composes(uint32_t starter, uint32_t point, uint8_t combining)
{
    while (!pair_composes(starter, point)) {
        const struct nfc_pair *pair = combining ? pair_of(starter) : NULL;
        if (!pair || combining_class(pair->second) <= combining)
            return false;
        starter = pair->starter;
    }
    return true;
}

bool weft__nfc_is(struct weft_slice text)
{
    uint32_t starter = 0;  /* the last one, 0 before the first */
    uint8_t before = 0;    /* class of the previous character */
    bool adjacent = false; /* nothing stands between the starter and here */
    for (size_t at = 0; at < text.len; at += weft__utf8_lead_len(text.ptr[at])) {
        uint32_t point = weft__utf8_decode(text.ptr + at);
        uint8_t combining = point < 0x300 ? 0 : combining_class(point);
        if (point >= 0x300 && is_refused(point))
            return false;
        if (combining && before > combining)
            return false;
        /* A character is blocked from the starter by one of the same class, or by any mark when it
         * is a starter itself. */
        bool blocked = !adjacent && (combining == 0 || before == combining);
        if (starter && !blocked && point >= 0x300 && composes(starter, point, combining))
            return false;
        adjacent = combining == 0;
        if (combining == 0)
            starter = point;
        before = combining;
    }
    return true;
}
