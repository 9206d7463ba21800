#include "cli/live_chaos.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/units.h"
#include "cli/job_stream.h"
#include "codec/chaos_text.h"
#include "codec/utc.h"
#include "live/clock.h"
#include "server/http/message.h"
#include "sim/chaos/live_schedule.h"

namespace gyre::cli {
namespace {

using Json = nlohmann::ordered_json;
using sim::LiveSchedule;

constexpr Duration kLook = milliseconds(500);
constexpr Duration kMendMax = seconds(30);      // beyond what cannot be ended before its time
constexpr Duration kRoadLasts = kLiveFaultMax;  // a slow network that is not asked for again
constexpr Duration kRoadAgain = seconds(120);

std::string user_name() {
  const passwd* user = ::getpwuid(::geteuid());
  return user == nullptr ? std::to_string(::geteuid()) : user->pw_name;
}

Outcome<Json> ask_chaos(HttpClient& client, const std::string& method, const std::string& target,
                        const Json& body = {}) {
  HttpCall call;
  call.method = method;
  call.target = target;
  if (!body.is_null()) call.body = body.dump();
  return call_json(client, call);
}

/// The signals that end it, as something that is looked at between two steps.
class Interrupt {
 public:
  Interrupt() {
    ::sigemptyset(&signals_);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&signals_, signal);
    ::pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  }
  /// True if one has come, at once or within that time.
  bool wait(Duration span) const {
    const timespec time{span.ns / 1'000'000'000, static_cast<long>(span.ns % 1'000'000'000)};
    return ::sigtimedwait(&signals_, nullptr, &time) > 0;
  }

 private:
  sigset_t signals_{};
};

std::string_view name_of(ChaosFault::Kind kind) {
  return chaos_fault_names()[static_cast<std::size_t>(kind)];
}

Json to_json(const ChaosNetwork& network) {
  const auto range = [](const SpanRange& span) {
    return Json::array({span.min.ns / 1'000'000, span.max.ns / 1'000'000});
  };
  return {{"delay_ms", range(network.delay)},
          {"late_percent", network.late_percent.min},
          {"late_by_ms", range(network.late_by)},
          {"lost_percent", network.lost_percent.min}};
}

/// Of one commit, ns: one for as long as the fault lasts.
std::int64_t delay_of(const sim::PlannedFault& fault) {
  const auto width = static_cast<std::uint64_t>(fault.more.max.ns - fault.more.min.ns);
  return fault.more.min.ns + static_cast<std::int64_t>(fault.which % (width + 1));
}

/// Why that fleet cannot have that fault at all; empty: some of it can. `seen`: of /v1/chaos.
std::string obstacle_to(const Json& seen, const LiveLimits& limits, const ChaosFault& fault) {
  const std::string name(name_of(fault.kind));
  const auto why_of = [&](const Json& cannot) { return cannot.value(name, ""); };
  if (is_of_server(fault)) return why_of(seen.value("server_cannot", Json::object()));
  const Json cannot = seen.value("cannot", Json::object());
  std::string first =
      "no node that may be hit takes faults: its operator starts its agent with "
      "--chaos";
  bool any = false;
  for (const auto& node : seen.value("nodes", std::vector<std::string>{})) {
    const auto& named = limits.nodes;
    if (!named.empty() && std::find(named.begin(), named.end(), node) == named.end()) continue;
    const std::string why = why_of(cannot.value(node, Json::object()));
    if (why.empty()) return "";
    if (!std::exchange(any, true)) first = fmt::format("node {}: {}", node, why);
  }
  return first;
}

