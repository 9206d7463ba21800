#include "server/proxy/prober.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <set>
#include <utility>

#include "base/units.h"
#include "server/log_search.h"
#include "server/proxy/question.h"

namespace gyre::server::proxy {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr Duration kFirstPause = milliseconds(10);  // doubles up to the period, until it is good
constexpr Duration kFirstCommandPause = milliseconds(100);
constexpr Duration kAfterHung = seconds(1);  // a command that had to be ended may take that long
constexpr Duration kTellAgain = seconds(1);
constexpr Duration kVouchMax = seconds(2);  // for a node to say that it is there
constexpr Duration kFaultPauseMax = seconds(60);

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
      const bool asks_log = now != nullptr && now->kind == Probe::Kind::Log;
      lines_[i].said = asks_log && (before != nullptr ? said : endpoint.ready);
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
      if (const auto open = line.question.lock()) open->give_up();
    }
  }

 private:
  enum class Role : std::uint8_t { Startup, Readiness, Liveness };
  struct Line {
    std::optional<asio::steady_timer> timer;
    std::optional<ProbeCount> count;
    std::weak_ptr<Question> question;  // that is open
    std::uint64_t number = 0;          // of what is waited for: what comes of another is late
    Duration pause = kFirstPause;
    Duration beat_at;                   // Heartbeat: when a line last came
    Duration counted_at;                // when a bad answer last counted
    std::array<LogSearch, 2> searches;  // of stdout and stderr
    int searches_open = 0;
    bool unread = false;  // a log's node is not connected
    bool hung = false;    // the last command was ended
    bool said = false;
    std::string detail;  // of the last bad answer
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
    line(role).counted_at = line(role).beat_at = steady_now();
    if (what.kind == Probe::Kind::Exec) line(role).pause = kFirstCommandPause;
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
    const Probe& what = *probe(role);
    const auto done = [self = shared_from_this(), role](Answer answer, std::string detail) {
      self->heard(role, answer, std::move(detail));
    };
    switch (what.kind) {
      case Probe::Kind::Log:
      case Probe::Kind::Heartbeat:
        return read_logs(role);
      case Probe::Kind::Exec:
        line(role).question = ask_command(loop_, what, endpoint_, done);
        return;
      case Probe::Kind::Tcp:
      case Probe::Kind::Http:
        const auto where = loop_.address(endpoint_);
        if (!where) return heard(role, Answer::Unasked, "");
        line(role).question = ask_network(loop_, what, *where, done);
    }
  }

  /// Only what is sure counts against a replica's life: that it answered badly, or that it did not
  /// answer while its node did. Requests go to it while it answers.
  void heard(Role role, Answer answer, std::string detail) {
    if (is_over()) return;
    const bool life = role != Role::Readiness;
    line(role).hung = answer == Answer::Unheard && probe(role)->kind == Probe::Kind::Exec;
    if (answer == Answer::Unheard && life) return vouch(role, std::move(detail));
    if (answer == Answer::Unable && life) answer = Answer::Unasked;
    if (answer != Answer::Unasked) return answered(role, answer == Answer::Good, std::move(detail));
    if (life) return unknown(role);
    look_for(role);
  }

  void unknown(Role role) {
    line(role).count->forget();
    again(role, false);
  }

  /// Nobody can say whether it is ready. As long as it takes connections it is what it was.
  void look_for(Role role) {
    const auto where = loop_.address(endpoint_);
    if (!where) return answered(role, false, "its node is not connected");
    Probe connecting;
    connecting.timeout = probe(role)->timeout;
    line(role).question =
        ask_network(loop_, connecting, *where,
                    [self = shared_from_this(), role](Answer answer, const std::string&) {
                      if (self->is_over()) return;
                      if (answer == Answer::Good) return self->again(role, false);
                      self->answered(role, false, "its node is not connected");
                    });
  }

  /// Has the replica's node say that it is there, there and back: then silence is the replica's.
  void vouch(Role role, std::string detail) {
    Line& one = line(role);
    const std::uint64_t number = ++one.number;
    one.timer->expires_after(std::chrono::nanoseconds(kVouchMax.ns));
    one.timer->async_wait([self = shared_from_this(), role, number](error_code error) {
      if (error || self->is_over() || self->line(role).number != number) return;
      ++self->line(role).number;
      self->unknown(role);
    });
    act::LogQuery query = log_query(act::LogStream::Stdout);
    query.bytes_max = 0;
    read_log(query, [this, role, number, detail = std::move(detail)](const auto& read) {
      if (is_over() || line(role).number != number) return;
      ++line(role).number;
      if (!read && read.error().kind == ErrorKind::Unavailable) return unknown(role);
      answered(role, false, detail);
    });
  }

  act::LogQuery log_query(act::LogStream stream) const {
    act::LogQuery query;
    query.job = endpoint_.key.job;
    query.attempt = endpoint_.key.attempt;
    query.stream = stream;
    return query;
  }

  /// `then` is called on the loop's thread, if this is still there.
  template <class Then>
  void read_log(const act::LogQuery& query, Then then) {
    loop_.ports.read_log(query, [weak = weak_from_this(), then](Result<act::LogChunk> read) {
      const auto self = weak.lock();
      if (!self) return;
      asio::post(self->loop_.context, [weak, then, read = std::move(read)] {
        if (const auto alive = weak.lock()) then(read);
      });
    });
  }

  /// What has once been said stays said.
  void read_logs(Role role) {
    Line& one = line(role);
    if (one.said) return answered(role, true, "");
    one.searches_open = static_cast<int>(one.searches.size());
    one.unread = false;
    const bool beats = probe(role)->kind == Probe::Kind::Heartbeat;
    for (std::size_t i = 0; i < one.searches.size(); ++i) {
      act::LogQuery query = log_query(static_cast<act::LogStream>(i));
      query.offset = one.searches[i].offset();
      if (beats && !one.searches[i].begun()) query.bytes_max = 0;
      read_log(query, [this, role, i](const auto& read) { log_read(role, i, read); });
    }
  }
  void log_read(Role role, std::size_t index, const Result<act::LogChunk>& read) {
    Line& one = line(role);
    LogSearch& search = one.searches[index];
    const Probe& what = *probe(role);
    if (!read && read.error().kind == ErrorKind::Unavailable) one.unread = true;
    if (read && what.kind == Probe::Kind::Log) {
      one.said = search.found(*read, what.pattern) || one.said;
    } else if (read && !search.begun()) {
      search.begin_at_end(*read);
    } else if (read && search.beats(*read, what.pattern)) {
      one.beat_at = steady_now();
    }
    if (--one.searches_open > 0) return;
    if (what.kind == Probe::Kind::Heartbeat) return judge_heartbeat(role);
    if (one.unread && !one.said) return heard(role, Answer::Unasked, "");
    answered(role, one.said, "it has not been said yet");
  }

  void judge_heartbeat(Role role) {
    const Line& one = line(role);
    if (one.unread) return heard(role, Answer::Unasked, "");
    // How long it has been would be another reason each time.
    answered(role, steady_now() - one.beat_at <= probe(role)->interval, "none for longer");
  }

  void answered(Role role, bool good, std::string detail) {
    if (is_over()) return;
    const auto says = count(role, good);
    if (!good) {
      static constexpr std::array<std::string_view, 3> kNames{"startup", "readiness", "liveness"};
      line(role).detail = fmt::format("{}: {}: {}", kNames[static_cast<std::size_t>(role)],
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
    if (std::exchange(one.hung, false)) one.pause = std::max(one.pause, kAfterHung);
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
    const std::string& unready = line(Role::Readiness).detail;
    const bool fault = ready_ == false && fault_told_ != unready && now - told_at_ >= fault_pause_;
    if (endpoint_.draining || !(dead_ || changed || fault)) return;
    if (now - told_at_ < kTellAgain) return;
    told_at_ = now;
    if (ready_ == false && fault_told_ != unready) {
      fault_told_ = unready;
      fault_pause_ = std::clamp(fault_pause_ * 2, kTellAgain, kFaultPauseMax);
    }
    const auto health = dead_     ? ReplicaHealth::Dead
                        : *ready_ ? ReplicaHealth::Ready
                                  : ReplicaHealth::NotReady;
    const std::string& why =
        dead_ ? line(started_ ? Role::Liveness : Role::Startup).detail : unready;
    loop_.ports.tell(ReplicaProbed{endpoint_.key.job, endpoint_.key.attempt, health,
                                   health == ReplicaHealth::Ready ? "" : why});
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
