/* SPDX-License-Identifier: Apache-2.0 */
/* One thing that happens once, and a thread that waits for it. Lies on the waiting thread's stack
 * or in an object that outlives both. */
#ifndef WEFT_PEER_WAIT_H
#define WEFT_PEER_WAIT_H

#include <pthread.h>
#include <stdbool.h>

struct weft_wait {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool told;
};

void weft__wait_init(struct weft_wait *wait);

/* Nobody waits or tells any more. */
void weft__wait_done(struct weft_wait *wait);

/* It happened. What was written before is visible to who waits. The last touch of |wait| by this
 * thread. */
void weft__wait_tell(struct weft_wait *wait);

/* Blocks until it happened. */
void weft__wait_for(struct weft_wait *wait);

#endif
