/* SPDX-License-Identifier: Apache-2.0 */
/* The ring of ticket keys: rotation and age. */
#include "io/tls_tickets.h"
#include "lib/test.h"

static const uint64_t START_NS = 1000;

static void keys_stay_for_a_period_and_change_after_it(void **state)
{
    (void)state;
    struct weft_tls_tickets tickets;
    struct weft_tls_ticket_key first;
    struct weft_tls_ticket_key again;
    struct weft_tls_ticket_key later;
    weft__tls_tickets_init(&tickets);
    weft__tls_tickets_seal(&tickets, START_NS, &first);
    weft__tls_tickets_seal(&tickets, START_NS + WEFT_TLS_TICKET_ROTATE_NS - 1, &again);
    weft__tls_tickets_seal(&tickets, START_NS + WEFT_TLS_TICKET_ROTATE_NS, &later);
    assert_memory_equal(&first, &again, sizeof(first));
    assert_memory_not_equal(first.name, later.name, sizeof(first.name));
    assert_memory_not_equal(first.aes, later.aes, sizeof(first.aes));
    assert_memory_not_equal(first.hmac, later.hmac, sizeof(first.hmac));
    weft__tls_tickets_done(&tickets);
}

static void previous_key_opens_and_asks_for_renewal(void **state)
{
    (void)state;
    struct weft_tls_tickets tickets;
    struct weft_tls_ticket_key first;
    struct weft_tls_ticket_key found;
    bool renew = true;
    weft__tls_tickets_init(&tickets);
    weft__tls_tickets_seal(&tickets, START_NS, &first);
    assert_true(weft__tls_tickets_open(&tickets, START_NS + 1, first.name, &found, &renew));
    assert_false(renew);
    uint64_t next_ns = START_NS + WEFT_TLS_TICKET_ROTATE_NS;
    assert_true(weft__tls_tickets_open(&tickets, next_ns, first.name, &found, &renew));
    assert_true(renew);
    assert_memory_equal(found.aes, first.aes, sizeof(first.aes));
    next_ns += WEFT_TLS_TICKET_ROTATE_NS;
    assert_false(weft__tls_tickets_open(&tickets, next_ns, first.name, &found, &renew));
    weft__tls_tickets_done(&tickets);
}

static void after_a_long_pause_no_old_key_opens(void **state)
{
    (void)state;
    struct weft_tls_tickets tickets;
    struct weft_tls_ticket_key first;
    struct weft_tls_ticket_key found;
    bool renew;
    weft__tls_tickets_init(&tickets);
    weft__tls_tickets_seal(&tickets, START_NS, &first);
    uint64_t late_ns = START_NS + 2 * WEFT_TLS_TICKET_ROTATE_NS;
    assert_false(weft__tls_tickets_open(&tickets, late_ns, first.name, &found, &renew));
    weft__tls_tickets_done(&tickets);
}

static void unknown_names_and_an_empty_ring_open_nothing(void **state)
{
    (void)state;
    struct weft_tls_tickets tickets;
    struct weft_tls_ticket_key found;
    bool renew;
    static const uint8_t zeroes[WEFT_TLS_TICKET_NAME];
    weft__tls_tickets_init(&tickets);
    assert_false(weft__tls_tickets_open(&tickets, START_NS, zeroes, &found, &renew));
    weft__tls_tickets_done(&tickets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_stay_for_a_period_and_change_after_it),
        cmocka_unit_test(previous_key_opens_and_asks_for_renewal),
        cmocka_unit_test(after_a_long_pause_no_old_key_opens),
        cmocka_unit_test(unknown_names_and_an_empty_ring_open_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
