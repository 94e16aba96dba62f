/* SPDX-License-Identifier: Apache-2.0 */
/* Encrypted transports over real sockets: both roles against each other, and the server against
 * OpenSSL driven by hand, which offers, cuts, breaks and withholds what it likes. On both loops. */
#include "integration/io_tls.h"

#include <errno.h>

struct tls_files files;

static const struct weft_transport_options plain_options;

/* ---- Messages ---- */

enum { MANY = 10000, HUGE_LEN = 4 << 20 };

static uint8_t huge[HUGE_LEN];

static void fill_huge(void)
{
    for (size_t i = 0; i < HUGE_LEN; i++)
        huge[i] = (uint8_t)(i * 13 + (i >> 9));
}

static const size_t mix[] = {5, HUGE_LEN, 0, 70000, 16384, 16380, 1};

static void send_mix(struct side *side)
{
    for (size_t i = 0; i < WEFT_ARRAY_LEN(mix); i++)
        assert_ok(weft__transport_send(&side->transport, WEFT_WS_OPCODE_BINARY,
                                       weft__slice(huge, mix[i])));
}

static void check_mix(struct side *side, enum weft_ws_opcode opcode, struct weft_slice data)
{
    (void)opcode;
    assert_int_equal(data.len, mix[side->messages - 1]);
    assert_memory_equal(data.ptr ? data.ptr : huge, huge, data.len);
}

static void messages_of_all_sizes_come_back_unchanged(void **state)
{
    struct world world;
    fill_huge();
    tls_world_init(&world, state, (struct weft_transport_options){.max_message = HUGE_LEN}, NULL,
                   NULL);
    world.client_open = send_mix;
    world.client_message = check_mix;
    world.goal = WEFT_ARRAY_LEN(mix);
    struct side *client = dial(&world);
    io_run(world.loop, 20000);
    assert_int_equal(client->messages, WEFT_ARRAY_LEN(mix));
    assert_int_equal(client->transport.err, 0);
    assert_int_equal(client->end_code, WEFT_WS_CLOSE_NORMAL);
    assert_int_equal(find(&world, true)->transport.err, 0);
    assert_int_equal(world.set.stats.tls_handshakes, 2);
    assert_int_equal(world.set.stats.tls_failures, 0);
    tls_world_done(&world);
}

static void send_many(struct side *side)
{
    for (uint32_t i = 0; i < MANY; i++)
        assert_ok(weft__transport_send(&side->transport, WEFT_WS_OPCODE_BINARY,
                                       weft__slice(&i, sizeof(i))));
}

static void check_order(struct side *side, enum weft_ws_opcode opcode, struct weft_slice data)
{
    (void)opcode;
    uint32_t number;
    assert_int_equal(data.len, sizeof(number));
    memcpy(&number, data.ptr, sizeof(number));
    assert_int_equal(number, side->messages - 1);
}

static void small_messages_of_a_tick_share_records(void **state)
{
    struct world world;
    tls_world_init(&world, state, plain_options, NULL, NULL);
    world.client_open = send_many;
    world.client_message = check_order;
    world.goal = MANY;
    struct side *client = dial(&world);
    io_run(world.loop, 10000);
    assert_int_equal(client->messages, MANY);
    const struct weft_loop_stats *stats = weft__loop_stats(world.loop);
    assert_in_range(stats->sends, 4, 200);
    /* 10 bytes a message there (masked), 6 back; a record for each would add 22 to both. */
    assert_in_range(stats->bytes_out, MANY * 16, MANY * 16 + 20000);
    tls_world_done(&world);
}

/* ---- Handshakes ---- */

static void each_version_is_served_but_old_ones(void **state)
{
    static const struct {
        int version;
        const char *name; /* NULL: refused */
    } cases[] = {{TLS1_3_VERSION, "TLSv1.3"}, {TLS1_2_VERSION, "TLSv1.2"}, {TLS1_1_VERSION, NULL}};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(cases); i++) {
        struct world world;
        struct tls_peer peer;
        tls_world_init(&world, state, plain_options, NULL, NULL);
        world.stop_at = SIZE_MAX;
        tls_peer_init(&peer, &world);
        SSL_CTX_set_security_level(peer.ctx, 0);
        assert_int_equal(SSL_CTX_set_min_proto_version(peer.ctx, cases[i].version), 1);
        assert_int_equal(SSL_CTX_set_max_proto_version(peer.ctx, cases[i].version), 1);
        tls_peer_connect(&peer, "localhost");
        assert_int_equal(tls_peer_handshake(&peer), cases[i].name != NULL);
        if (cases[i].name) {
            assert_string_equal(SSL_get_version(peer.ssl), cases[i].name);
            tls_peer_upgrade(&peer);
        }
        tls_peer_done(&peer);
        for (int n = 0; n < 500 && world.open; n++)
            pass(&world, 2);
        assert_int_equal(world.set.stats.tls_handshakes, cases[i].name != NULL);
        assert_int_equal(world.set.stats.tls_failures, cases[i].name == NULL);
        tls_world_done(&world);
    }
}

