#include "server/http/server.h"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace gyre::server::http {
namespace {

using boost::asio::ip::tcp;

/// A client that says exactly what it is told to.
class Client {
 public:
  explicit Client(const Server& server) : socket_(context_) {
    const std::string authority = server.authority();
    const auto port = authority.substr(authority.rfind(':') + 1);
    boost::asio::connect(socket_, tcp::resolver(context_).resolve("127.0.0.1", port));
  }
  void send(std::string_view text) { boost::asio::write(socket_, boost::asio::buffer(text)); }
  /// Reads until `text` has come, or the end.
  std::string read_until(std::string_view text) {
    char byte = 0;
    boost::system::error_code error;
    while (got_.find(text) == got_.npos && !error) {
      if (boost::asio::read(socket_, boost::asio::buffer(&byte, 1), error) == 1) got_ += byte;
    }
    return std::exchange(got_, {});
  }
  std::string read_to_end() { return read_until("\x01never"); }
  void close() { socket_.close(); }

 private:
  boost::asio::io_context context_;
  tcp::socket socket_;
  std::string got_;
};

Response text_response(std::string body) {
  Response response;
  response.content_type = "text/plain";
  response.body = std::move(body);
  return response;
}

void echo(const Request& request, const Reply& reply) {
  reply([body = request.path + request.body] { return text_response(body); });
}

std::unique_ptr<Server> start(Handler handler, Limits limits = {}, int threads = 2) {
  auto server = Server::start({"127.0.0.1", 0}, limits, threads, std::move(handler));
  EXPECT_TRUE(server) << server.error().message;
  return std::move(*server);
}

const std::string kHost = "Host: localhost\r\n";

TEST(ServerTest, AnswersRequestsOnOneConnectionInTheirOrder) {
  const auto server = start(echo);
  Client client(*server);
  client.send("GET /one HTTP/1.1\r\n" + kHost + "\r\nGET /two HTTP/1.1\r\n" + kHost + "\r\n");
  EXPECT_NE(client.read_until("/one").find("HTTP/1.1 200 OK\r\n"), std::string::npos);
  EXPECT_NE(client.read_until("/two").find("HTTP/1.1 200 OK\r\n"), std::string::npos);
  client.send("GET /three HTTP/1.1\r\n" + kHost + "Connection: close\r\n\r\n");
  EXPECT_NE(client.read_to_end().find("/three"), std::string::npos);
}

TEST(ServerTest, HeadHasNoBody) {
  const auto server = start(echo);
  Client client(*server);
  client.send("HEAD /one HTTP/1.1\r\n" + kHost + "Connection: close\r\n\r\n");
  const std::string answer = client.read_to_end();
  EXPECT_NE(answer.find("Content-Length: 4"), std::string::npos);
  EXPECT_TRUE(answer.ends_with("\r\n\r\n"));
}

TEST(ServerTest, ARequestThatNeverEndsGets408) {
  Limits limits;
  limits.request_max = milliseconds(50);
  const auto server = start(echo, limits);
  Client client(*server);
  client.send("GET /slow HTTP/1.1\r\nHo");
  EXPECT_NE(client.read_to_end().find("408 Request Timeout"), std::string::npos);
}

TEST(ServerTest, AnIdleConnectionIsClosed) {
  Limits limits;
  limits.idle_max = milliseconds(50);
  const auto server = start(echo, limits);
  Client client(*server);
  EXPECT_EQ(client.read_to_end(), "");
}

TEST(ServerTest, ATooLargeBodyIsRefusedAndTheAnswerArrives) {
  Limits limits;
  limits.parser.body_bytes_max = 1000;
  const auto server = start(echo, limits);
  Client client(*server);
  client.send("POST / HTTP/1.1\r\n" + kHost + "Content-Length: 5000\r\n\r\n" +
              std::string(5000, 'x'));
  EXPECT_NE(client.read_to_end().find("413 Content Too Large"), std::string::npos);
}

TEST(ServerTest, WhoWaitsLongestMakesRoomForTheNext) {
  Limits limits;
  limits.connections_max = 2;
  const auto server = start(echo, limits, 1);
  Client slow(*server);
  slow.send("GET /slow HTTP/1.1\r\nHo");
  Client kept(*server);
  for (int i = 0; i < 10; ++i) {
    Client next(*server);
    next.send("GET /next HTTP/1.1\r\n" + kHost + "\r\n");
    EXPECT_NE(next.read_until("/next").find("200 OK"), std::string::npos) << i;
    if (i == 0) {
      EXPECT_EQ(slow.read_to_end(), "");
      kept.send("GET /kept HTTP/1.1\r\n" + kHost + "\r\n");  // so it waits anew
      EXPECT_NE(kept.read_until("/kept").find("200 OK"), std::string::npos);
    }
  }
}

TEST(ServerTest, AHandlerThatNeverAnswersGets504) {
  Limits limits;
  limits.answer_max = milliseconds(50);
  const auto server = start([](const Request&, const Reply&) {}, limits);
  Client client(*server);
  client.send("GET / HTTP/1.1\r\n" + kHost + "\r\n");
  EXPECT_NE(client.read_to_end().find("504 Gateway Timeout"), std::string::npos);
}

TEST(ServerTest, RepliesComeFromOtherThreads) {
  std::thread other;
  const auto server = start([&](const Request& request, Reply reply) {
    other = std::thread([reply = std::move(reply), path = request.path] {
      reply([path] { return text_response(path); });
      reply([] { return text_response("a second answer"); });
    });
  });
  Client client(*server);
  client.send("GET /far HTTP/1.1\r\n" + kHost + "Connection: close\r\n\r\n");
  EXPECT_TRUE(client.read_to_end().ends_with("/far"));
  other.join();
}

/// Counts up, one number for each wake-up; its end can be waited for.
struct Counter {
  std::mutex mutex;
  std::condition_variable changed;
  std::function<void()> wake;
  bool gone = false;

