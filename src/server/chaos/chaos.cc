#include "server/chaos/chaos.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <utility>

#include "base/units.h"
#include "server/api/api.h"

namespace gyre::server {
namespace {

using Kind = ChaosFault::Kind;
using State = FaultRecord::State;

constexpr std::chrono::milliseconds kLookPause{100};
constexpr Duration kDay = seconds(86'400);

/// Whether the agent that carries it out breaks off and comes back by a new line.
bool renews_line(Kind kind) { return kind == Kind::RestartAgent; }

}  // namespace

Chaos::Chaos(std::string path, live::FaultDesk& desk, live::Inbox& inbox, ChaosPorts ports)
    : desk_(desk), inbox_(inbox), ports_(std::move(ports)), log_(std::move(path)) {
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
    if (fault.state == State::Lasts && ports_.clock() >= fault.at + fault.lasts) end(fault);
    if (fault.state != State::Ended || beginning_.contains(fault.id)) continue;
    // Again and again: who is asked may be gone before it is on the disk.
    if (fault.kind == Kind::DrainNode) set_duty(fault.node, NodeDuty::Draining, NodeDuty::Open, {});
    const auto line = lines.find(fault.node);
    const auto before = lines_.find(fault.id);
    const bool back =
        line != lines.end() && (before == lines_.end() || line->second != before->second);
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
        "chaos: {} of node {}: {}", fault.name(), fault.node,
        fault.recovered_at ? "recovered in " + format_duration(*fault.recovered_at - fault.at)
                           : "lost: " + fault.detail));
  }
}

void Chaos::end(FaultRecord& fault) {
  fault.state = State::Ended;
  fault.ended_at = ports_.clock();
  log_.update(fault);
  // A drained node is opened by look_after().
  if (fault.kind != Kind::DrainNode) desk_.mend(fault.node, fault.id);
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

/// Errors: why it must not happen.
Result<FaultRecord> Chaos::take_in(FaultRecord fault) {
  const auto lines = desk_.lines();
  const auto line = lines.find(fault.node);
  const auto own = unsettled();
  if (!log_.on()) {
    return fail(ErrorKind::Conflict, "chaos is off, turned by {}; 'gyre chaos on' allows faults",
                log_.turned_by());
  }
  if (std::any_of(own.begin(), own.end(),
                  [&](const FaultRecord& one) { return one.node == fault.node; })) {
    return fail(ErrorKind::Conflict, "node {} has not recovered from another fault", fault.node);
  }
  if (fault.kind != Kind::DrainNode && line == lines.end()) {
    return tl::unexpected(live::no_line(fault.node));
  }
  fault.at = ports_.clock();
  auto added = log_.add(std::move(fault));
  if (added) {
    lines_[added->id] = line == lines.end() ? 0 : line->second;
    beginning_.insert(added->id);
  }
  count();
  return added;
}

void Chaos::begin(FaultRecord fault, live::Done<FaultRecord> done) {
  const auto added = take_in(std::move(fault));
  if (!added) return done(tl::unexpected(added.error()));
  ports_.notice(fmt::format("chaos: {} of node {} for {}, asked for by {}", added->name(),
                            added->node, format_duration(added->lasts), added->by));
  if (added->kind == Kind::DrainNode) return begin_drain(*added, done);
  act::FaultOrder order;
  order.id = added->id;
  order.kind = added->kind;
  order.way = added->way;
  order.lasts = added->lasts;
  order.task = added->task;
  desk_.order(added->node, order, [this, fault = *added, done](const Result<void>& begun) {
    told(fault, begun, done);
  });
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
  if (fault.kind == Kind::PauseAgent || fault.kind == Kind::RestartAgent) return;
  end(fault);
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
  for (const FaultRecord& fault : unsettled()) broken.insert(fault.node);
  view.nodes_broken = std::ssize(broken);
  const Time now = ports_.clock();
  const Time midnight{now.ns - now.ns % kDay.ns};
  const auto& faults = log_.faults();
  view.faults_today = std::count_if(faults.begin(), faults.end(),
                                    [&](const FaultRecord& one) { return one.at >= midnight; });
  for (auto at = faults.rbegin(); at != faults.rend() && view.faults.size() < limit; ++at) {
    view.faults.push_back(*at);
  }
  for (const auto& [node, line] : desk_.lines()) view.nodes.push_back(node);
  return view;
}

void Chaos::view(std::size_t limit, live::Done<ChaosView> done) {
  post([this, limit, done = std::move(done)] {
    const auto asked = inbox_.ask(
        [view = view_log(limit), own = unsettled(), done](const control::Controller& core) {
          ChaosView seen = view;
          seen.unrest = unrest(core, own);
          done(std::move(seen));
        });
    if (!asked) done(tl::unexpected(asked.error()));
  });
}

}  // namespace gyre::server
