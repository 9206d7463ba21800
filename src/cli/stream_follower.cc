#include <fmt/format.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <optional>

#include "cli/http_client.h"

namespace gyre::cli {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::chrono::seconds kSilenceMax{60};       // the server speaks every 15 s
constexpr std::chrono::seconds kSilenceOfOneMax{20};  // where another may have taken over
constexpr std::chrono::milliseconds kRetryAfter{250};

/// One stream: connects, reads events, and connects again when it breaks off.
class Reader {
 public:
  struct Owner {
    asio::io_context& context;
    const ServerAddress& address;
    std::chrono::seconds patience;
    std::function<void(std::optional<Failure>)> on_end;
  };

  Reader(Owner owner, std::string target, std::string resume,
         std::function<void(const StreamEvent&)> on_event)
      : owner_(std::move(owner)),
        target_(std::move(target)),
        last_id_(std::move(resume)),
        on_event_(std::move(on_event)),
        timer_(owner_.context) {}

  void start() {
    gone_since_ = asio::steady_timer::clock_type::now();
    connect();
  }

 private:
  void connect();
  void send();
  void read_header();
  void read_body();
  void take(std::string_view bytes);
  void take_line(std::string_view line);
  void retry(const error_code& error);
  void refuse();
  const ServerAddress& address() const {
    const auto& others = owner_.address.others;
    return turn_ == 0 ? owner_.address : others[turn_ - 1];
  }
  std::chrono::seconds silence_max() const {
    return owner_.address.others.empty() ? kSilenceMax : kSilenceOfOneMax;
  }

  Owner owner_;
  std::string target_;
  std::string last_id_;
  std::function<void(const StreamEvent&)> on_event_;
  asio::steady_timer timer_;
  std::optional<beast::tcp_stream> stream_;
  beast::flat_buffer buffer_;
  http::request<http::empty_body> request_;
  std::optional<http::response_parser<http::buffer_body>> parser_;
  char chunk_[16 * 1024];
  std::string line_;
  std::string refusal_;
  StreamEvent event_;
  asio::steady_timer::time_point gone_since_;
  std::size_t turn_ = 0;  // of the servers that there are
  bool told_ = false;
  bool ended_ = false;
};

void Reader::connect() {
  error_code error;
  const auto ends =
      tcp::resolver(owner_.context).resolve(address().bare_host(), address().port, error);
  if (error) return retry(error);
  stream_.emplace(owner_.context);
  buffer_.clear();
  line_.clear();
  refusal_.clear();
  event_ = {};
  stream_->expires_after(silence_max());
  stream_->async_connect(ends, [this](error_code failed, const tcp::endpoint&) {
    if (failed) return retry(failed);
    send();
  });
}

void Reader::send() {
  request_ = {http::verb::get, target_, 11};
  request_.set(http::field::host, address().host + ":" + address().port);
  request_.set(http::field::accept, "text/event-stream");
  if (!last_id_.empty()) request_.set("Last-Event-ID", last_id_);
  http::async_write(*stream_, request_, [this](error_code failed, std::size_t) {
    if (failed) return retry(failed);
    read_header();
  });
}

void Reader::read_header() {
  parser_.emplace();
  parser_->body_limit(std::numeric_limits<std::uint64_t>::max());
  http::async_read_header(*stream_, buffer_, *parser_, [this](error_code failed, std::size_t) {
    if (failed) return retry(failed);
    told_ = false;
    read_body();
  });
}

void Reader::read_body() {
  if (parser_->is_done()) {
    if (parser_->get().result_int() != 200) return refuse();
    return retry(http::error::end_of_stream);
  }
  parser_->get().body().data = chunk_;
  parser_->get().body().size = sizeof(chunk_);
  stream_->expires_after(silence_max());
  http::async_read_some(*stream_, buffer_, *parser_, [this](error_code failed, std::size_t) {
    if (failed == http::error::need_buffer) failed = {};
    if (failed) return retry(failed);
    const std::string_view bytes(chunk_, sizeof(chunk_) - parser_->get().body().size);
    if (parser_->get().result_int() != 200) {
      refusal_ += bytes;
    } else {
      gone_since_ = asio::steady_timer::clock_type::now();
      take(bytes);
    }
    if (ended_) return owner_.on_end(std::nullopt);
    read_body();
  });
}

void Reader::take(std::string_view bytes) {
  while (!bytes.empty() && !ended_) {
    const std::size_t end = bytes.find('\n');
    line_ += bytes.substr(0, end);
    if (end == bytes.npos) return;
    bytes.remove_prefix(end + 1);
    take_line(line_);
    line_.clear();
  }
}

void Reader::take_line(std::string_view line) {
  if (line.empty()) {
    if (!event_.id.empty()) last_id_ = event_.id;
    if (event_.name == "end") {
      ended_ = true;
    } else if (!event_.name.empty()) {
      on_event_(event_);
    }
    event_ = {};
    return;
  }
  const std::size_t colon = line.find(':');
  const std::string_view field = line.substr(0, colon);
  std::string_view value = colon == line.npos ? std::string_view{} : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field == "id") event_.id = value;
  if (field == "event") event_.name = value;
  if (field == "data") event_.data = value;
}