/// Errors: a fault of the scenario that nothing of the fleet can have.
Outcome<void> check_able(const Json& seen, const LiveChaos& chaos, const std::string& file) {
  for (std::size_t i = 0; i < chaos.scenario.faults.size(); ++i) {
    const ChaosFault& fault = chaos.scenario.faults[i];
    const std::string why = obstacle_to(seen, chaos.limits, fault);
    if (why.empty()) continue;
    return give_up(kError, "{}: faults[{}]: {} cannot be had here: {}; nothing is broken", file, i,
                   name_of(fault.kind), why);
  }
  if (chaos.scenario.network == ChaosNetwork{}) return {};
  ChaosFault slow;
  slow.kind = ChaosFault::Kind::SlowNetwork;
  const std::string why = obstacle_to(seen, chaos.limits, slow);
  if (why.empty()) return {};
  return give_up(kError, "{}: network: cannot be had here: {}; nothing is broken", file, why);
}

/// One life of a running fleet under faults.
class LiveRun {
 public:
  LiveRun(HttpClient client, const LiveChaos& chaos, const LiveChaosFlags& flags)
      : client_(std::move(client)),
        chaos_(chaos),
        schedule_(chaos, flags.seed, clock_().real),
        by_(fmt::format("{}, {} seed {}", user_name(), chaos.scenario.name, flags.seed)) {}

  /// Returns the exit code.
  int live() {
    const Interrupt interrupt;
    for (;;) {
      look();
      if (failed_) break;
      slow_down();
      while (step()) {
      }
      if (schedule_.is_over(clock_().real) && own_.empty()) {
        speed_up();
        return kOk;
      }
      if (interrupt.wait(kLook)) break;
    }
    mend(interrupt);
    return failed_ ? kError : kOk;
  }

  Json report(std::uint64_t seed) const {
    Json passed = Json::object();
    for (const auto& [why, count] : passed_over_) passed[why] = count;
    return {{"seed", seed},
            {"faults", done_},
            {"passed_over", passed},
            {"recovered", recovered_},
            {"switched_off", failed_}};
  }

 private:
  struct Own {
    std::string node;
    Time ends;  // by this machine's clock
  };

  void say(const std::string& line) const {
    fmt::print(stderr, "{} {}\n", format_utc(clock_().real), terminal_safe(line));
  }

  /// Asks how the fleet is, and what has become of the faults.
  void look() {
    const auto seen = ask_chaos(client_, "GET", "/v1/chaos?limit=200");
    sight_ = {};
    sight_.now = clock_().real;
    if (!seen) {
      calm_since_.reset();
      if (!std::exchange(away_, true)) {
        say("the server does not answer, so nothing is broken: " + seen.error().message);
      }
      return look_at_time();
    }
    if (std::exchange(away_, false)) say("the server answers again");
    seen_ = *seen;
    sight_.on = seen_.value("on", false);
    sight_.faults_today = seen_.value("faults_today", std::int64_t{0});
    sight_.nodes_broken = seen_.value("nodes_broken", std::int64_t{0});
    if (!seen_.value("calm", false)) calm_since_.reset();
    if (seen_.value("calm", false) && !calm_since_) calm_since_ = clock_().monotonic;
    sight_.calm_for = calm_since_ ? clock_().monotonic - *calm_since_ : Duration{-1};
    for (const Json& fault : seen_.value("faults", Json::array())) settle(fault);
    look_at_time();
  }

  void settle(const Json& fault) {
    const auto own = own_.find(fault.value("id", std::uint64_t{0}));
    const std::string state = fault.value("state", "");
    if (own == own_.end() || state == "lasts" || state == "ended") return;
    const std::string what = fmt::format("{} of {}", fault.value("do", ""), own->second.node);
    if (state == "recovered") {
      ++recovered_;
      const auto took = milliseconds(fault.value("recovery_ms", std::int64_t{0}));
      say(fmt::format("{}: recovered in {}", what, format_duration(took)));
    } else {
      break_off(fmt::format("{}: {}: {}", what, state, fault.value("detail", "")));
    }
    own_.erase(own);
  }