static void lowest_version_can_be_13(void **state)
{
    const struct weft_tls_certificate certificate = {files.local.cert, files.local.key};
    const struct weft_tls_options options = {
        .certificates = &certificate, .certificate_count = 1, .min_version = 13};
    struct world world;
    struct tls_peer peer;
    tls_world_init(&world, state, plain_options, &options, NULL);
    world.stop_at = SIZE_MAX;
    tls_peer_init(&peer, &world);
    assert_int_equal(SSL_CTX_set_max_proto_version(peer.ctx, TLS1_2_VERSION), 1);
    tls_peer_connect(&peer, "localhost");
    assert_false(tls_peer_handshake(&peer));
    tls_peer_done(&peer);
    pass(&world, 20);
    tls_world_done(&world);
}

static void name_asked_for_chooses_the_certificate(void **state)
{
    static const char *const cases[][2] = {{"a.test", "a"},         {"A.TEST", "a"},
                                           {"x.wild.test", "wild"}, {"wild.test", "test"},
                                           {"other.test", "test"},  {NULL, "test"}};
    const struct weft_tls_certificate certificates[] = {{files.local.cert, files.local.key},
                                                        {files.a.cert, files.a.key},
                                                        {files.wild.cert, files.wild.key}};
    const struct weft_tls_options options = {.certificates = certificates, .certificate_count = 3};
    struct world world;
    tls_world_init(&world, state, plain_options, &options, NULL);
    world.stop_at = SIZE_MAX;
    for (size_t i = 0; i < WEFT_ARRAY_LEN(cases); i++) {
        struct tls_peer peer;
        char name[64];
        tls_peer_init(&peer, &world);
        tls_peer_connect(&peer, cases[i][0]);
        assert_true(tls_peer_handshake(&peer));
        tls_peer_name(&peer, name);
        assert_string_equal(name, cases[i][1]);
        tls_peer_done(&peer);
    }
    pass(&world, 20);
    tls_world_done(&world);
}

static void alpn_is_http_1_1_or_a_refusal(void **state)
{
    static const struct {
        const char *offer;
        bool fine;
    } cases[] = {{"\x08http/1.1", true}, {"\x02h2\x08http/1.1", true}, {"\x02h2", false}};
    struct world world;
    tls_world_init(&world, state, plain_options, NULL, NULL);
    world.stop_at = SIZE_MAX;
    for (size_t i = 0; i < WEFT_ARRAY_LEN(cases); i++) {
        struct tls_peer peer;
        const unsigned char *chosen = NULL;
        unsigned len = 0;
        tls_peer_init(&peer, &world);
        assert_int_equal(SSL_CTX_set_alpn_protos(peer.ctx, (const unsigned char *)cases[i].offer,
                                                 (unsigned)strlen(cases[i].offer)),
                         0);
        tls_peer_connect(&peer, "localhost");
        assert_int_equal(tls_peer_handshake(&peer), cases[i].fine);
        SSL_get0_alpn_selected(peer.ssl, &chosen, &len);
        if (cases[i].fine)
            assert_bytes(chosen, len, "http/1.1", 8);
        tls_peer_done(&peer);
    }
    pass(&world, 20);
    tls_world_done(&world);
}

static void compression_renegotiation_and_many_tickets_are_not_given(void **state)
{
    struct world world;
    struct tls_peer peer;
    tls_world_init(&world, state, plain_options, NULL, NULL);
    world.stop_at = SIZE_MAX;
    tls_peer_init(&peer, &world);
    (void)SSL_CTX_clear_options(peer.ctx, SSL_OP_NO_COMPRESSION);
    tls_peer_connect(&peer, "localhost");
    assert_true(tls_peer_handshake(&peer));
    tls_peer_upgrade(&peer);
    assert_int_equal(peer.sessions, 1);
    tls_peer_cut(&peer);
    SSL_SESSION_free(peer.session);
    peer.session = NULL;
    assert_int_equal(SSL_CTX_set_max_proto_version(peer.ctx, TLS1_2_VERSION), 1);
    tls_peer_connect(&peer, "localhost");
    assert_true(tls_peer_handshake(&peer));
    assert_null(SSL_get_current_compression(peer.ssl));
    tls_peer_upgrade(&peer);
    uint8_t byte;
    int error;
    assert_int_equal(SSL_renegotiate(peer.ssl), 1);
    (void)SSL_do_handshake(peer.ssl);
    tls_peer_pump(&peer);
    assert_int_equal(tls_peer_read(&peer, &byte, 1, &error), 0);
    assert_int_not_equal(error, SSL_ERROR_WANT_READ); /* no_renegotiation ends our peer */
    tls_peer_done(&peer);
    pass(&world, 20);
    tls_world_done(&world);
}

