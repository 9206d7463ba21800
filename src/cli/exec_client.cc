#include "cli/exec_client.h"

#include <unistd.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <csignal>
#include <deque>
#include <optional>
#include <utility>

#include "cli/input_pump.h"
#include "cli/print.h"
#include "cli/terminal.h"
#include "server/api/exec_frames.h"

namespace gyre::cli {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;
using asio::ip::tcp;
using boost::system::error_code;
using server::ExecStreamId;

struct ExecClient::Impl {
  ServerAddress address;
  std::string target;
  bool terminal = false;

  asio::io_context context{1};
  websocket::stream<tcp::socket> stream{context};
  beast::flat_buffer buffer;
  std::deque<std::string> frames;  // the first is being written
  std::optional<asio::signal_set> signals;
  std::optional<RawTerminal> raw;
  std::optional<InputPump> input;
  std::optional<Outcome<int>> outcome;

  Outcome<void> connect();
  void read();
  void take(std::string_view frame);
  void send(std::string frame);
  void write();
  void on_input(std::string piece);
  void wait_for_signal();
  void end(Outcome<int> how);
};

Outcome<void> ExecClient::Impl::connect() {
  error_code error;
  const auto ends = tcp::resolver(context).resolve(address.bare_host(), address.port, error);
  if (!error) asio::connect(stream.next_layer(), ends, error);
  if (error) {
    return give_up(kError, "no server answers at {} ({}): start one with 'gyre up'", address.text(),
                   error.message());
  }
  error_code ignored;
  stream.next_layer().set_option(tcp::no_delay(true), ignored);
  stream.set_option(websocket::stream_base::decorator([](websocket::request_type& request) {
    request.set(beast::http::field::user_agent, "gyre/" GYRE_VERSION);
    request.set(beast::http::field::sec_websocket_protocol, server::kExecSubprotocol);
  }));
  // Only the asynchronous one hands out the answer of a server that declines.
  websocket::response_type answer;
  stream.async_handshake(answer, address.host + ":" + address.port, target,
                         [&](error_code how) { error = how; });
  context.run();
  context.restart();
  if (error == websocket::error::upgrade_declined) {
    HttpAnswer refusal;
    refusal.status = static_cast<int>(answer.result_int());
    refusal.body = std::move(answer.body());
    return tl::unexpected(failure_of(refusal));
  }
  if (error) {
    return give_up(kError, "the server at {} broke off: {}", address.text(), error.message());
  }
  stream.binary(true);
  stream.auto_fragment(false);
  return {};
}

void ExecClient::Impl::read() {
  stream.async_read(buffer, [this](error_code error, std::size_t) {
    if (error) {
      return end(give_up(kError,
                         "the connection to the server broke off ({}), which ends the command",
                         error.message()));
    }
    const auto data = buffer.cdata();
    take({static_cast<const char*>(data.data()), data.size()});
    buffer.consume(buffer.size());
    if (!outcome) read();
  });
}

void ExecClient::Impl::take(std::string_view frame) {
  if (frame.empty()) return;
  const auto kind = static_cast<ExecStreamId>(frame.front());
  frame.remove_prefix(1);
  if (kind == ExecStreamId::Output) write_all(STDOUT_FILENO, frame);
  if (kind == ExecStreamId::Errors) write_all(STDERR_FILENO, frame);
  if (kind != ExecStreamId::Status) return;
  const auto code = server::read_exec_status(frame);
  if (code) return end(*code);
  end(give_up(kError, "{}", terminal_safe(code.error().message)));
}

void ExecClient::Impl::send(std::string frame) {
  frames.push_back(std::move(frame));
  if (frames.size() == 1) write();
}

void ExecClient::Impl::write() {
  stream.async_write(asio::buffer(frames.front()), [this](error_code error, std::size_t) {
    if (error) return;  // the reader sees it, too
    const auto kind = static_cast<ExecStreamId>(frames.front().front());
    frames.pop_front();
    if (kind == ExecStreamId::Input) input->done();
    if (!frames.empty()) write();
  });
}

void ExecClient::Impl::on_input(std::string piece) {
  if (!piece.empty()) return send(server::exec_frame(ExecStreamId::Input, piece));
  send(server::exec_frame(ExecStreamId::Close,
                          std::string(1, static_cast<char>(ExecStreamId::Input))));
}

/// Without a terminal a signal ends this program, and with it the command.
void ExecClient::Impl::wait_for_signal() {
  signals->async_wait([this](error_code aborted, int signal) {
    if (aborted) return;
    if (signal != SIGWINCH) return end(128 + signal);
    const act::WindowSize size = window_size(STDIN_FILENO);
    send(server::exec_frame(ExecStreamId::Resize,
                            fmt::format(R"({{"Width":{},"Height":{}}})", size.columns, size.rows)));
    wait_for_signal();
  });
}

void ExecClient::Impl::end(Outcome<int> how) {
  if (!outcome) outcome = std::move(how);
  context.stop();
}

ExecClient::ExecClient(ServerAddress address, std::string target, bool terminal)
    : impl_(std::make_unique<Impl>()) {
  impl_->address = std::move(address);
  impl_->target = std::move(target);
  impl_->terminal = terminal;
}

ExecClient::~ExecClient() = default;

Outcome<int> ExecClient::run() {
  Impl& impl = *impl_;
  if (auto connected = impl.connect(); !connected) return tl::unexpected(connected.error());
  if (impl.terminal) {
    impl.signals.emplace(impl.context, SIGWINCH);
    // Whatever ends this program, the terminal becomes what it was.
    for (const int deadly : {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGPIPE}) impl.signals->add(deadly);
    impl.wait_for_signal();
    impl.raw.emplace(STDIN_FILENO);
  }
  impl.read();
  impl.input.emplace(STDIN_FILENO, [&impl](std::string piece) {
    asio::post(impl.context, [&impl, piece = std::move(piece)] { impl.on_input(piece); });
  });
  impl.context.run();
  impl.input.reset();
  impl.raw.reset();
  return std::move(*impl.outcome);
}

}  // namespace gyre::cli
