#include "server/proxy/prober.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <set>
#include <utility>

#include "server/proxy/message_reader.h"

namespace gyre::server::proxy {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::size_t kAnswerBytesMax = 16 * 1024;  // of a probe's answer that are read
constexpr Duration kFirstPause = milliseconds(10);  // doubles up to the period, until it is good
constexpr Duration kTellAgain = seconds(1);
constexpr Duration kFaultPauseMax = seconds(60);

using Verdict = std::function<void(bool good, std::string detail)>;

/// One question to one replica. Calls `done` once, in time; the answer is read as far as needed.
class Question : public std::enable_shared_from_this<Question> {
 public:
  Question(asio::io_context& context, const Probe& probe, Verdict done)
      : probe_(probe),
        socket_(context),
        timer_(context),
        answer_(MessageReader::Side::Response, kAnswerBytesMax),
        done_(std::move(done)) {}

  void ask(const tcp::endpoint& where) {
    timer_.expires_after(std::chrono::nanoseconds(probe_.timeout.ns));
    timer_.async_wait([self = shared_from_this()](error_code error) {
      if (!error) self->end(false, "no answer in time");
    });
    socket_.async_connect(where, [self = shared_from_this(), where](error_code error) {
      if (error) return self->end(false, error.message());
      if (self->probe_.kind == Probe::Kind::Tcp) return self->end(true, "");
      self->send(where);
    });
  }

  void end(bool good, const std::string& detail) {
    if (!done_) return;
    error_code ignored;
    timer_.cancel(ignored);
    socket_.close(ignored);
    std::exchange(done_, nullptr)(good, detail);
  }

 private:
  void send(const tcp::endpoint& where) {
    text_ = fmt::format(
        "GET {} HTTP/1.1\r\nHost: {}:{}\r\nUser-Agent: gyre-probe\r\n"
        "Accept: */*\r\nConnection: close\r\n\r\n",
        probe_.path, where.address().to_string(), where.port());
    asio::async_write(socket_, asio::buffer(text_),
                      [self = shared_from_this()](error_code error, std::size_t) {
                        error ? self->end(false, error.message()) : self->read();
                      });
  }

  void read() {
    socket_.async_read_some(
        asio::buffer(chunk_), [self = shared_from_this()](error_code error, std::size_t size) {
          if (error) return self->end(false, "it closed the connection");
          self->input_.append(self->chunk_.data(), size);
          if (!self->answer_.feed(self->input_)) return self->end(false, self->answer_.error());
          if (!self->answer_.has_head()) return self->read();
          const int status = self->answer_.head().status;
          self->end(status >= 200 && status < 400, fmt::format("status {}", status));
        });
  }

  const Probe probe_;
  tcp::socket socket_;
  asio::steady_timer timer_;
  MessageReader answer_;
  std::string text_;
  std::string input_;
  std::array<char, 2048> chunk_;
  Verdict done_;
};

std::string question_text(const Probe& probe) {
  if (probe.kind == Probe::Kind::Log) return fmt::format("'{}' in its log", probe.pattern);
  return probe.kind == Probe::Kind::Http ? fmt::format("GET {}", probe.path) : "connecting";
}

/// Looks for a text in one of a replica's logs, a piece at a time.
class LogSearch {
 public:
  std::uint64_t offset() const { return offset_; }
  bool found(const act::LogChunk& chunk, const std::string& text) {
    tail_ += chunk.data;
    offset_ = chunk.next_offset;
    const bool there = tail_.find(text) != std::string::npos;
    // What may be the beginning of it.
    if (tail_.size() >= text.size()) tail_.erase(0, tail_.size() - text.size() + 1);
    return there;
  }

 private:
  std::uint64_t offset_ = 0;
  std::string tail_;
};

}  // namespace