static void resumed_session(void **state, int version)
{
    struct world world;
    struct tls_peer peer;
    tls_world_init(&world, state, plain_options, NULL, NULL);
    world.stop_at = SIZE_MAX;
    tls_peer_init(&peer, &world);
    assert_int_equal(SSL_CTX_set_max_proto_version(peer.ctx, version), 1);
    char message[WEFT_TLS_MESSAGE_SIZE];
    for (int i = 0; i < 3; i++) {
        tls_peer_connect(&peer, "localhost");
        assert_true(tls_peer_handshake(&peer));
        assert_int_equal(SSL_session_reused(peer.ssl), i > 0);
        tls_peer_upgrade(&peer);
        tls_peer_cut(&peer);
        /* Ticket keys outlive a reload. */
        assert_ok(weft__tls_context_reload(world.set.options.tls_serve, message, sizeof(message)));
    }
    assert_int_equal(world.set.stats.tls_handshakes, 3);
    assert_int_equal(world.set.stats.tls_resumed, 2);
    tls_peer_done(&peer);
    pass(&world, 20);
    tls_world_done(&world);
}

static void sessions_are_resumed_also_across_a_reload(void **state)
{
    resumed_session(state, TLS1_3_VERSION);
    resumed_session(state, TLS1_2_VERSION);
}

/* ---- Who is who ---- */

/* Dials with |client| options to a server with |server|; the connection must fail with a text that
 * holds |part|, or (NULL) succeed. */
static void try_dial(void **state, const struct test_cert *server,
                     const struct weft_tls_options *client, const char *host, const char *part)
{
    const struct weft_tls_certificate certificate = {server->cert, server->key};
    const struct weft_tls_options options = {.certificates = &certificate, .certificate_count = 1};
    struct world world;
    tls_world_init(&world, state, plain_options, &options, client);
    struct side *side = side_new(&world);
    side->request =
        (struct weft_ws_request){.host = weft__slice_str(host), .target = WEFT_SLICE_LIT("/ws")};
    assert_ok(weft__transport_dial(&side->transport, &world.set, &world.address, &side->request,
                                   &side->dial, &callbacks));
    for (int i = 0; i < TLS_PATIENCE && !side->opens && !side->closed; i++)
        pass(&world, 1);
    assert_int_equal(side->opens, part == NULL);
    if (part) {
        assert_int_equal(side->transport.err, WEFT_ERR_TLS);
        if (!strstr(side->dial.failure, part))
            fail_msg("\"%s\" does not say \"%s\"", side->dial.failure, part);
    } else {
        close_side(side, 1000, "");
    }
    for (int i = 0; i < TLS_PATIENCE && world.open; i++)
        pass(&world, 1);
    assert_int_equal(world.open, 0);
    tls_world_done(&world);
}

static void client_refuses_servers_that_are_not_who_they_should_be(void **state)
{
    const struct weft_tls_options client = {.role = WEFT_TLS_CLIENT, .ca_file = files.ca.cert};
    const struct weft_tls_options system = {.role = WEFT_TLS_CLIENT};
    try_dial(state, &files.local, &client, "localhost:1", NULL);
    try_dial(state, &files.local, &client, "127.0.0.1:1", NULL);
    try_dial(state, &files.local, &client, "other.test", "hostname mismatch");
    try_dial(state, &files.local, &client, "127.0.0.2:443", "IP address mismatch");
    try_dial(state, &files.local, &client, "[::1]:443", "IP address mismatch");
    try_dial(state, &files.wild, &client, "x.wild.test", NULL);
    try_dial(state, &files.wild, &client, "x.y.wild.test", "hostname mismatch");
    try_dial(state, &files.stranger, &client, "localhost", "self-signed certificate");
    try_dial(state, &files.local, &system, "localhost", "the certificate is refused");
    struct test_cert old = test_cert_make(
        &files.certs,
        &(struct test_cert_want){
            .issuer = &files.ca, .names = "DNS:localhost", .from_days = -20, .to_days = -1});
    try_dial(state, &old, &client, "localhost", "certificate has expired");
    struct test_cert early = test_cert_make(
        &files.certs,
        &(struct test_cert_want){.issuer = &files.ca, .names = "DNS:localhost", .from_days = 2});
    try_dial(state, &early, &client, "localhost", "not yet valid");
}

static void verification_can_be_turned_off_for_tests(void **state)
{
    const struct weft_tls_options any = {.role = WEFT_TLS_CLIENT, .accept_any = true};
    try_dial(state, &files.stranger, &any, "other.test", NULL);
}

static void check_client_cert(void **state, enum weft_tls_client_cert want,
                              const struct test_cert *shown, bool fine)
{
    const struct weft_tls_certificate certificate = {files.local.cert, files.local.key};
    const struct weft_tls_options server = {.certificates = &certificate,
                                            .certificate_count = 1,
                                            .ca_file = files.ca.cert,
                                            .client_cert = want};
    const struct weft_tls_certificate own = {shown ? shown->cert : NULL, shown ? shown->key : NULL};
    const struct weft_tls_options client = {.role = WEFT_TLS_CLIENT,
                                            .ca_file = files.ca.cert,
                                            .certificates = &own,
                                            .certificate_count = shown != NULL};
    struct world world;
    tls_world_init(&world, state, plain_options, &server, &client);
    struct side *side = dial(&world);
    for (int i = 0; i < TLS_PATIENCE && !side->opens && !side->closed; i++)
        pass(&world, 1);
    assert_int_equal(side->opens, fine);
    if (!fine) {
        assert_int_equal(side->transport.err, WEFT_ERR_TLS);
        assert_non_null(strstr(side->dial.failure, "alert"));
    }
    if (!side->closed)
        close_side(side, 1000, "");
    for (int i = 0; i < TLS_PATIENCE && world.open; i++)
        pass(&world, 1);
    tls_world_done(&world);
}