  /// What does not recover in time ends all of it.
  void look_at_time() {
    for (const auto& [id, own] : own_) {
      if (sight_.now <= own.ends + chaos_.limits.recovers_within) continue;
      return break_off(fmt::format("the fleet has not recovered from a fault of {} within {}: {}",
                                   own.node, format_duration(chaos_.limits.recovers_within),
                                   seen_.value("unrest", "")));
    }
  }

  void break_off(const std::string& why) {
    say(why);
    if (std::exchange(failed_, true)) return;
    const auto off = ask_chaos(client_, "POST", "/v1/chaos", {{"on", false}, {"by", by_}});
    say(off ? "chaos is switched off at the server; 'gyre chaos on' allows it again"
            : "chaos could not be switched off at the server: " + off.error().message);
  }

  /// Takes the next fault whose time has come; false where there is none.
  bool step() {
    if (failed_) return false;
    const auto due = schedule_.next(sight_);
    if (!due) return false;
    if (due->obstacle.empty()) {
      inject(due->fault);
    } else {
      pass_over(due->fault, away_ ? "the server does not answer" : std::string(due->obstacle));
    }
    return true;
  }

  /// The network of every node that may be hit is as the scenario says, all the time.
  void slow_down() {
    if (chaos_.scenario.network == ChaosNetwork{} || away_ || !sight_.on) return;
    Json body{{"do", "slow-network"},
              {"for", fmt::format("{}ms", kRoadLasts.ns / 1'000'000)},
              {"network", to_json(schedule_.network())},
              {"queues", chaos_.limits.queues},
              {"tenants", chaos_.limits.tenants},
              {"by", by_}};
    for (const std::string& node : candidates(0)) {
      const auto former = roads_.find(node);
      if (former != roads_.end() && sight_.now < former->second + kRoadAgain) continue;
      roads_[node] = sight_.now;
      const auto begun = ask_chaos(client_, "POST", faults_of(node), body);
      if (!begun)
        say(fmt::format("the network of {} is left alone: {}", node, begun.error().message));
    }
  }
  void speed_up() {
    for (const auto& [node, at] : roads_) {
      static_cast<void>(ask_chaos(client_, "DELETE", faults_of(node)));
    }
  }

  static std::string faults_of(const std::string& node) {
    return "/v1/nodes/" + server::http::percent_encode(node) + "/faults";
  }

  void pass_over(const sim::PlannedFault& fault, const std::string& why) {
    ++passed_over_[why];
    if (std::exchange(last_passed_, why) != why) {
      const std::string unrest = seen_.value("unrest", "");
      const bool shown = why == "the fleet is not calm" && !unrest.empty();
      say(fmt::format("{} is passed over: {}{}", name_of(fault.kind), why,
                      shown ? ": " + unrest : ""));
    }
  }

  /// The nodes that may be hit, beginning with the one that chance says.
  std::vector<std::string> candidates(std::uint64_t which) const {
    std::set<std::string> broken;
    for (const auto& [id, own] : own_) broken.insert(own.node);
    std::vector<std::string> nodes = seen_.value("nodes", std::vector<std::string>{});
    const auto& wanted = chaos_.limits.nodes;
    std::erase_if(nodes, [&](const std::string& node) {
      const bool named =
          wanted.empty() || std::find(wanted.begin(), wanted.end(), node) != wanted.end();
      return !named || broken.contains(node);
    });
    std::sort(nodes.begin(), nodes.end());
    if (!nodes.empty()) {
      std::rotate(nodes.begin(), nodes.begin() + static_cast<std::ptrdiff_t>(which % nodes.size()),
                  nodes.end());
    }
    return nodes;
  }

