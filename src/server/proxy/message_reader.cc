#include "server/proxy/message_reader.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <limits>
#include <utility>

#include "server/http/field_text.h"
#include "server/http/last_chunk.h"

namespace gyre::server::proxy {

namespace beast_http = boost::beast::http;
using boost::system::error_code;

namespace {

/// The parser takes another coding for none at all, where a server behind it may read chunks.
bool has_plain_framing(const Head& head) {
  std::size_t codings = 0;
  for (const auto& [name, value] : head.fields) {
    if (!http::same_word(name, "transfer-encoding")) continue;
    if (++codings > 1 || !http::same_word(http::trimmed(value), "chunked")) return false;
  }
  return true;
}

}  // namespace

std::string_view Head::field(std::string_view name) const {
  for (const auto& [known, value] : fields) {
    if (http::same_word(known, name)) return value;
  }
  return {};
}

bool Head::lists(std::string_view name, std::string_view token) const {
  return std::any_of(fields.begin(), fields.end(), [&](const auto& field) {
    return http::same_word(field.first, name) &&
           http::any_element(field.second,
                             [&](std::string_view one) { return http::same_word(one, token); });
  });
}

struct MessageReader::Parser {
  virtual ~Parser() = default;
  virtual std::size_t put(std::string_view input, error_code& error) = 0;
  virtual void put_eof(error_code& error) = 0;
  virtual bool is_done() const = 0;
  virtual bool has_head() const = 0;
  virtual bool needs_eof() const = 0;

  Head head;
  std::string body;
  bool started = false;
  bool starved = false;  // it has asked for more
};

template <bool kRequest>
struct MessageReader::ParserOf final : Parser, private beast_http::basic_parser<kRequest> {
  using Base = beast_http::basic_parser<kRequest>;

  ParserOf(std::size_t head_bytes_max, bool bodiless) {
    Base::header_limit(static_cast<std::uint32_t>(head_bytes_max));
    Base::body_limit(std::numeric_limits<std::uint64_t>::max());
    Base::eager(true);
    if (bodiless) Base::skip(true);
  }

  std::size_t put(std::string_view input, error_code& error) override {
    return Base::put(boost::asio::buffer(input.data(), input.size()), error);
  }
  void put_eof(error_code& error) override { Base::put_eof(error); }
  bool is_done() const override { return Base::is_done(); }
  bool has_head() const override { return Base::is_header_done(); }
  bool needs_eof() const override { return Base::need_eof(); }

 private:
  using Text = boost::beast::string_view;

  void on_request_impl(beast_http::verb, Text method, Text target, int version,
                       error_code&) override {
    this->head.method.assign(method.data(), method.size());
    this->head.target.assign(target.data(), target.size());
    this->head.http11 = version >= 11;
  }
  void on_response_impl(int code, Text reason, int version, error_code&) override {
    this->head.status = code;
    this->head.reason.assign(reason.data(), reason.size());
    this->head.http11 = version >= 11;
  }
  /// Trailers, which come by this way too, are dropped (RFC 9112, section 7.1.2).
  void on_field_impl(beast_http::field, Text name, Text value, error_code&) override {
    if (Base::is_header_done()) return;
    this->head.fields.emplace_back(std::string(name), std::string(value));
  }
  void on_header_impl(error_code& error) override {
    if (!has_plain_framing(this->head)) error = beast_http::error::bad_transfer_encoding;
    this->head.keep_alive = Base::keep_alive();
    this->head.chunked = Base::chunked();
    if (const auto length = Base::content_length()) this->head.length = *length;
  }
  void on_body_init_impl(boost::optional<std::uint64_t> const&, error_code&) override {}
  std::size_t on_body_impl(Text piece, error_code&) override {
    this->body.append(piece.data(), piece.size());
    return piece.size();
  }
  void on_chunk_header_impl(std::uint64_t, Text, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, Text piece, error_code&) override {
    this->body.append(piece.data(), piece.size());
    return piece.size();
  }
  void on_finish_impl(error_code&) override {}
};

MessageReader::MessageReader(Side side, std::size_t head_bytes_max)
    : side_(side), head_bytes_max_(head_bytes_max) {
  restart();
}

MessageReader::~MessageReader() = default;

void MessageReader::restart(bool bodiless) {
  if (side_ == Side::Request) {
    parser_ = std::make_unique<ParserOf<true>>(head_bytes_max_, bodiless);
  } else {
    parser_ = std::make_unique<ParserOf<false>>(head_bytes_max_, bodiless);
  }
  error_.clear();
  too_large_ = false;
}

bool MessageReader::feed(std::string& input) {
  std::size_t used = 0;
  bool good = true;
  while (used < input.size() && !parser_->is_done()) {
    const bool in_chunks = has_head() && parser_->head.chunked;
    if (in_chunks && parser_->starved && input.size() - used < http::kLastChunkBytes) break;
    error_code error;
    const std::size_t size = parser_->put(std::string_view(input).substr(used), error);
    parser_->started = true;
    used += size;
    parser_->starved = error == beast_http::error::need_more;
    if (parser_->starved) {
      // The parser has no limit for what frames a body: a chunk's extensions, and trailers.
      if (!has_head() || input.size() - used <= head_bytes_max_) break;
      error = beast_http::error::header_limit;
    }
    if (error) {
      error_ = error.message();
      too_large_ = error == beast_http::error::header_limit;
      good = false;
      break;
    }
    if (size == 0) break;
  }
  input.erase(0, used);
  return good;
}

bool MessageReader::end() {
  if (parser_->is_done()) return true;
  if (!parser_->started) {
    error_ = "nothing came";
    return false;
  }
  error_code error;
  parser_->put_eof(error);
  if (!error && parser_->is_done()) return true;
  error_ = error ? error.message() : "the message is cut off";
  return false;
}

bool MessageReader::started() const { return parser_->started; }
bool MessageReader::has_head() const { return parser_->has_head(); }
bool MessageReader::done() const { return parser_->is_done(); }
const Head& MessageReader::head() const { return parser_->head; }
std::string MessageReader::take_body() { return std::exchange(parser_->body, {}); }

}  // namespace gyre::server::proxy
