/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TCP proxy for tests that treats connections badly: it hands on what comes in pieces of random
 * sizes, lets it lie for a while, and cuts connections at random bytes, in the middle of a frame as
 * well as between two.
 *
 *     struct test_cut_proxy *proxy = test_cut_proxy_start(server->port, &options);
 *     … connect to ws://127.0.0.1:<test_cut_proxy_port(proxy)>/ws …
 *     test_cut_proxy_stop(proxy);
 *
 * Runs a thread of its own. Whatever goes wrong there ends the program.
 */
#ifndef WEFT_TESTS_LIB_CUT_PROXY_H
#define WEFT_TESTS_LIB_CUT_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct test_cut_proxy;

struct test_cut_proxy_options {
    uint64_t seed;      /* of all that is random */
    size_t cut_bytes;   /* a connection is cut after up to so many bytes, both ways; 0: never */
    size_t chunk_bytes; /* pieces are up to so large; 0: as they come */
    unsigned delay_ms;  /* and wait for up to so long */
};

/* Listens on a free port of 127.0.0.1 and passes on to |port|. */
struct test_cut_proxy *test_cut_proxy_start(unsigned port,
                                            const struct test_cut_proxy_options *options);

unsigned test_cut_proxy_port(const struct test_cut_proxy *proxy);

/* Cuts every connection now; those that are made later are served. */
void test_cut_proxy_cut(struct test_cut_proxy *proxy);

/* While true, new connections are refused (taken and reset), and there are no old ones. */
void test_cut_proxy_refuse(struct test_cut_proxy *proxy, bool refuse);

/* From now on connections are left whole and quick. */
void test_cut_proxy_calm(struct test_cut_proxy *proxy);

/* Connections that were cut or refused so far. */
unsigned test_cut_proxy_cuts(const struct test_cut_proxy *proxy);

void test_cut_proxy_stop(struct test_cut_proxy *proxy);

#endif