void Reader::retry(const error_code& error) {
  if (error == asio::error::operation_aborted) return;
  const auto now = asio::steady_timer::clock_type::now();
  if (now - gone_since_ >= owner_.patience) {
    return owner_.on_end(Failure{
        kError, fmt::format("no server answers at {} ({}): start one with 'gyre up'; jobs go on",
                            address().text(), error.message())});
  }
  if (!std::exchange(told_, true)) {
    fmt::print(stderr, "gyre: the server at {} went away; waiting for it to come back\n",
               address().text());
  }
  turn_ = (turn_ + 1) % (owner_.address.others.size() + 1);
  timer_.expires_after(kRetryAfter);
  timer_.async_wait([this](error_code aborted) {
    if (!aborted) connect();
  });
}

void Reader::refuse() {
  const bool standby = is_from_standby(static_cast<int>(parser_->get().result_int()), refusal_);
  if (standby && !owner_.address.others.empty()) {
    return retry(http::error::end_of_stream);
  }
  HttpAnswer answer;
  answer.status = static_cast<int>(parser_->get().result_int());
  answer.body = refusal_;
  owner_.on_end(failure_of(answer));
}

}  // namespace

struct StreamFollower::Impl {
  asio::io_context context{1};
  ServerAddress address;
  std::chrono::seconds patience{0};
  std::vector<std::unique_ptr<Reader>> readers;
  std::function<bool()> interrupt;
  std::optional<asio::signal_set> signals;
  std::size_t open = 0;
  End end = End::Finished;
  std::optional<Failure> failure;

  void wait_for_signal() {
    signals->async_wait([this](error_code aborted, int) {
      if (aborted) return;
      if (interrupt()) return wait_for_signal();
      end = End::Interrupted;
      context.stop();
    });
  }
  void on_end(std::optional<Failure> why) {
    if (why) failure = std::move(why);
    if (failure || --open == 0) context.stop();
  }
};

StreamFollower::StreamFollower(ServerAddress address, int patience_s)
    : impl_(std::make_unique<Impl>()) {
  impl_->address = std::move(address);
  impl_->patience = std::chrono::seconds(patience_s);
}

StreamFollower::~StreamFollower() = default;

void StreamFollower::add(std::string target, std::string resume,
                         std::function<void(const StreamEvent&)> on_event) {
  Reader::Owner owner{
      impl_->context, impl_->address, impl_->patience,
      [impl = impl_.get()](std::optional<Failure> why) { impl->on_end(std::move(why)); }};
  impl_->readers.push_back(std::make_unique<Reader>(std::move(owner), std::move(target),
                                                    std::move(resume), std::move(on_event)));
}

void StreamFollower::on_interrupt(std::function<bool()> handler) {
  impl_->interrupt = std::move(handler);
  impl_->signals.emplace(impl_->context, SIGINT, SIGTERM);
}

void StreamFollower::finish() { impl_->context.stop(); }

Outcome<StreamFollower::End> StreamFollower::run(std::int64_t seconds_max) {
  impl_->open = impl_->readers.size();
  for (auto& reader : impl_->readers) reader->start();
  if (impl_->interrupt) impl_->wait_for_signal();
  asio::steady_timer limit(impl_->context);
  if (seconds_max > 0) {
    limit.expires_after(std::chrono::seconds(seconds_max));
    limit.async_wait([this](error_code aborted) {
      if (aborted) return;
      impl_->end = End::TimedOut;
      impl_->context.stop();
    });
  }
  impl_->context.run();
  if (impl_->failure) return tl::unexpected(*impl_->failure);
  return impl_->end;
}

}  // namespace gyre::cli