static void certificates_of_clients_are_asked_for_and_verified(void **state)
{
    check_client_cert(state, WEFT_TLS_CLIENT_CERT_NONE, NULL, true);
    check_client_cert(state, WEFT_TLS_CLIENT_CERT_OPTIONAL, NULL, true);
    check_client_cert(state, WEFT_TLS_CLIENT_CERT_OPTIONAL, &files.client, true);
    check_client_cert(state, WEFT_TLS_CLIENT_CERT_OPTIONAL, &files.stranger, false);
    check_client_cert(state, WEFT_TLS_CLIENT_CERT_REQUIRED, NULL, false);
    check_client_cert(state, WEFT_TLS_CLIENT_CERT_REQUIRED, &files.client, true);
    check_client_cert(state, WEFT_TLS_CLIENT_CERT_REQUIRED, &files.stranger, false);
}

/* ---- Reload ---- */

static void reload_drops_nobody_and_newcomers_get_the_new_certificate(void **state)
{
    struct test_cert live;
    struct tls_peer before;
    struct tls_peer after;
    char message[WEFT_TLS_MESSAGE_SIZE];
    char name[64];
    test_certs_write(&files.certs, "", &live);
    test_file_copy(files.local.cert, live.cert);
    test_file_copy(files.local.key, live.key);
    const struct weft_tls_certificate certificate = {live.cert, live.key};
    const struct weft_tls_options options = {.certificates = &certificate, .certificate_count = 1};
    struct world world;
    tls_world_init(&world, state, plain_options, &options, NULL);
    struct weft_tls_context *context = world.set.options.tls_serve;
    world.stop_at = SIZE_MAX;
    tls_peer_init(&before, &world);
    tls_peer_connect(&before, "localhost");
    assert_true(tls_peer_handshake(&before));
    tls_peer_upgrade(&before);
    /* A certificate that the key does not fit: nothing changes. */
    test_file_copy(files.a.cert, live.cert);
    assert_err(weft__tls_context_reload(context, message, sizeof(message)), WEFT_ERR_USAGE);
    tls_peer_init(&after, &world);
    tls_peer_connect(&after, "localhost");
    assert_true(tls_peer_handshake(&after));
    tls_peer_cut(&after);
    /* A new one: newcomers get it, who was there stays. */
    struct test_cert renewed = test_cert_make(
        &files.certs, &(struct test_cert_want){
                          .issuer = &files.ca, .names = "DNS:localhost", .common_name = "renewed"});
    test_file_copy(renewed.cert, live.cert);
    test_file_copy(renewed.key, live.key);
    assert_ok(weft__tls_context_reload(context, message, sizeof(message)));
    tls_peer_connect(&after, "localhost");
    assert_true(tls_peer_handshake(&after));
    tls_peer_name(&after, name);
    assert_string_equal(name, "renewed");
    static const uint8_t ping[] = {0x89, 0x80, 0, 0, 0, 0};
    uint8_t pong[2];
    tls_peer_write(&before, ping, sizeof(ping));
    assert_int_equal(tls_peer_read(&before, pong, sizeof(pong), NULL), sizeof(pong));
    tls_peer_name(&before, name);
    assert_string_equal(name, "test");
    tls_peer_done(&before);
    tls_peer_done(&after);
    pass(&world, 20);
    tls_world_done(&world);
}

/* ---- What comes over the wire ---- */

static void expect_echo(struct tls_peer *peer, const char *text)
{
    uint8_t frame[6 + 125] = {0x81, (uint8_t)(0x80 | strlen(text))};
    uint8_t answer[2 + 125];
    memcpy(frame + 6, text, strlen(text));
    tls_peer_write(peer, frame, 6 + strlen(text));
    assert_int_equal(tls_peer_read(peer, answer, 2 + strlen(text), NULL), 2 + strlen(text));
    assert_memory_equal(answer + 2, text, strlen(text));
}

static void ciphertext_may_come_in_any_pieces(void **state)
{
    static const size_t chops[] = {1, 7, 1000};
    static const int versions[] = {TLS1_3_VERSION, TLS1_2_VERSION};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(chops) * WEFT_ARRAY_LEN(versions); i++) {
        struct world world;
        struct tls_peer peer;
        tls_world_init(&world, state, plain_options, NULL, NULL);
        world.stop_at = SIZE_MAX;
        tls_peer_init(&peer, &world);
        peer.chop = chops[i / 2];
        assert_int_equal(SSL_CTX_set_max_proto_version(peer.ctx, versions[i % 2]), 1);
        tls_peer_connect(&peer, "localhost");
        assert_true(tls_peer_handshake(&peer));
        tls_peer_upgrade(&peer);
        expect_echo(&peer, "hello");
        expect_echo(&peer, "again, and a little longer than that");
        tls_peer_done(&peer);
        pass(&world, 10);
        tls_world_done(&world);
    }
}

