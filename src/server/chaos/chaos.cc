#include "server/chaos/chaos.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <utility>

#include "base/units.h"
#include "domain/live_chaos.h"
#include "domain/xid.h"
#include "server/api/api.h"

namespace gyre::server {
namespace {

using Kind = ChaosFault::Kind;
using State = FaultRecord::State;

constexpr std::chrono::milliseconds kLookPause{100};
constexpr Duration kDay = seconds(86'400);

/// Whether the agent that carries it out breaks off and comes back by a new line.
bool renews_line(Kind kind) { return kind == Kind::RestartAgent || kind == Kind::KillNode; }

/// A slow network is what other faults happen in: it stands in nobody's way, and counts for none.
bool is_ambient(const FaultRecord& fault) { return fault.kind == Kind::SlowNetwork; }

/// Nobody is there to end it before its time.
bool is_deaf(Kind kind) {
  return kind == Kind::PauseAgent || kind == Kind::RestartAgent || kind == Kind::KillNode ||
         kind == Kind::PauseServer || kind == Kind::KillServer;
}

std::string whose(const FaultRecord& fault) {
  return fault.of_server() ? "the server" : "node " + fault.node;
}

act::FaultOrder order_of(const FaultRecord& fault) {
  act::FaultOrder order;
  order.id = fault.id;
  order.kind = fault.kind;
  order.way = fault.way;
  order.lasts = fault.lasts;
  order.task = fault.task;
  order.tasks = fault.tasks;
  order.network = fault.network;
  return order;
}

}  // namespace

Chaos::Chaos(std::string path, live::FaultDesk& desk, live::Inbox& inbox, ChaosPorts ports)
    : desk_(desk), inbox_(inbox), ports_(std::move(ports)), log_(std::move(path), ports_.share) {
  if (!log_.trouble().empty()) ports_.notice("warning: " + log_.trouble());
  count();
  thread_ = std::thread([this] { work(); });
}

Chaos::~Chaos() {
  {
    const std::lock_guard guard(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Chaos::post(std::function<void()> task) {
  {
    const std::lock_guard guard(mutex_);
    tasks_.push_back(std::move(task));
  }
  changed_.notify_all();
}

std::vector<FaultRecord> Chaos::unsettled() const {
  std::vector<FaultRecord> out;
  for (const FaultRecord& fault : log_.faults()) {
    if (!fault.settled()) out.push_back(fault);
  }
  return out;
}

/// For who asks from another thread.
void Chaos::count() {
  const std::lock_guard guard(mutex_);
  counts_ = {log_.on(), log_.counts()};
}

Chaos::Counts Chaos::counts() const {
  const std::lock_guard guard(mutex_);
  return counts_;
}

void Chaos::work() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    if (!tasks_.empty()) {
      const std::function<void()> task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
      lock.lock();
      continue;
    }
    lock.unlock();
    const bool any = look_after();
    lock.lock();
    const auto due = [this] { return stop_ || !tasks_.empty(); };
    any ? static_cast<void>(changed_.wait_for(lock, kLookPause, due)) : changed_.wait(lock, due);
  }
}

/// Ends what is over, and asks whether the fleet has recovered from it. False: nothing is open.
bool Chaos::look_after() {
  std::vector<FaultRecord> open = unsettled();
  if (open.empty()) return false;
  const auto lines = desk_.lines();
  std::vector<FaultRecord> ended;
  for (FaultRecord& fault : open) {
    const auto at = lines.find(fault.node);
    if (fault.state == State::Lasts && ports_.clock() >= fault.at + fault.lasts) end(fault);
    if (fault.state == State::Lasts && is_ambient(fault) && at != lines.end()) {
      slow_again(fault, at->second);
    }
    if (fault.state != State::Ended || beginning_.contains(fault.id)) continue;
    // Again and again: who is asked may be gone before it is on the disk.
    if (fault.kind == Kind::DrainNode) set_duty(fault.node, NodeDuty::Draining, NodeDuty::Open, {});
    if (fault.kind == Kind::BreakGpu) release(fault.node);
    const auto before = lines_.find(fault.id);
    const bool back = at != lines.end() && (before == lines_.end() || at->second != before->second);
    if (!renews_line(fault.kind) || back) ended.push_back(fault);
  }
  if (ended.empty()) return true;
  const auto asked = inbox_.ask([this, ended](const control::Controller& core) {
    std::vector<FaultRecord> seen = ended;
    for (FaultRecord& fault : seen) look_for_recovery(core, ports_.clock(), fault);
    post([this, seen = std::move(seen)] { settle(seen); });
  });
  static_cast<void>(asked);  // refused: the server ends
  return true;
}

void Chaos::settle(const std::vector<FaultRecord>& seen) {
  for (const FaultRecord& fault : seen) {
    const auto open = unsettled();
    const bool known = std::any_of(open.begin(), open.end(),
                                   [&](const FaultRecord& one) { return one.id == fault.id; });
    if (!fault.settled() || !known) continue;
    lines_.erase(fault.id);
    log_.update(fault);
    ports_.notice(fmt::format(
        "chaos: {} of {}: {}", fault.name(), whose(fault),
        fault.recovered_at ? "recovered in " + format_duration(*fault.recovered_at - fault.at)
                           : "lost: " + fault.detail));
  }
}

void Chaos::end(FaultRecord& fault) {
  fault.state = State::Ended;
  fault.ended_at = ports_.clock();
  if (is_ambient(fault)) {
    fault.state = State::Recovered;
    fault.recovered_at = fault.ended_at;
    slow_.erase(fault.id);
    lines_.erase(fault.id);
  }
  log_.update(fault);
  if (fault.of_server()) {
    if (ports_.server != nullptr) ports_.server->mend(fault.kind);
    return;
  }
  // A drained node is opened by look_after().
  if (fault.kind != Kind::DrainNode) desk_.mend(fault.node, fault.id);
}

/// An agent that has begun anew has forgotten it.
void Chaos::slow_again(const FaultRecord& fault, std::uint64_t line) {
  const auto network = slow_.find(fault.id);
  const auto before = lines_.find(fault.id);
  if (network == slow_.end() || before == lines_.end() || before->second == line) return;
  before->second = line;
  act::FaultOrder order = order_of(fault);
  order.network = network->second;
  order.lasts = fault.at + fault.lasts - ports_.clock();
  desk_.order(fault.node, order, [](const Result<void>&) {});
}

/// What its driver would say.
void Chaos::report_gpu(const FaultRecord& fault) {
  const auto asked = inbox_.ask([this, fault](const control::Controller& core) {
    if (const auto id = find_node(core, fault.node)) {
      inbox_.post(GpuErrorSeen{*id, fault.device, kXidOffTheBus}, nullptr);
    }
  });
  static_cast<void>(asked);  // refused: the server ends
}

/// An operator has seen to the device, and takes its node out of quarantine.
void Chaos::release(const std::string& name) {
  const auto asked = inbox_.ask([this, name](const control::Controller& core) {
    const auto id = find_node(core, name);
    if (!id) return;
    const Node& node = core.cluster().node(*id);
    const auto& incidents = core.healer().incidents();
    const bool held = std::any_of(incidents.begin(), incidents.end(), [&](const Incident& one) {
      return one.node == *id && !one.job && one.outcome == Incident::Outcome::Held;
    });
    if ((node.quarantined || held) && node.duty == NodeDuty::Open) {
      inbox_.post(NodeDutySet{*id, NodeDuty::Open}, nullptr);
    }
  });
  static_cast<void>(asked);
}

/// A person's own word in between counts.
void Chaos::set_duty(const std::string& node, NodeDuty from, NodeDuty to, live::Done<void> done) {
  const auto asked = inbox_.ask([this, node, from, to, done](const control::Controller& core) {
    const auto nodes = core.cluster().nodes();
    for (std::size_t i = nodes.size(); i-- > 0;) {
      if (nodes[i].spec.name != node) continue;
      if (nodes[i].duty != from) break;
      inbox_.post(NodeDutySet{NodeId{static_cast<std::uint32_t>(i)}, to},
                  [done](const Result<EventSeq>& seq) {
                    if (!done) return;
                    seq ? done({}) : done(tl::unexpected(seq.error()));
                  });
      return;
    }
    if (done) done(fail(ErrorKind::Conflict, "node {} is not as it was", node));
  });
  if (!asked && done) done(tl::unexpected(asked.error()));
}

void Chaos::inject(const std::string& node, FaultRequest request, live::Done<FaultRecord> done) {
  const auto asked =
      inbox_.ask([this, node, request = std::move(request), done](const control::Controller& core) {
        auto fault = aim(core, node, request);
        if (!fault) return done(tl::unexpected(fault.error()));
        post([this, fault = std::move(*fault), done] { begin(fault, done); });
      });
  if (!asked) done(tl::unexpected(asked.error()));
}

void Chaos::inject(FaultRequest request, live::Done<FaultRecord> done) {
  post([this, fault = aim_at_server(request), done = std::move(done)] { begin(fault, done); });
}

/// Why whom it is of cannot have it; empty: it can.
std::string Chaos::obstacle(const FaultRecord& fault) const {
  if (fault.kind == Kind::DrainNode) return "";
  if (!fault.of_server()) return desk_.obstacle(fault.node, fault.kind);
  return ports_.server == nullptr ? "it breaks nodes alone" : ports_.server->obstacle(fault.kind);
}

/// Errors: why it must not happen.
Result<void> Chaos::check(const FaultRecord& fault) const {
  const auto own = unsettled();
  if (!log_.on()) {
    return fail(ErrorKind::Conflict, "chaos is off, turned by {}; 'gyre chaos on' allows faults",
                log_.turned_by());
  }
  if (std::any_of(own.begin(), own.end(), [&](const FaultRecord& one) {
        return one.node == fault.node && !is_ambient(one) && !is_ambient(fault);
      })) {
    return fail(ErrorKind::Conflict, "{} has not recovered from another fault", whose(fault));
  }
  if (const std::string why = obstacle(fault); !why.empty()) {
    return fail(ErrorKind::Conflict, "{} cannot have {}: {}", whose(fault), fault.name(), why);
  }
  return {};
}

/// Errors: check()'s; the disk's.
Result<FaultRecord> Chaos::take_in(FaultRecord fault) {
  if (auto good = check(fault); !good) return tl::unexpected(good.error());
  const auto lines = desk_.lines();
  const auto line = lines.find(fault.node);
  for (FaultRecord& former : unsettled()) {
    if (is_ambient(fault) && is_ambient(former) && former.node == fault.node) end(former);
  }
  fault.at = ports_.clock();
  auto added = log_.add(std::move(fault));
  if (added) {
    lines_[added->id] = line == lines.end() ? 0 : line->second;
    beginning_.insert(added->id);
    if (is_ambient(*added)) slow_[added->id] = added->network;
  }
  count();
  return added;
}

void Chaos::begin(FaultRecord fault, live::Done<FaultRecord> done) {
  const auto added = take_in(std::move(fault));
  if (!added) return done(tl::unexpected(added.error()));
  ports_.notice(fmt::format("chaos: {} of {} for {}, asked for by {}", added->name(), whose(*added),
                            format_duration(added->lasts), added->by));
  if (added->of_server()) return begin_at_server(*added, done);
  if (added->kind == Kind::DrainNode) return begin_drain(*added, done);
  desk_.order(added->node, order_of(*added),
              [this, fault = *added, done](const Result<void>& begun) {
                if (begun && fault.kind == Kind::BreakGpu) report_gpu(fault);
                told(fault, begun, done);
              });
}

/// A server that is to be killed has not survived it until its next life.
void Chaos::begin_at_server(const FaultRecord& fault, const live::Done<FaultRecord>& done) {
  const Result<void> begun = ports_.server->begin(fault);
  if (begun && fault.kind == Kind::KillServer) return done(fault);
  told(fault, begun, done);
}

void Chaos::begin_drain(const FaultRecord& fault, const live::Done<FaultRecord>& done) {
  set_duty(fault.node, NodeDuty::Open, NodeDuty::Draining,
           [this, fault, done](const Result<void>& begun) { told(fault, begun, done); });
}

/// Any thread: what became of it.
void Chaos::told(FaultRecord fault, const Result<void>& begun,
                 const live::Done<FaultRecord>& done) {
  if (!begun) {
    fault.state = State::Refused;
    fault.detail = begun.error().message;
  }
  post([this, fault] {
    beginning_.erase(fault.id);
    if (fault.state != State::Refused) return;
    log_.update(fault);
    lines_.erase(fault.id);
  });
  begun ? done(fault) : done(tl::unexpected(begun.error()));
}

void Chaos::mend(const std::string& node, live::Done<void> done) {
  const auto asked = inbox_.ask([this, node, done](const control::Controller& core) {
    const auto id = find_node(core, node);
    if (!id) return done(tl::unexpected(id.error()));
    post([this, name = core.cluster().node(*id).spec.name, done] {
      mend_all(name);
      done({});
    });
  });
  if (!asked) done(tl::unexpected(asked.error()));
}

/// Of one node, or of all.
void Chaos::mend_all(const std::optional<std::string>& node) {
  for (FaultRecord& fault : unsettled()) {
    if (fault.state == State::Lasts && (!node || fault.node == *node)) mend_early(fault);
  }
}

/// An agent that is stopped or away hears nothing: its time is over when it is.
void Chaos::mend_early(FaultRecord& fault) {
  if (!is_deaf(fault.kind)) end(fault);
}

void Chaos::turn(bool on, const std::string& by, live::Done<void> done) {
  post([this, on, by, done = std::move(done)] {
    const Result<void> kept = log_.turn(on, by, ports_.clock());
    count();
    if (kept || !on) ports_.notice(fmt::format("chaos: turned {} by {}", on ? "on" : "off", by));
    if (!on) mend_all({});
    done(kept);
  });
}

ChaosView Chaos::view_log(std::size_t limit) const {
  ChaosView view;
  view.on = log_.on();
  view.turned_by = log_.turned_by();
  view.turned_at = log_.turned_at();
  std::set<std::string> broken;
  for (const FaultRecord& fault : unsettled()) {
    if (!is_ambient(fault)) broken.insert(fault.node);
  }
  view.nodes_broken = std::ssize(broken);
  const Time now = ports_.clock();
  const Time midnight{now.ns - now.ns % kDay.ns};
  const auto& faults = log_.faults();
  view.faults_today = std::count_if(faults.begin(), faults.end(), [&](const FaultRecord& one) {
    return one.at >= midnight && !is_ambient(one);
  });
  for (auto at = faults.rbegin(); at != faults.rend() && view.faults.size() < limit; ++at) {
    view.faults.push_back(*at);
  }
  for (const auto& [node, line] : desk_.lines()) view.nodes.push_back(node);
  for (std::size_t i = 0; i < chaos_fault_names().size(); ++i) {
    FaultRecord fault;
    fault.kind = static_cast<Kind>(i);
    const auto note = [&] {
      const std::string why = obstacle(fault);
      if (!why.empty()) view.cannot[fault.node][std::string(fault.name())] = why;
    };
    if (can_be_live_at_server(fault.kind)) note();
    if (!can_be_live_at_node(fault.kind)) continue;
    for (const std::string& node : view.nodes) {
      fault.node = node;
      note();
    }
  }
  return view;
}

void Chaos::view(std::size_t limit, live::Done<ChaosView> done) {
  post([this, limit, done = std::move(done)] {
    const auto asked = inbox_.ask(
        [view = view_log(limit), own = unsettled(), done](const control::Controller& core) {
          ChaosView seen = view;
          std::vector<FaultRecord> counted = own;
          std::erase_if(counted, is_ambient);
          seen.unrest = unrest(core, counted);
          done(std::move(seen));
        });
    if (!asked) done(tl::unexpected(asked.error()));
  });
}

}  // namespace gyre::server