  /// Of the nodes that may be hit, the first that the server lets it break.
  void inject(const sim::PlannedFault& fault) {
    if (is_of_server(fault)) return inject_at_server(fault);
    Json body{{"do", name_of(fault.kind)},
              {"for", fmt::format("{}ms", fault.lasts.ns / 1'000'000)},
              {"way", codec::kChaosWays.at(static_cast<std::size_t>(fault.way))},
              {"queues", chaos_.limits.queues},
              {"tenants", chaos_.limits.tenants},
              {"which", fault.which},
              {"by", by_}};
    if (fault.kind == ChaosFault::Kind::SlowNetwork) body["network"] = to_json(fault.network);
    std::string why = "no node that may be hit takes faults";
    for (const std::string& node : candidates(fault.which)) {
      const auto begun = ask_chaos(client_, "POST", faults_of(node), body);
      if (!begun) {
        why = begun.error().message;
        continue;
      }
      return begun_of(fault, node, *begun);
    }
    pass_over(fault, why);
  }

  void inject_at_server(const sim::PlannedFault& fault) {
    Json body{{"do", name_of(fault.kind)},
              {"for", fmt::format("{}ms", fault.lasts.ns / 1'000'000)},
              {"by", by_}};
    if (fault.kind == ChaosFault::Kind::StepClock) {
      body["jump"] = fmt::format("{}ms", fault.by.ns / 1'000'000);
    }
    if (fault.kind == ChaosFault::Kind::SlowDisk) {
      body["delay"] = fmt::format("{}ms", std::max<std::int64_t>(delay_of(fault) / 1'000'000, 1));
    }
    const auto begun = ask_chaos(client_, "POST", "/v1/chaos/faults", body);
    if (!begun) return pass_over(fault, begun.error().message);
    begun_of(fault, "the server", *begun);
  }

  void begun_of(const sim::PlannedFault& fault, const std::string& whose, const Json& begun) {
    own_[begun.value("id", std::uint64_t{0})] = {whose, clock_().real + fault.lasts};
    done_.push_back(begun);
    last_passed_.clear();
    const Json job = begun.value("job", Json());
    say(fmt::format("{} of {}{} for {}", name_of(fault.kind), whose,
                    job.is_null() ? "" : fmt::format(", job {}", job.dump()),
                    format_duration(fault.lasts)));
    look();
  }

  /// Ends what lasts, and sees it end. A second signal is not waited for.
  void mend(const Interrupt& interrupt) {
    speed_up();
    Time latest = clock_().real;
    for (const auto& [id, own] : own_) {
      latest = std::max(latest, own.ends);
      if (own.node == "the server") continue;  // it ends by itself
      const auto mended = ask_chaos(client_, "DELETE", faults_of(own.node));
      if (!mended) say(fmt::format("{}: {}", own.node, mended.error().message));
    }
    if (own_.empty() || failed_) return;
    say("what is broken is being mended; what cannot be ends by itself");
    while (!own_.empty() && clock_().real < latest + kMendMax) {
      if (interrupt.wait(kLook)) return;
      look();
    }
    if (!own_.empty()) break_off("the fleet has not recovered");
  }

  HttpClient client_;
  const LiveChaos& chaos_;
  const live::ClockSource clock_ = live::system_clock_source();
  LiveSchedule schedule_;
  const std::string by_;
  Json seen_ = Json::object();
  sim::LiveSight sight_;
  std::optional<Duration> calm_since_;  // by a clock that is never set
  std::map<std::uint64_t, Own> own_;    // that are not settled
  std::map<std::string, Time> roads_;   // by node: when its network was last slowed down
  std::map<std::string, std::int64_t> passed_over_;
  Json done_ = Json::array();
  std::int64_t recovered_ = 0;
  std::string last_passed_;
  bool away_ = false;
  bool failed_ = false;
};