static void close_notify_is_said_and_understood(void **state)
{
    struct world world;
    struct tls_peer peer;
    tls_world_init(&world, state, plain_options, NULL, NULL);
    world.stop_at = SIZE_MAX;
    tls_peer_init(&peer, &world);
    tls_peer_connect(&peer, "localhost");
    assert_true(tls_peer_handshake(&peer));
    tls_peer_upgrade(&peer);
    /* The closing handshake of WebSocket, then that of TLS. */
    static const uint8_t goodbye[] = {0x88, 0x80, 0, 0, 0, 0};
    uint8_t answer[16];
    int error;
    tls_peer_write(&peer, goodbye, sizeof(goodbye));
    assert_int_equal(tls_peer_read(&peer, answer, sizeof(answer), &error), 2);
    assert_int_equal(error, SSL_ERROR_ZERO_RETURN);
    (void)SSL_shutdown(peer.ssl);
    tls_peer_pump(&peer);
    for (int i = 0; i < 100 && world.open; i++)
        pass(&world, 2);
    assert_int_equal(world.open, 0);
    assert_int_equal(find(&world, true)->end_code, WEFT_WS_CLOSE_NONE);
    assert_int_equal(find(&world, true)->transport.err, 0);
    tls_peer_done(&peer);
    tls_world_done(&world);
}

enum how { HOW_EOF, HOW_NOTIFY, HOW_ALERT, HOW_TAMPER, HOW_GARBAGE };

/* Ends an open WebSocket in a way that is none. */
static void end_badly(void **state, enum how how, int version, int want_err)
{
    struct world world;
    struct tls_peer peer;
    tls_world_init(&world, state, plain_options, NULL, NULL);
    world.stop_at = SIZE_MAX;
    tls_peer_init(&peer, &world);
    assert_int_equal(SSL_CTX_set_max_proto_version(peer.ctx, version), 1);
    tls_peer_connect(&peer, "localhost");
    assert_true(tls_peer_handshake(&peer));
    tls_peer_upgrade(&peer);
    uint8_t record[512] = {0x17, 3, 3, 1, 0};
    size_t written;
    switch (how) {
    case HOW_EOF:
        (void)shutdown(peer.fd, SHUT_WR);
        break;
    case HOW_NOTIFY:
        (void)SSL_shutdown(peer.ssl);
        tls_peer_pump(&peer);
        break;
    case HOW_ALERT: { /* a fatal alert: our peer finds a record that it does not like */
        uint8_t junk[64] = {0x17, 3, 3, 0, 59};
        assert_int_equal(BIO_write(peer.in, junk, sizeof(junk)), sizeof(junk));
        (void)SSL_read_ex(peer.ssl, record, 1, &written);
        tls_peer_pump(&peer);
        break;
    }
    case HOW_TAMPER:
        assert_int_equal(SSL_write_ex(peer.ssl, upgrade, 30, &written), 1);
        written = (size_t)BIO_read(peer.out, record, sizeof(record));
        record[written / 2] ^= 1;
        raw_send(peer.fd, record, written);
        break;
    case HOW_GARBAGE:
    default:
        raw_send(peer.fd, record, sizeof(record));
        break;
    }
    uint8_t rest;
    int error = 0;
    for (int i = 0; i < 500 && !find(&world, true)->ends; i++)
        tls_peer_pump(&peer);
    if (how == HOW_TAMPER || how == HOW_GARBAGE) {
        assert_int_equal(tls_peer_read(&peer, &rest, 1, &error), 0);
        assert_int_equal(error, SSL_ERROR_SSL); /* the server's alert */
        assert_int_equal(world.set.stats.protocol_errors, 1);
    }
    tls_peer_done(&peer);
    for (int i = 0; i < 500 && world.open; i++)
        pass(&world, 2);
    assert_int_equal(world.open, 0);
    assert_int_equal(find(&world, true)->end_code, WEFT_WS_CLOSE_ABNORMAL);
    assert_int_equal(find(&world, true)->transport.err, want_err);
    tls_world_done(&world);
}

static void ends_without_a_close_frame_are_1006(void **state)
{
    static const int versions[] = {TLS1_3_VERSION, TLS1_2_VERSION};
    for (size_t i = 0; i < WEFT_ARRAY_LEN(versions); i++) {
        end_badly(state, HOW_EOF, versions[i], WEFT_ERR_CLOSED);
        end_badly(state, HOW_NOTIFY, versions[i], WEFT_ERR_CLOSED);
        end_badly(state, HOW_ALERT, versions[i], WEFT_ERR_TLS);
        end_badly(state, HOW_TAMPER, versions[i], WEFT_ERR_TLS);
        end_badly(state, HOW_GARBAGE, versions[i], WEFT_ERR_TLS);
    }
}

