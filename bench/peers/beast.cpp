// SPDX-License-Identifier: Apache-2.0
// Boost.Beast: one thread, asynchronous, as its fast and chat examples do it: a socket with the
// executor's own type (no type erasure), io_context for one thread (no locks), no fragmentation of what
// is sent, no timers. Echoes read, write and read again; a broadcast's message is kept once for all and
// waits in the queue of each receiver.
//
//     --port N --broadcast --deflate --tls CERT KEY
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <unordered_set>

namespace beast = boost::beast;
namespace net = boost::asio;
namespace websocket = beast::websocket;
using tcp = net::ip::tcp;
using error_code = beast::error_code;
using socket_type = net::basic_stream_socket<tcp, net::io_context::executor_type>;
using acceptor_type = net::basic_socket_acceptor<tcp, net::io_context::executor_type>;
using tls_type = beast::ssl_stream<socket_type>;

struct settings {
    unsigned short port = 0;
    bool broadcast = false;
    bool deflate = false;
    const char *cert = nullptr;
    const char *key = nullptr;
};

static constexpr std::size_t max_message = 16u << 20;

template <class Stream> class session : public std::enable_shared_from_this<session<Stream>> {
public:
    template <class... Args>
    explicit session(const settings &options, Args &&...args)
        : options_(options), ws_(std::forward<Args>(args)...)
    {
    }

    ~session() { all().erase(this); }

    void start()
    {
        if constexpr (std::is_same_v<Stream, tls_type>)
            ws_.next_layer().async_handshake(net::ssl::stream_base::server, bind(&session::upgrade));
        else
            upgrade({});
    }

private:
    using text = std::shared_ptr<const std::string>;

    static std::unordered_set<session *> &all()
    {
        static std::unordered_set<session *> sessions;
        return sessions;
    }

    // A completion handler that keeps this session alive.
    auto bind(void (session::*done)(error_code))
    {
        return [self = this->shared_from_this(), done](error_code error, std::size_t = 0) {
            if (!error)
                ((*self).*done)(error);
        };
    }

    void upgrade(error_code)
    {
        websocket::permessage_deflate deflate;
        deflate.server_enable = options_.deflate;
        deflate.server_no_context_takeover = true;
        deflate.client_no_context_takeover = true;
        ws_.set_option(deflate);
        ws_.auto_fragment(false);
        ws_.read_message_max(max_message);
        ws_.async_accept(bind(&session::accepted));
    }

    void accepted(error_code)
    {
        if (options_.broadcast)
            all().insert(this);
        read();
    }

    void read() { ws_.async_read(buffer_, bind(&session::received)); }

    void received(error_code)
    {
        if (!options_.broadcast) {
            ws_.binary(ws_.got_binary());
            ws_.async_write(buffer_.data(), bind(&session::echoed));
            return;
        }
        const auto message = std::make_shared<const std::string>(
            static_cast<const char *>(buffer_.data().data()), buffer_.size());
        buffer_.clear();
        for (session *one : all())
            one->send(message, ws_.got_binary());
        read();
    }

    void echoed(error_code)
    {
        buffer_.clear();
        read();
    }

    void send(const text &message, bool binary)
    {
        queue_.push_back(message);
        if (queue_.size() > 1)
            return;
        ws_.binary(binary);
        write();
    }

    void write() { ws_.async_write(net::buffer(*queue_.front()), bind(&session::sent)); }

    void sent(error_code)
    {
        queue_.pop_front();
        if (!queue_.empty())
            write();
    }

    const settings &options_;
    websocket::stream<Stream> ws_;
    beast::flat_buffer buffer_;
    std::deque<text> queue_;
};

class server {
public:
    explicit server(const settings &options)
        : options_(options), acceptor_(io_, tcp::endpoint(net::ip::address_v4::loopback(), options.port))
    {
        if (!options.cert)
            return;
        tls_.use_certificate_chain_file(options.cert);
        tls_.use_private_key_file(options.key, net::ssl::context::pem);
    }

    void run()
    {
        std::printf("listening on %u\n", static_cast<unsigned>(acceptor_.local_endpoint().port()));
        std::fflush(stdout);
        accept();
        io_.run();
    }

private:
    void accept()
    {
        acceptor_.async_accept([this](error_code error, socket_type socket) {
            if (!error) {
                socket.set_option(tcp::no_delay(true));
                if (options_.cert)
                    std::make_shared<session<tls_type>>(options_, std::move(socket), tls_)->start();
                else
                    std::make_shared<session<socket_type>>(options_, std::move(socket))->start();
            }
            accept();
        });
    }

    const settings &options_;
    net::io_context io_{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO};
    net::ssl::context tls_{net::ssl::context::tls_server};
    acceptor_type acceptor_;
};

int main(int argc, char **argv)
{
    settings options;
    for (int i = 1; i < argc; i++) {
        const std::string word = argv[i];
        if (word == "--broadcast") {
            options.broadcast = true;
        } else if (word == "--deflate") {
            options.deflate = true;
        } else if (word == "--port" && i + 1 < argc) {
            options.port = static_cast<unsigned short>(std::atoi(argv[++i]));
        } else if (word == "--tls" && i + 2 < argc) {
            options.cert = argv[++i];
            options.key = argv[++i];
        } else {
            std::fprintf(stderr, "unknown option: %s\n", argv[i]);
            return 2;
        }
    }
    try {
        server(options).run();
    } catch (const std::exception &problem) {
        std::fprintf(stderr, "beast: %s\n", problem.what());
        return 1;
    }
}
