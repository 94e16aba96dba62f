/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Says whether the kernel gives this user an io_uring with all that weft's loop asks for: a ring
 * (which a seccomp filter or a sysctl may refuse), provided buffers in a ring (5.19) and multishot
 * receive with single issuer (6.0). Status 0: yes; 1: no, with the reason on standard error.
 */
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    RING_ENTRIES = 8,
    BUFFER_COUNT = 8,
    BUFFER_GROUP = 1,
};

static int refuse(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, strerror(-err));
    return 1;
}

int main(void)
{
    struct io_uring ring;
    /* IORING_SETUP_SINGLE_ISSUER came with 6.0, as multishot receive did. */
    int err = io_uring_queue_init(RING_ENTRIES, &ring, IORING_SETUP_SINGLE_ISSUER);
    if (err)
        return refuse("io_uring_setup", err);

    void *buffers = NULL;
    size_t size = BUFFER_COUNT * sizeof(struct io_uring_buf);
    int status = 1;
    if (posix_memalign(&buffers, 4096, size) != 0) {
        fprintf(stderr, "out of memory\n");
        goto out;
    }
    memset(buffers, 0, size);
    struct io_uring_buf_reg reg = {
        .ring_addr = (unsigned long)buffers,
        .ring_entries = BUFFER_COUNT,
        .bgid = BUFFER_GROUP,
    };
    err = io_uring_register_buf_ring(&ring, &reg, 0);
    if (err) {
        refuse("io_uring_register_buf_ring", err);
        goto out;
    }
    status = 0;

out:
    io_uring_queue_exit(&ring);
    free(buffers);
    return status;
}