static void what_is_no_tls_gets_an_alert_and_plain_http_an_answer(void **state)
{
    struct world world;
    uint8_t answer[1024];
    tls_world_init(&world, state, plain_options, NULL, NULL);
    world.stop_at = SIZE_MAX;
    int fd = raw_connect(&world);
    pass(&world, 5);
    static const uint8_t junk[300] = {0x16, 3, 1, 0, 200, 9, 9, 9};
    raw_send(fd, junk, sizeof(junk));
    size_t len = raw_rest(&world, fd, answer, sizeof(answer));
    (void)close(fd);
    assert_true(len >= 7);
    assert_int_equal(answer[0], 0x15);
    assert_int_equal(find(&world, true)->transport.err, WEFT_ERR_TLS);
    fd = raw_connect(&world);
    pass(&world, 5);
    raw_send(fd, "G", 1); /* one byte says it */
    pass(&world, 5);
    raw_send(fd, upgrade + 1, sizeof(upgrade) - 2);
    len = raw_rest(&world, fd, answer, sizeof(answer));
    (void)close(fd);
    assert_true(len > 50);
    assert_memory_equal(answer, "HTTP/1.1 400 ", 13);
    assert_non_null(memmem(answer, len, "this port speaks TLS", 20));
    fd = raw_connect(&world);
    raw_send(fd, "\x80\x2e\x01", 3);
    (void)shutdown(fd, SHUT_WR);
    (void)raw_rest(&world, fd, answer, sizeof(answer));
    (void)close(fd);
    assert_int_equal(world.set.stats.tls_failures, 3);
    tls_world_done(&world);
}

static void random_bytes_never_do_more_than_end_a_connection(void **state)
{
    struct world world;
    struct test_random rng;
    test_random_init(&rng, "io_tls");
    tls_world_init(&world, state, plain_options, NULL, NULL);
    world.stop_at = SIZE_MAX;
    for (int i = 0; i < 100; i++) {
        uint8_t bytes[256];
        uint8_t answer[1024];
        size_t len = 1 + test_random_below(&rng, sizeof(bytes));
        for (size_t n = 0; n < len; n++)
            bytes[n] = (uint8_t)test_random_below(&rng, 256);
        if (i % 2) /* as a record, and as a beginning of a ClientHello */
            memcpy(bytes, "\x16\x03\x01\x00\x80\x01\x00\x00\x7c\x03\x03", len < 11 ? len : 11);
        int fd = raw_connect(&world);
        pass(&world, 1);
        raw_send(fd, bytes, len);
        (void)shutdown(fd, SHUT_WR);
        (void)raw_rest(&world, fd, answer, sizeof(answer));
        (void)close(fd);
    }
    assert_int_equal(world.set.stats.tls_handshakes, 0);
    tls_world_done(&world);
}

/* ---- Time ---- */

static void handshake_has_to_be_over_in_time(void **state)
{
    struct world world;
    struct tls_peer peer;
    tls_world_init(&world, state, (struct weft_transport_options){.handshake_ms = 80}, NULL, NULL);
    world.stop_at = SIZE_MAX;
    /* Silence, and a ClientHello that drips in. */
    int fd = raw_connect(&world);
    tls_peer_init(&peer, &world);
    tls_peer_connect(&peer, "localhost");
    (void)SSL_do_handshake(peer.ssl);
    uint8_t hello[2048];
    int len = BIO_read(peer.out, hello, sizeof(hello));
    uint64_t before_ns = weft__clock_now_ns();
    for (int i = 0; i < len && (world.open || world.count < 2); i++) {
        (void)send(peer.fd, hello + i, 1, MSG_NOSIGNAL);
        pass(&world, 4);
    }
    assert_int_equal(world.count, 2);
    assert_int_equal(world.open, 0);
    assert_in_range((weft__clock_now_ns() - before_ns) / WEFT_NS_PER_MS, 75, 1500);
    for (size_t i = 0; i < world.count; i++)
        assert_int_equal(world.sides[i]->transport.err, WEFT_ERR_TIMEOUT);
    (void)close(fd);
    tls_peer_done(&peer);
    tls_world_done(&world);
}

