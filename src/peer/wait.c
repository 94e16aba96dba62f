/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for one event. */
#include "peer/wait.h"

void weft__wait_init(struct weft_wait *wait)
{
    pthread_mutex_init(&wait->mutex, NULL);
    pthread_cond_init(&wait->cond, NULL);
    wait->told = false;
}

void weft__wait_done(struct weft_wait *wait)
{
    pthread_cond_destroy(&wait->cond);
    pthread_mutex_destroy(&wait->mutex);
}

void weft__wait_tell(struct weft_wait *wait)
{
    /* Signalled under the mutex: the waiting thread may free |wait| as soon as it gets that. */
    pthread_mutex_lock(&wait->mutex);
    wait->told = true;
    pthread_cond_signal(&wait->cond);
    pthread_mutex_unlock(&wait->mutex);
}

void weft__wait_for(struct weft_wait *wait)
{
    pthread_mutex_lock(&wait->mutex);
    while (!wait->told)
        pthread_cond_wait(&wait->cond, &wait->mutex);
    pthread_mutex_unlock(&wait->mutex);
}