  void wait_until_open() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return wake != nullptr; });
  }
  void wait_until_gone() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return gone; });
  }
};

class CountingStream final : public Stream {
 public:
  explicit CountingStream(Counter& counter) : counter_(counter) {}
  ~CountingStream() override {
    const std::lock_guard lock(counter_.mutex);
    counter_.gone = true;
    counter_.changed.notify_all();
  }
  void open(std::function<void()> wake) override {
    const std::lock_guard lock(counter_.mutex);
    counter_.wake = std::move(wake);
    counter_.changed.notify_all();
  }
  State read(std::string& out) override {
    out += "data: " + std::to_string(count_++) + "\n\n";
    return State::Idle;
  }

 private:
  Counter& counter_;
  int count_ = 0;
};

Handler stream_of(Counter& counter) {
  return [&counter](const Request&, const Reply& reply) {
    reply([&counter] {
      Response response;
      response.content_type = "text/event-stream";
      response.stream = std::make_unique<CountingStream>(counter);
      return response;
    });
  };
}

TEST(ServerTest, AStreamGoesOnWhenItIsWoken) {
  Counter counter;
  const auto server = start(stream_of(counter));
  Client client(*server);
  client.send("GET / HTTP/1.1\r\n" + kHost + "\r\n");
  client.read_until("data: 0\n\n");
  counter.wake();
  client.read_until("data: 1\n\n");
  client.close();
  counter.wait_until_gone();
}

TEST(ServerTest, OneConnectionTooManyGets503WhereNoneWaits) {
  Counter counter;
  Limits limits;
  limits.connections_max = 1;
  const auto server = start(stream_of(counter), limits);
  Client first(*server);
  first.send("GET / HTTP/1.1\r\n" + kHost + "\r\n");
  first.read_until("data: 0\n\n");
  Client second(*server);
  EXPECT_NE(second.read_to_end().find("503 Service Unavailable"), std::string::npos);
}

TEST(ServerTest, ASilentStreamHasAHeartbeat) {
  Counter counter;
  Limits limits;
  limits.heartbeat = milliseconds(20);
  const auto server = start(
      [&](const Request&, const Reply& reply) {
        reply([&] {
          struct Silent final : Stream {
            void open(std::function<void()>) override {}
            State read(std::string&) override { return State::Poll; }
          };
          Response response;
          response.stream = std::make_unique<Silent>();
          return response;
        });
      },
      limits);
  Client client(*server);
  client.send("GET / HTTP/1.1\r\n" + kHost + "\r\n");
  EXPECT_NE(client.read_until("\n:\n").find("2\r\n:\n"), std::string::npos);
}

TEST(ServerTest, StoppingEndsStreamsAndTakesNoMore) {
  Counter counter;
  const auto server = start(stream_of(counter));
  Client client(*server);
  client.send("GET / HTTP/1.1\r\n" + kHost + "\r\n");
  client.read_until("data: 0\n\n");
  std::thread stopper([&] { server->stop(); });
  EXPECT_NE(client.read_to_end().find("0\r\n\r\n"), std::string::npos);
  client.close();
  stopper.join();
}

TEST(ServerTest, AReaderThatTakesNothingIsDropped) {
  Counter counter;
  Limits limits;
  limits.write_max = milliseconds(100);
  const auto server = start(
      [&](const Request&, const Reply& reply) {
        reply([&] {
          struct Flood final : Stream {
            explicit Flood(Counter& c) : counter(c) {}
            ~Flood() override {
              const std::lock_guard lock(counter.mutex);
              counter.gone = true;
              counter.changed.notify_all();
            }
            void open(std::function<void()>) override {}
            State read(std::string& out) override {
              out.assign(65536, 'x');
              return State::More;
            }
            Counter& counter;
          };
          Response response;
          response.stream = std::make_unique<Flood>(counter);
          return response;
        });
      },
      limits);
  Client client(*server);
  client.send("GET / HTTP/1.1\r\n" + kHost + "\r\n");
  counter.wait_until_gone();
}

TEST(ServerTest, APortInUseIsAConflict) {
  const auto server = start(echo);
  const auto port = server->authority().substr(server->authority().rfind(':') + 1);
  const auto second = Server::start(*parse_address(port), {}, 1, echo);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::Conflict);
  EXPECT_NE(second.error().message.find(port), std::string::npos);
}

TEST(AddressTest, ReadsLoopbackAddressesOnly) {
  EXPECT_EQ(parse_address("9000")->port, 9000);
  EXPECT_EQ(parse_address("localhost")->host, "127.0.0.1");
  EXPECT_EQ(parse_address("127.0.0.1:0")->port, 0);
  EXPECT_EQ(parse_address("[::1]:80")->host, "::1");
  EXPECT_EQ(parse_address("::1")->host, "::1");
  for (const char* wrong : {"0.0.0.0:80", "example.org", "127.0.0.1:99999", "127.0.0.1:x", "[::1",
                            "[::1]80", ":80", "192.168.0.1"}) {
    EXPECT_FALSE(parse_address(wrong)) << wrong;
  }
  EXPECT_NE(parse_address("99999").error().message.find("0 to 65535"), std::string::npos);
}

}  // namespace
}  // namespace gyre::server::http