/* TLS answers a request for new keys with new keys of its own: that is no progress. */
static void talk_inside_tls_does_not_postpone_the_deadline(void **state)
{
    struct world world;
    struct tls_peer peer;
    tls_world_init(&world, state, (struct weft_transport_options){.handshake_ms = 100}, NULL, NULL);
    world.stop_at = SIZE_MAX;
    tls_peer_init(&peer, &world);
    tls_peer_connect(&peer, "localhost");
    assert_true(tls_peer_handshake(&peer));
    uint64_t before_ns = weft__clock_now_ns();
    for (int i = 0; i < 60 && world.open; i++) {
        size_t written;
        assert_int_equal(SSL_key_update(peer.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        (void)SSL_write_ex(peer.ssl, "G", i == 0, &written);
        (void)SSL_do_handshake(peer.ssl);
        tls_peer_pump(&peer);
        pass(&world, 30);
    }
    assert_int_equal(world.open, 0);
    assert_in_range((weft__clock_now_ns() - before_ns) / WEFT_NS_PER_MS, 20, 1500);
    tls_peer_done(&peer);
    tls_world_done(&world);
}

static void answer_at_length(struct side *side, const struct weft_http1_head *head)
{
    (void)head;
    assert_ok(weft__transport_respond(
        &side->transport, WEFT_SLICE_LIT("HTTP/1.1 200 OK\r\nContent-Length: 4194304\r\n\r\n"),
        weft__slice(huge, 4194304), NULL, false));
}

static void a_client_that_says_no_more_still_gets_its_answer(void **state)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    static uint8_t got[4194304 + 4096];
    struct world world;
    struct tls_peer peer;
    tls_world_init(&world, state, plain_options, NULL, NULL);
    world.stop_at = SIZE_MAX;
    world.request = answer_at_length;
    tls_peer_init(&peer, &world);
    tls_peer_connect(&peer, "localhost");
    assert_true(tls_peer_handshake(&peer));
    size_t written;
    int error;
    assert_int_equal(SSL_write_ex(peer.ssl, request, sizeof(request) - 1, &written), 1);
    (void)SSL_shutdown(peer.ssl);
    size_t len = tls_peer_read(&peer, got, sizeof(got), &error);
    assert_true(len > 4194304);
    assert_int_equal(error, SSL_ERROR_ZERO_RETURN);
    tls_peer_done(&peer);
    tls_world_done(&world);
}

static void peer_that_never_reads_is_given_up(void **state)
{
    struct world world;
    struct tls_peer peer;
    tls_world_init(&world, state,
                   (struct weft_transport_options){
                       .pause_bytes = 256 * 1024, .stall_ms = 800, .drop_bytes = SIZE_MAX},
                   NULL, NULL);
    world.stop_at = SIZE_MAX;
    tls_peer_init(&peer, &world);
    tls_peer_connect(&peer, "localhost");
    assert_true(tls_peer_handshake(&peer));
    tls_peer_upgrade(&peer);
    int size = 32 * 1024;
    assert_int_equal(setsockopt(peer.fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
    struct side *server = find(&world, true);
    for (int i = 0; i < 400; i++)
        assert_ok(weft__transport_send(&server->transport, WEFT_WS_OPCODE_BINARY,
                                       weft__slice(huge, 65536)));
    pass(&world, 20);
    assert_false(server->closed);
    for (int i = 0; i < 3000 && world.open; i++)
        pass(&world, 2);
    assert_int_equal(world.open, 0);
    assert_int_equal(world.set.stats.stalls, 1);
    assert_int_equal(server->transport.err, WEFT_ERR_TIMEOUT);
    tls_peer_done(&peer);
    tls_world_done(&world);
}

static void slow_reader_gets_everything(void **state)
{
    enum { MESSAGES = 40, LEN = 65536 };
    struct world world;
    struct tls_peer peer;
    tls_world_init(&world, state, (struct weft_transport_options){.pause_bytes = 256 * 1024}, NULL,
                   NULL);
    world.stop_at = SIZE_MAX;
    fill_huge();
    tls_peer_init(&peer, &world);
    tls_peer_connect(&peer, "localhost");
    assert_true(tls_peer_handshake(&peer));
    tls_peer_upgrade(&peer);
    struct side *server = find(&world, true);
    for (int i = 0; i < MESSAGES; i++)
        assert_ok(weft__transport_send(&server->transport, WEFT_WS_OPCODE_BINARY,
                                       weft__slice(huge, LEN)));
    assert_in_range(weft__transport_unsent(&server->transport), MESSAGES * LEN,
                    MESSAGES * (LEN + 10));
    static uint8_t got[10 + LEN];
    for (int i = 0; i < MESSAGES; i++) {
        assert_int_equal(tls_peer_read(&peer, got, sizeof(got), NULL), sizeof(got));
        assert_memory_equal(got + 10, huge, LEN);
    }
    pass(&world, 5);
    assert_int_equal(weft__transport_unsent(&server->transport), 0);
    assert_int_equal(server->drains, 1);
    tls_peer_done(&peer);
    pass(&world, 20);
    tls_world_done(&world);
}

/* ---- Memory ---- */

static void connection_at_rest_owns_no_buffer(void **state)
{
    struct world world;
    tls_world_init(&world, state, plain_options, NULL, NULL);
    struct side *client = dial(&world);
    for (int i = 0; i < TLS_PATIENCE && !client->opens; i++)
        pass(&world, 1);
    pass(&world, 10);
    size_t before = world.mem.live_bytes - world.set.pool.unused;
    for (int i = 0; i < 3; i++)
        assert_ok(weft__transport_send(&client->transport, WEFT_WS_OPCODE_BINARY,
                                       weft__slice(huge, 70000)));
    for (int i = 0; i < TLS_PATIENCE && client->messages < 3; i++)
        pass(&world, 1);
    pass(&world, 10);
    size_t batches = 0;
    for (const struct weft_outq_batch *batch = world.set.pool.batches; batch; batch = batch->next)
        batches += sizeof(*batch);
    assert_in_range(world.mem.live_bytes - world.set.pool.unused, before - 4096, before + batches);
    close_side(client, 1000, "");
    io_run(world.loop, 5000);
    tls_world_done(&world);
}

struct failing {
    enum weft_loop_backend backend;
    struct weft_tls_context *serve;
    struct weft_tls_context *dialing;
};

static void accept_or_close(struct weft_listener *listener, int fd, const struct weft_address *peer)
{
    (void)peer;
    struct world *world = WEFT_CONTAINER_OF(listener, struct world, listener);
    struct side *side = side_new(world);
    if (!weft__transport_serve(&side->transport, &world->set, fd, &callbacks))
        return;
    (void)close(fd);
    side->closed = true;
    world->open--;
}

static int run_session(const struct weft_alloc *alloc, void *ctx)
{
    static const struct weft_listener_callbacks accepting = {accept_or_close, on_listener_closed};
    const struct failing *failing = ctx;
    struct world world = {.stop_at = 2, .goal = 2};
    struct weft_transport_options options = {.alloc = alloc,
                                             .crypto = weft__crypto_openssl(),
                                             .tls_serve = failing->serve,
                                             .tls_dial = failing->dialing};
    world.loop = io_loop_new(failing->backend, NULL, 0, 0);
    weft__transport_set_init(&world.set, world.loop, &options);
    assert_ok(weft__address_parse("127.0.0.1:0", &world.address));
    assert_ok(weft__listener_open(&world.listener, world.loop, &world.address, 0, &accepting));
    assert_ok(weft__listener_address(&world.listener, &world.address));
    struct side *client = side_new(&world);
    client->request =
        (struct weft_ws_request){.host = WEFT_SLICE_LIT("test"), .target = WEFT_SLICE_LIT("/ws")};
    int err = weft__transport_dial(&client->transport, &world.set, &world.address, &client->request,
                                   &client->dial, &callbacks);
    if (err) {
        client->closed = true;
        world.open--;
    }
    for (int i = 0; !err && i < 2000 && world.open + (world.count < 2); i++) {
        pass(&world, 1);
        if (!client->opens || client->ends || client->bytes || client->drains)
            continue;
        client->drains = 1; /* sent */
        err = weft__transport_send(&client->transport, WEFT_WS_OPCODE_BINARY,
                                   weft__slice(huge, 70000));
        if (!err)
            err =
                weft__transport_send(&client->transport, WEFT_WS_OPCODE_TEXT, WEFT_SLICE_LIT("x"));
        assert_true(err == 0 || err == WEFT_ERR_NOMEM || err == WEFT_ERR_STATE);
        err = 0;
    }
    assert_int_equal(world.open, 0);
    if (!err)
        err = client->messages == 2 && !client->transport.err ? 0 : WEFT_ERR_NOMEM;
    weft__listener_close(&world.listener);
    io_run(world.loop, 5000);
    weft__transport_set_done(&world.set);
    weft__loop_free(world.loop);
    for (size_t i = 0; i < world.count; i++)
        free(world.sides[i]);
    return err;
}

static void any_failed_allocation_ends_only_the_connection(void **state)
{
    const struct weft_tls_certificate certificate = {files.local.cert, files.local.key};
    struct failing failing = {
        .backend = io_backend(state),
        .serve = tls_context(
            &(struct weft_tls_options){.certificates = &certificate, .certificate_count = 1}),
        .dialing = tls_context(
            &(struct weft_tls_options){.role = WEFT_TLS_CLIENT, .ca_file = files.ca.cert}),
    };
    assert_true(test_each_alloc_failure(run_session, &failing) > 8);
    weft__tls_context_free(failing.serve);
    weft__tls_context_free(failing.dialing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_of_all_sizes_come_back_unchanged),
        cmocka_unit_test(small_messages_of_a_tick_share_records),
        cmocka_unit_test(each_version_is_served_but_old_ones),
        cmocka_unit_test(lowest_version_can_be_13),
        cmocka_unit_test(name_asked_for_chooses_the_certificate),
        cmocka_unit_test(alpn_is_http_1_1_or_a_refusal),
        cmocka_unit_test(compression_renegotiation_and_many_tickets_are_not_given),
        cmocka_unit_test(sessions_are_resumed_also_across_a_reload),
        cmocka_unit_test(client_refuses_servers_that_are_not_who_they_should_be),
        cmocka_unit_test(verification_can_be_turned_off_for_tests),
        cmocka_unit_test(certificates_of_clients_are_asked_for_and_verified),
        cmocka_unit_test(ciphertext_may_come_in_any_pieces),
        cmocka_unit_test(close_notify_is_said_and_understood),
        cmocka_unit_test(ends_without_a_close_frame_are_1006),
        cmocka_unit_test(what_is_no_tls_gets_an_alert_and_plain_http_an_answer),
        cmocka_unit_test(random_bytes_never_do_more_than_end_a_connection),
        cmocka_unit_test(handshake_has_to_be_over_in_time),
        cmocka_unit_test(talk_inside_tls_does_not_postpone_the_deadline),
        cmocka_unit_test(a_client_that_says_no_more_still_gets_its_answer),
        cmocka_unit_test(peer_that_never_reads_is_given_up),
        cmocka_unit_test(slow_reader_gets_everything),
        cmocka_unit_test(connection_at_rest_owns_no_buffer),
        cmocka_unit_test(any_failed_allocation_ends_only_the_connection),
        cmocka_unit_test(reload_drops_nobody_and_newcomers_get_the_new_certificate),
    };
    (void)tls_files_make();
    int failures = io_run_tests_above("io_tls", tests, WEFT_ARRAY_LEN(tests));
    test_certs_done(&files.certs);
    return failures;
}
