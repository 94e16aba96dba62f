/* SPDX-License-Identifier: Apache-2.0 */
/* Lines about limits, one a second for each. */
#include "server/notices.h"

#include "base/timer.h"

struct limit_text {
    const char *name;
    enum weft_log_level level;
};

static const struct limit_text LIMITS[WEFT_LIMIT_COUNT] = {
#define LIMIT_TEXT(id, name, level) {name, WEFT_LOG_##level},
    WEFT_LIMIT_TABLE(LIMIT_TEXT)
#undef LIMIT_TEXT
};

const char *weft__limit_name(enum weft_limit limit)
{
    return LIMITS[limit].name;
}

void weft__notices_init(struct weft_notices *notices, const struct weft_log *log)
{
    *notices = (struct weft_notices){.log = log};
}

bool weft__notice(struct weft_notices *notices, enum weft_limit limit, uint64_t times,
                  uint64_t now_ns)
{
    notices->counts[limit] += times;
    notices->held[limit] += times;
    if (now_ns < notices->due_ns[limit])
        return false;
    notices->due_ns[limit] = now_ns + WEFT_NS_PER_S;
    return true;
}

void weft__notice_write(struct weft_notices *notices, enum weft_limit limit,
                        const struct weft_log_field *detail)
{
    struct weft_log_field fields[3];
    size_t count = 0;
    uint64_t held = notices->held[limit];
    notices->held[limit] = 0;
    fields[count++] = weft__log_str("limit", LIMITS[limit].name);
    if (detail)
        fields[count++] = *detail;
    if (held > 1)
        fields[count++] = weft__log_u64("more", held - 1);
    weft__log_event(notices->log, LIMITS[limit].level, "limit.reached", fields, count);
}

void weft__notices_tick(struct weft_notices *notices, uint64_t now_ns)
{
    for (unsigned i = 0; i < WEFT_LIMIT_COUNT; i++)
        if (notices->held[i] && weft__notice(notices, (enum weft_limit)i, 0, now_ns))
            weft__notice_write(notices, (enum weft_limit)i, NULL);
}
