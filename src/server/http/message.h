#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gyre::server::http {

using Pairs = std::vector<std::pair<std::string, std::string>>;

/// A request whose head and body arrived whole. `path` and `query` are percent-decoded; header
/// names are in lower case.
struct Request {
  std::string method;
  std::string path;
  Pairs query;  // in the order given
  Pairs headers;
  std::string body;
  bool keep_alive = true;
  bool chunks_allowed = true;  // the client speaks HTTP/1.1

  /// Empty when absent.
  std::string_view header(std::string_view lower_name) const;
  std::optional<std::string_view> query_value(std::string_view name) const;
  /// The Content-Type without its parameters, in lower case.
  std::string media_type() const;
};

/// A stream of server-sent events (HTML standard, section 9.2), or of so many bytes as the response
/// says. Used by one I/O thread at a time.
class Stream {
 public:
  enum class State : std::uint8_t {
    More,  // call read() again as soon as this piece is written
    Idle,  // call read() again after wake()
    Poll,  // or after a tenth of a second: it reads what nobody announces
    End,
  };
  virtual ~Stream() = default;

  /// Called once, before read(). `wake` may be called from any thread, while the server lives.
  virtual void open(std::function<void()> wake) = 0;

  /// Appends what there is to `out`, about 64 KiB at most. Not called before the previous piece is
  /// written, so a slow reader holds one piece and no more.
  virtual State read(std::string& out) = 0;
};

/// The server's end of a WebSocket (RFC 6455) that carries binary messages. Used by one I/O thread
/// at a time; destroyed when the connection is gone.
class Channel {
 public:
  enum class State : std::uint8_t {
    Message,  // call read() again as soon as this one is written
    Idle,     // call read() again after wake()
    End,
  };
  virtual ~Channel() = default;

  /// Called once, before all else. `wake` may be called from any thread, while the server lives.
  virtual void open(std::function<void()> wake) = 0;

  /// Whether receive() may be called. While it may not, nothing is read and the client has to wait;
  /// asked again after wake().
  virtual bool ready() const = 0;

  /// One message of kMessageMax bytes at most. False: it breaks the protocol, and the connection is
  /// closed.
  virtual bool receive(std::string_view message) = 0;
  static constexpr std::size_t kMessageMax = 65'536;

  /// Makes `out` the next message. Not called before the one before it is written.
  virtual State read(std::string& out) = 0;
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  Pairs headers;
  std::string body;
  std::unique_ptr<Stream> stream;  // instead of `body`, when there is one
  // How many bytes the stream has; none: it is of events. One that ends before them is seen to have
  // broken off.
  std::optional<std::uint64_t> stream_bytes = std::nullopt;
  // Instead of all of these: the connection goes on as a WebSocket of this subprotocol. Only in
  // answer to what is_web_socket_request().
  std::unique_ptr<Channel> channel = nullptr;
  std::string subprotocol = {};
};

/// Makes a response; run on the connection's I/O thread, so that only there text is written.
using Answer = std::function<Response()>;

/// Answers one request; callable from any thread. The first call counts, later ones are ignored;
/// the client may be gone by then.
using Reply = std::function<void(Answer)>;

using Handler = std::function<void(Request, Reply)>;

/// The reason phrase of a status, "Not Found".
std::string_view reason_phrase(int status);

/// "%41+b" to "A b"; nullopt where an escape is broken or stands for NUL.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space);

/// "A b/ä" to "A%20b%2F%C3%A4": all but what needs no escape anywhere (RFC 3986, "unreserved").
std::string percent_encode(std::string_view text);

/// The head of `response`, empty line included. With a stream the length is unknown: chunks if the
/// client takes them, else until the end of the connection.
std::string response_head(const Response& response, bool keep_alive, bool chunked);

}  // namespace gyre::server::http
