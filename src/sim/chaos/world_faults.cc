// What breaks in a ChaosWorld, and how it is mended.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "sim/chaos/world.h"

namespace gyre::sim {
namespace {

using Kind = ChaosFault::Kind;

constexpr Duration kClockOffsetMax = seconds(86'400);
constexpr Duration kOperatorPause = seconds(3600);
constexpr SpanRange kFoundBroken{seconds(1), seconds(15)};  // a connection that has lost a word
// How long beats may still be heard of an agent that hears no answers.
constexpr std::uint64_t kHeardLongerMsMax = 20'000;
// Double bit error, off the bus, one that no table has, and one that a program can cause.
constexpr std::array<std::int32_t, 4> kXids{48, 79, 999, 31};
// How a broken device shows: of so many the first ones without an Xid.
constexpr std::uint64_t kWays = 4;
constexpr std::uint64_t kSilentWays = 2;

/// Its tasks are not reached either, or are gone.
bool darkens(Kind kind) { return kind == Kind::KillNode || kind == Kind::CutNode; }

}  // namespace

void ChaosWorld::begin_cut(const PlannedFault& fault) {
  if (fault.way == ChaosFault::Way::ToNode) {
    const auto ms = static_cast<std::int64_t>(fault.which % kHeardLongerMsMax);
    links_.at(fault.node).heard_longer = milliseconds(ms);
  }
  ++links_.at(fault.node).cuts;
  if (darkens(fault.kind)) ++dark_[fault.node];
  refresh(fault.node);
}

/// What was said over one connection arrives in order or not at all: with a word that is lost goes
/// all that would follow, until it is connected anew.
bool ChaosWorld::loses_word(std::uint32_t node, ChaosFault::Way way) {
  const std::int32_t percent = share(road(node).lost_percent);
  if (percent == 0 || !chance(percent, network_)) return false;
  PlannedFault cut;
  cut.kind = Kind::PauseAgent;  // its tasks are reached
  cut.way = way;
  cut.node = node;
  cut.which = network_.next();
  agenda_.add(now_ + draw(kFoundBroken, network_), LineRejoins{node});
  begin_cut(cut);
  return true;
}

void ChaosWorld::on(const LineRejoins& item) {
  --links_.at(item.node).cuts;
  refresh(item.node);
}

void ChaosWorld::begin_disk(std::size_t index) {
  const PlannedFault& fault = faults_[index];
  if (fault.of == ChaosFault::Of::Server) {
    if (fault.kind == Kind::BreakDisk) {  // it ends itself, and nobody has heard of its last batch
      kill_ = fault;
      kill_->which = 1;
      return;
    }
    server_disk_ = index;
    journal_.set_full(fault.kind == Kind::FillDisk);
    return;
  }
  using Disk = Machine::Disk;
  disks_[fault.node] = index;
  machines_[fault.node].set_disk(fault.kind == Kind::FillDisk   ? Disk::Full
                                 : fault.kind == Kind::SlowDisk ? Disk::Slow
                                                                : Disk::Broken,
                                 fault.more, now_);
  settle(fault.node);
}

/// Another one may have followed it.
void ChaosWorld::end_disk(std::size_t index) {
  const PlannedFault& fault = faults_[index];
  if (fault.of == ChaosFault::Of::Server) {
    if (server_disk_ != index) return;
    server_disk_.reset();
    return journal_.set_full(false);
  }
  if (disks_[fault.node] != index) return;
  disks_[fault.node].reset();
  machines_[fault.node].set_disk(Machine::Disk::Sound, {}, now_);
}

/// The world while the server does nothing but write; what is for it waits.
void ChaosWorld::pass_busy(Time until) {
  std::vector<Item> waiting;
  while (!agenda_.empty() && agenda_.next() <= until) {
    now_ = std::max(now_, agenda_.next());
    Item item = agenda_.take();
    const bool for_server =
        !std::holds_alternative<WakeMachine>(item) && !std::holds_alternative<OrderArrives>(item) &&
        !std::holds_alternative<FaultBegins>(item) && !std::holds_alternative<FaultEnds>(item) &&
        !std::holds_alternative<LineRejoins>(item) && !std::holds_alternative<Booted>(item);
    if (for_server) {
      waiting.push_back(std::move(item));
    } else {
      std::visit([this](const auto& one) { on(one); }, item);
    }
    if (until == Time::max() && !(server_disk_ && faults_[*server_disk_].kind == Kind::FillDisk)) {
      break;
    }
  }
  if (until != Time::max()) now_ = std::max(now_, until);
  for (Item& item : waiting) agenda_.add(now_, std::move(item));
}

bool ChaosWorld::await_room(const Error& why) {
  if (why.kind != ErrorKind::NoRoom) return false;  // it was killed
  pass_busy(Time::max());
  return true;
}

void ChaosWorld::on(const FaultBegins& item) {
  const PlannedFault& fault = faults_[item.fault];
  ++faults_done_[static_cast<std::size_t>(fault.kind)];
  Machine& machine = machines_[fault.node];
  switch (fault.kind) {
    case Kind::KillNode:
      machine.power_off(now_);
      [[fallthrough]];
    case Kind::CutNode:
    case Kind::PauseAgent:
    case Kind::RestartAgent:
      begin_cut(fault);
      break;
    case Kind::KillTask: {
      const std::uint32_t node = busy_machine(fault.node);
      machines_[node].kill_some_task(fault.which, now_);
      return settle(node);
    }
    case Kind::HangTask: {
      const std::uint32_t node = busy_machine(fault.node);
      machines_[node].hang_some_task(fault.which, now_);
      return settle(node);
    }
    case Kind::BreakGpu:
      machine.break_gpu(fault.which, setting_.gpus, now_ + fault.lasts, now_);
      break_gpu(fault);
      return settle(fault.node);
    case Kind::DrainNode:
      change_drains(fault.node, 1);
      break;
    case Kind::KillServer:
      kill_ = fault;
      return;
    case Kind::PauseServer:
      if (!server_up_) return;
      server_up_ = false;
      paused_ = true;
      refresh_all();
      break;
    case Kind::StepClock:
      clock_offset_ =
          std::clamp(clock_offset_ + fault.by, Duration{-kClockOffsetMax.ns}, kClockOffsetMax);
      if (fault.lasts.ns == 0) return;  // it stays as it is
      break;
    case Kind::SlowNetwork:
      roads_[fault.node] = item.fault;
      break;
    case Kind::FillDisk:
    case Kind::SlowDisk:
    case Kind::BreakDisk:
      begin_disk(item.fault);
      break;
  }
  agenda_.add(now_ + fault.lasts, FaultEnds{item.fault});
}

void ChaosWorld::on(const FaultEnds& item) {
  const PlannedFault& fault = faults_[item.fault];
  switch (fault.kind) {
    case Kind::DrainNode:
      return change_drains(fault.node, -1);
    case Kind::StepClock:
      clock_offset_ =
          std::clamp(clock_offset_ - fault.by, Duration{-kClockOffsetMax.ns}, kClockOffsetMax);
      return;
    case Kind::SlowNetwork:
      if (roads_[fault.node] == item.fault) roads_[fault.node].reset();
      return;
    case Kind::FillDisk:
    case Kind::SlowDisk:
    case Kind::BreakDisk:
      return end_disk(item.fault);
    default:
      break;
  }
  if (fault.kind != Kind::PauseServer) {
    --links_.at(fault.node).cuts;
    if (darkens(fault.kind)) --dark_[fault.node];
    return refresh(fault.node);
  }
  if (!paused_) return;  // it was killed meanwhile
  paused_ = false;
  server_up_ = true;
  refresh_all();
  // It knows that it was away, and gives everybody time to come back.
  for (std::uint32_t node = 0; node < links_.count(); ++node) expect_word_of(node);
}

void ChaosWorld::on(const Booted& item) {
  --links_.at(item.node).cuts;
  --dark_[item.node];
  refresh(item.node);
}

void ChaosWorld::on(const OperatorLooks& item) {
  const auto& until = core_.healer().health({item.node}).quarantined_until;
  if (until != Time::max()) return;
  const bool wants = duty_wanted(item.node) == NodeDuty::Open;
  if (server_up_ && wants) post(NodeDutySet{NodeId{item.node}, NodeDuty::Open});
  agenda_.add(now_ + kOperatorPause, item);
}

/// Its driver says so, if there is anybody to hear it; or its probe finds it lost, or hangs.
void ChaosWorld::break_gpu(const PlannedFault& fault) {
  if (setting_.gpus == 0) return;
  const std::uint64_t choice = fault.which / kGpusPerNodeMax;
  const auto device =
      static_cast<std::int32_t>(fault.which % static_cast<std::uint64_t>(setting_.gpus));
  const std::uint64_t way = choice / kXids.size() % kWays;
  if (way >= kSilentWays) {
    if (!links_.at(fault.node).session) return;
    return post(GpuErrorSeen{NodeId{fault.node}, device, kXids[choice % kXids.size()]});
  }
  const Time until = now_ + fault.lasts;
  const SickGpu before = std::exchange(
      sick_gpus_[fault.node], {device, way == 0 ? GpuHealth::Lost : GpuHealth::Unknown, until});
  agenda_.add(until, GpuMended{fault.node, device});
  if (before.device >= 0) on(GpuMended{fault.node, before.device});
  tell_gpus(fault.node);
}

void ChaosWorld::on(const GpuMended& item) {
  if (!links_.at(item.node).session) return;  // it says so when it comes
  post(GpuHealthSeen{NodeId{item.node}, item.device, gpu_health(item.node, item.device)});
}

GpuHealth ChaosWorld::gpu_health(std::uint32_t node, std::int32_t device) const {
  const SickGpu& sick = sick_gpus_[node];
  return sick.device == device && now_ < sick.until ? sick.health : GpuHealth::Ok;
}

/// How they are now, as far as that is another than the server has it.
void ChaosWorld::tell_gpus(std::uint32_t node) {
  if (!links_.at(node).session) return;
  const auto nodes = core_.cluster().nodes();
  const GpuTroubles told = node < nodes.size() ? nodes[node].gpu_troubles : GpuTroubles{};
  for (std::int32_t device = 0; device < setting_.gpus; ++device) {
    const GpuHealth health = gpu_health(node, device);
    if (health != told.of(device)) post(GpuHealthSeen{NodeId{node}, device, health});
  }
}

/// The first machine from `first` on that has something to kill.
std::uint32_t ChaosWorld::busy_machine(std::uint32_t first) const {
  for (std::uint32_t i = 0; i < setting_.nodes; ++i) {
    const std::uint32_t node = (first + i) % setting_.nodes;
    if (machines_[node].running() > 0) return node;
  }
  return first;
}

NodeDuty ChaosWorld::duty_wanted(std::uint32_t node) const {
  return drains_[node] > 0 ? NodeDuty::Draining : NodeDuty::Open;
}

void ChaosWorld::change_drains(std::uint32_t node, int by) {
  const NodeDuty before = duty_wanted(node);
  drains_[node] += by;
  if (duty_wanted(node) != before) post(NodeDutySet{NodeId{node}, duty_wanted(node)});
}

void ChaosWorld::rest() {
  const Duration outage = kill_ ? kill_->lasts : Duration{0};
  server_up_ = false;
  paused_ = false;
  refresh_all();
  const Time back_at = now_ + outage;
  while (agenda_.next() <= back_at) happen();
  now_ = back_at;
}

void ChaosWorld::return_to_life() {
  pending_.clear();
  uncommitted_.clear();
  kill_.reset();
  killed_ = false;
  batch_open_ = false;
  seq_ = core_.last_event().value;
  last_stamp_ = core_.now();
  next_job_ = core_.jobs().last().value + 1;
  dispatcher_.recover();
  introduce();
  take_up_clients();
  ask_again();
  for (const Node& node : core_.cluster().nodes()) {
    const auto index = static_cast<std::uint32_t>(&node - core_.cluster().nodes().data());
    const auto& until = core_.healer().health({index}).quarantined_until;
    if (until == Time::max()) agenda_.add(now_ + kOperatorPause, OperatorLooks{index});
    if (node.duty != duty_wanted(index)) post(NodeDutySet{NodeId{index}, duty_wanted(index)});
  }
  server_up_ = true;
  refresh_all();
  for (std::uint32_t node = 0; node < links_.count(); ++node) expect_word_of(node);
}

void ChaosWorld::job_over(const Job& job) {
  if (job.state == JobState::Succeeded) truth_.succeeded(job, now_);
}

void ChaosWorld::finish() {
  for (std::uint32_t node = 0; node < setting_.nodes; ++node) {
    const Machine& machine = machines_[node];
    if (machine.running() > 0 || machine.known() > 0) {
      truth_.report(Invariant::NoLeak, now_,
                    fmt::format("{} tasks run on node {} at the end, {} are kept there",
                                machine.running(), node, machine.known()));
    }
    if (node < core_.cluster().nodes().size() && core_.cluster().node(NodeId{node}).open())
      continue;
    truth_.report(Invariant::Converges, now_, fmt::format("node {} takes no tasks", node));
  }
  finish_services();
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    const Client& client = clients_[i];
    const Job* job = client.submitted ? core_.jobs().find(client.job) : nullptr;
    if (job == nullptr) {
      truth_.report(client.submitted ? Invariant::JobsConserved : Invariant::Converges, now_,
                    fmt::format("{} was {}", jobs_[i].spec.name,
                                client.submitted ? "accepted and is lost" : "never accepted"));
    } else if (!is_final(job->state)) {
      truth_.report(
          Invariant::Converges, now_,
          fmt::format("job {} is still {} at the end", job->id.value, to_string(job->state)));
    }
  }
}

}  // namespace gyre::sim