int print_status(const Json& document, Format format) {
  if (print_as_document(document, format)) return kOk;
  const Json& by = document.at("turned_by");
  fmt::print("chaos is {}{}; {}\n", document.at("on") == Json(true) ? "on" : "off",
             by.is_null() ? "" : ", turned by " + terminal_safe(by.get<std::string>()),
             document.at("calm") == Json(true)
                 ? "the fleet is calm"
                 : "the fleet is not calm: " + terminal_safe(document.value("unrest", "")));
  const auto nodes = document.value("nodes", std::vector<std::string>{});
  fmt::print("{} nodes take faults{}{}\n", nodes.size(), nodes.empty() ? "" : ": ",
             terminal_safe(fmt::format("{}", fmt::join(nodes, ", "))));
  Table table({"ID", "AT", "FAULT", "NODE", "JOB", "FOR", "STATE", "RECOVERY", "BY", "DETAIL"});
  for (const Json& fault : document.at("faults")) {
    const std::string node = fault.value("node", "");
    table.add({fault.at("id").dump(), fault.value("at", ""), fault.value("do", ""),
               node.empty() ? "the server" : node, text_or_dash(fault.at("job")),
               format_duration(milliseconds(fault.value("for_ms", std::int64_t{0}))),
               fault.value("state", ""), span_or_dash(fault.at("recovery_ms")),
               fault.value("by", ""), fault.value("detail", "")});
  }
  std::fflush(stdout);  // what stands above it comes first
  table.print();
  return kOk;
}

Outcome<int> show(const Session& session, std::uint64_t limit) {
  auto client = session.connect();
  if (!client) return tl::unexpected(client.error());
  const auto document = ask_chaos(*client, "GET", fmt::format("/v1/chaos?limit={}", limit));
  if (!document) return tl::unexpected(document.error());
  return print_status(*document, session.format());
}

Outcome<int> turn(const Session& session, bool on) {
  auto client = session.connect();
  if (!client) return tl::unexpected(client.error());
  const auto document = ask_chaos(*client, "POST", "/v1/chaos", {{"on", on}, {"by", user_name()}});
  if (!document) return tl::unexpected(document.error());
  return kOk;
}

void add_turn(CLI::App& chaos, Session& session, bool on, const std::string& summary) {
  const std::string name = on ? "on" : "off";
  auto* verb = add_verb(chaos, name, summary, fmt::format("  gyre chaos {}", name));
  add_server_flags(*verb, session);
  on_verb(verb, session, [&session, on] { return turn(session, on); });
}

}  // namespace

Outcome<int> break_fleet(const Session& session, const LiveChaos& chaos,
                         const LiveChaosFlags& flags) {
  auto client = session.connect();
  if (!client) return tl::unexpected(client.error());
  const auto seen = ask_chaos(*client, "GET", "/v1/chaos?limit=0");
  if (!seen) return tl::unexpected(seen.error());
  if (auto able = check_able(*seen, chaos, flags.scenario); !able) {
    return tl::unexpected(able.error());
  }
  fmt::print(stderr, "{} on {}: seed {}, {} nodes take faults, for {}; Ctrl-C mends and ends it\n",
             flags.scenario, client->address().text(), flags.seed, seen->at("nodes").size(),
             format_duration(chaos.scenario.lasts));
  LiveRun run(std::move(*client), chaos, flags);
  const int code = run.live();
  const Json report = run.report(flags.seed);
  if (!print_as_document(report, session.format())) {
    fmt::print("{} faults, {} recovered from; {} passed over\n", report.at("faults").size(),
               report.at("recovered").dump(), report.at("passed_over").dump());
  }
  return code;
}

void add_chaos_switch(CLI::App& chaos, Session& session) {
  auto* status = add_verb(chaos, "status", "What was broken on purpose, and whether it may be",
                          "  gyre chaos status\n  gyre chaos status -o json");
  auto limit = std::make_shared<std::uint64_t>(20);
  status->add_option("--limit", *limit, "the latest so many faults")
      ->check(CLI::Range(std::uint64_t{0}, std::uint64_t{1000}))
      ->capture_default_str();
  add_server_flags(*status, session);
  add_output_flag(*status, session);
  on_verb(status, session, [&session, limit] { return show(session, *limit); });
  add_turn(chaos, session, false, "Allow no faults on purpose any more, and mend what lasts");
  add_turn(chaos, session, true, "Allow faults on purpose again");
}

}  // namespace gyre::cli