/// The probes of one run of a replica, as long as they stay the same. Dies with the last operation
/// that it waits for.
class Prober::Replica : public std::enable_shared_from_this<Replica> {
 public:
  /// `before`: what had other probes for the same run; null: nothing. What was found out once stays
  /// so: that the replica has started, and what its log, which may have lost it since, has said.
  Replica(Loop& loop, const Probes& probes, const Endpoint& endpoint, const Replica* before)
      : loop_(loop),
        probes_(probes),
        endpoint_(endpoint),
        started_(endpoint.ready || (before != nullptr && before->started_)) {
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      const Probe* now = probe(static_cast<Role>(i));
      const Probe* then = before != nullptr ? before->probe(static_cast<Role>(i)) : nullptr;
      const bool said = then != nullptr && before->lines_[i].said && now != nullptr &&
                        now->pattern == then->pattern;
      lines_[i].said = before != nullptr ? said : endpoint.ready;
    }
  }

  void start() { probes_.startup && !started_ ? begin(Role::Startup) : begin_rest(); }
  const Probes& probes() const { return probes_; }
  void update(const Endpoint& endpoint) {
    endpoint_ = endpoint;
    told_at_ = ready_ && *ready_ != endpoint.ready ? told_at_ : Duration{};
    tell();
  }
  void end() {
    over_ = true;
    for (Line& line : lines_) {
      if (line.timer) line.timer->cancel();
    }
  }

 private:
  enum class Role : std::uint8_t { Startup, Readiness, Liveness };
  struct Line {
    std::optional<asio::steady_timer> timer;
    std::optional<ProbeCount> count;
    Duration pause = kFirstPause;
    Duration counted_at;                // when a bad answer last counted
    std::array<LogSearch, 2> searches;  // of stdout and stderr
    int searches_open = 0;
    bool unread = false;  // a log's node is not connected
    bool said = false;
  };

  /// Null: there is none.
  const Probe* probe(Role role) const {
    if (role == Role::Readiness) return &probes_.readiness;
    const std::optional<Probe>& one = role == Role::Startup ? probes_.startup : probes_.liveness;
    return one ? &*one : nullptr;
  }
  Line& line(Role role) { return lines_[static_cast<std::size_t>(role)]; }

  void begin(Role role) {
    const Probe& what = *probe(role);
    line(role).timer.emplace(loop_.context);
    line(role).count.emplace(what.failure_threshold, what.success_threshold);
    line(role).counted_at = steady_now();
    ask(role);
  }
  void begin_rest() {
    started_ = true;
    begin(Role::Readiness);
    if (probes_.liveness) begin(Role::Liveness);
  }

  bool is_over() const { return over_ || loop_.stopping; }

  void ask(Role role) {
    if (is_over()) return;
    if (probe(role)->kind == Probe::Kind::Log) return search_log(role);
    const auto where = loop_.address(endpoint_);
    if (!where) return unreachable(role);
    std::make_shared<Question>(loop_.context, *probe(role),
                               [self = shared_from_this(), role](bool good, std::string detail) {
                                 self->answered(role, good, std::move(detail));
                               })
        ->ask(*where);
  }

  /// Its node is not connected. Requests do not reach it either; but nothing says that it is dead,
  /// and whether its node has failed is not for a probe to say.
  void unreachable(Role role) {
    if (role == Role::Readiness) return answered(role, false, "its node is not connected");
    if (!is_over()) again(role, false);
  }

  /// What has once been said stays said.
  void search_log(Role role) {
    Line& one = line(role);
    if (one.said) return answered(role, true, "");
    one.searches_open = static_cast<int>(one.searches.size());
    one.unread = false;
    for (std::size_t i = 0; i < one.searches.size(); ++i) {
      act::LogQuery query;
      query.job = endpoint_.key.job;
      query.attempt = endpoint_.key.attempt;
      query.stream = static_cast<act::LogStream>(i);
      query.offset = one.searches[i].offset();
      loop_.ports.read_log(query, [weak = weak_from_this(), role, i](Result<act::LogChunk> read) {
        const auto self = weak.lock();
        if (!self) return;
        asio::post(self->loop_.context, [weak, role, i, read = std::move(read)] {
          if (const auto alive = weak.lock()) alive->log_read(role, i, read);
        });
      });
    }
  }
  void log_read(Role role, std::size_t index, const Result<act::LogChunk>& read) {
    Line& one = line(role);
    if (read && one.searches[index].found(*read, probe(role)->pattern)) one.said = true;
    if (!read && read.error().kind == ErrorKind::Unavailable) one.unread = true;
    if (--one.searches_open > 0) return;
    if (one.unread && !one.said) return unreachable(role);
    answered(role, one.said, "it has not been said yet");
  }

  void answered(Role role, bool good, std::string detail) {
    if (is_over()) return;
    const auto says = count(role, good);
    if (!good) {
      static constexpr std::array<std::string_view, 3> kNames{"startup", "readiness", "liveness"};
      detail_ = fmt::format("{}: {}: {}", kNames[static_cast<std::size_t>(role)],
                            question_text(*probe(role)), detail);
    }
    if (role == Role::Startup && says == true) return begin_rest();
    if (role == Role::Readiness) ready_ = says;
    if (role != Role::Readiness && says == false) dead_ = true;
    if (role == Role::Liveness && says == true) dead_ = false;
    tell();
    again(role, good);
  }

  /// What is asked more often than once in a period, since the answer is awaited, is not held
  /// against the replica more often than that.
  std::optional<bool> count(Role role, bool good) {
    Line& one = line(role);
    const Duration now = steady_now();
    if (!good && now - one.counted_at < probe(role)->period) return one.count->says();
    if (!good) one.counted_at = now;
    return one.count->add(good);
  }

  void again(Role role, bool good) {
    Line& one = line(role);
    const Duration period = probe(role)->period;
    one.pause = good ? period : std::min(period, one.pause * 2);
    one.timer->expires_after(std::chrono::nanoseconds(one.pause.ns));
    one.timer->async_wait([self = shared_from_this(), role](error_code error) {
      if (!error) self->ask(role);
    });
  }

  /// Until the core knows. Why it is not ready is told once more when that is something else; the
  /// more seldom, the more often it was. A replica that is to go is asked no more whether it is
  /// ready.
  void tell() {
    const Duration now = steady_now();
    if (ready_ == true) {
      fault_told_.reset();
      fault_pause_ = {};
    }
    const bool changed = ready_ && *ready_ != endpoint_.ready;
    const bool fault = ready_ == false && fault_told_ != detail_ && now - told_at_ >= fault_pause_;
    if (endpoint_.draining || !(dead_ || changed || fault)) return;
    if (now - told_at_ < kTellAgain) return;
    told_at_ = now;
    if (ready_ == false && fault_told_ != detail_) {
      fault_told_ = detail_;
      fault_pause_ = std::clamp(fault_pause_ * 2, kTellAgain, kFaultPauseMax);
    }
    const auto health = dead_     ? ReplicaHealth::Dead
                        : *ready_ ? ReplicaHealth::Ready
                                  : ReplicaHealth::NotReady;
    loop_.ports.tell(ReplicaProbed{endpoint_.key.job, endpoint_.key.attempt, health,
                                   health == ReplicaHealth::Ready ? "" : detail_});
  }

  Loop& loop_;
  const Probes probes_;
  Endpoint endpoint_;
  bool started_;  // its startup probe has been good, or must have been
  std::array<Line, 3> lines_;
  std::optional<bool> ready_;
  bool dead_ = false;
  std::optional<std::string> fault_told_;  // why it is not ready
  Duration fault_pause_;                   // before another reason is told
  std::string detail_;
  Duration told_at_;
  bool over_ = false;
};

Prober::~Prober() {
  for (auto& [key, replica] : replicas_) replica->end();
}

void Prober::show(const Probes& probes, const Endpoint& endpoint) {
  auto& replica = replicas_[endpoint.key];
  if (replica && replica->probes() == probes) return replica->update(endpoint);
  const auto before = std::exchange(replica, nullptr);
  if (before) before->end();
  replica = std::make_shared<Replica>(loop_, probes, endpoint, before.get());
  replica->start();
}

void Prober::update(const Routes& routes) {
  std::set<EndpointKey> there;
  for (const Route& route : routes) {
    for (const Endpoint& endpoint : route.endpoints) {
      there.insert(endpoint.key);
      show(endpoint.former ? route.former_probes : route.probes, endpoint);
    }
  }
  std::erase_if(replicas_, [&there](const auto& known) {
    if (there.contains(known.first)) return false;
    known.second->end();
    return true;
  });
}

}  // namespace gyre::server::proxy
