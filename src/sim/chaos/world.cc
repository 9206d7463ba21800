#include "sim/chaos/world.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace gyre::sim {
namespace {

constexpr Duration kSilentAfter = seconds(5);
constexpr Duration kLeaseMargin = milliseconds(1500);
constexpr std::int64_t kLeaseMarginPercent = 2;
constexpr SpanRange kDialTakes{milliseconds(200), seconds(10)};
constexpr SpanRange kBeatAge{Duration{0}, seconds(1)};
constexpr SpanRange kBootTakes{seconds(60), seconds(600)};
constexpr CpuMilli kNodeCpu{128'000};
constexpr MemoryMib kNodeMemory{1024 * 1024};
constexpr std::string_view kQueue = "default";

}  // namespace

ChaosWorld::ChaosWorld(const ChaosSpec& spec, const ChaosSetting& setting,
                       const control::Controller& core, MemoryJournal& journal, const Rng& rng)
    : spec_(spec),
      setting_(setting),
      core_(core),
      journal_(journal),
      jobs_(make_jobs(spec.jobs, spec.lasts, {1, setting.nodes}, setting.gpus, rng.stream("jobs"))),
      truth_(jobs_, spec, setting.nodes, rng.stream("exits")),
      faults_(plan_faults(spec, setting.nodes, rng.stream("faults"))),
      faults_done_(chaos_fault_names().size()),
      links_(setting.nodes),
      wakes_(setting.nodes, Time::max()),
      drains_(setting.nodes, 0),
      dispatcher_(core, spec.plant),
      clients_(jobs_.size()),
      services_(make_services(spec.services, spec.lasts, setting.nodes, setting.gpus,
                              rng.stream("services"))),
      owners_(services_.size()),
      sick_gpus_(setting.nodes),
      dark_(setting.nodes, 0),
      roads_(setting.nodes),
      disks_(setting.nodes),
      probes_(rng.stream("probes")),
      network_(rng.stream("network")) {
  for (std::uint32_t i = 0; i < setting.nodes; ++i) {
    machines_.emplace_back(i, truth_, spec.plant, rng.stream(fmt::format("machine {}", i)));
  }
  for (std::size_t i = 0; i < jobs_.size(); ++i) {
    agenda_.add(Time{} + jobs_[i].submit, Arrives{i});
    if (jobs_[i].stop_at) agenda_.add(Time{} + *jobs_[i].stop_at, StopAsked{i});
  }
  for (std::size_t i = 0; i < faults_.size(); ++i) {
    agenda_.add(Time{} + faults_[i].at, FaultBegins{i});
  }
  plan_services();
  introduce();
  refresh_all();
}

/// The policy, the queue and the nodes that the core does not know yet.
void ChaosWorld::introduce() {
  if (core_.last_event() == EventSeq{}) post(PolicySet{setting_.policy});
  if (!core_.healer().active()) post(HealingSet{setting_.healing});
  if (core_.queues().empty()) post(QueueSet{{std::string(kQueue), ""}});
  const std::size_t known = core_.cluster().nodes().size();
  for (std::size_t i = known; i < setting_.nodes; ++i) {
    NodeSpec node;
    node.name = fmt::format("node-{}", i);
    node.gpu_model = setting_.gpus == 0 ? "" : "H100";
    node.gpus = setting_.gpus;
    node.cpu = kNodeCpu;
    node.memory = kNodeMemory;
    dispatcher_.joined();
    post(NodeJoined{NodeId{static_cast<std::uint32_t>(i)}, node});
  }
}

// --- the server's side: events out, commands in

std::optional<Event> ChaosWorld::next(std::optional<Time> deadline) {
  while (!over_time()) {
    if (dies_now()) {
      killed_ = true;
      return std::nullopt;
    }
    if (has_pending()) {
      open_batch();
      Pending first = std::move(pending_.front());
      pending_.pop_front();
      return stamp(std::move(first));
    }
    const bool waits = deadline && server_up_;
    const Time wakes_at = waits ? std::max(now_, *deadline - clock_offset_) : Time::max();
    if (waits && wakes_at < agenda_.next()) {
      now_ = wakes_at;
      open_batch();
      return stamp({Tick{}, {}, {}});
    }
    if (agenda_.empty()) return std::nullopt;
    happen();
  }
  return std::nullopt;
}

/// Whether it is killed between two batches, or while it was stopped anyway.
bool ChaosWorld::dies_now() const { return kill_ && (kill_->which % 3 == 0 || !server_up_); }

void ChaosWorld::open_batch() {
  if (batch_open_) return;
  batch_open_ = true;
  if (!kill_) return;
  using Crash = MemoryJournal::Crash;
  journal_.crash_at_commit(kill_->which % 3 == 1 ? Crash::Before : Crash::After);
  killed_ = true;
}

Event ChaosWorld::stamp(Pending pending) {
  last_stamp_ = server_time();
  const EventSeq seq{++seq_};
  Uncommitted mark{seq, {}, pending.submission, pending.stop, {}, pending.owner, pending.change};
  if (auto* submitted = std::get_if<JobSubmitted>(&pending.body)) {
    // Replicas take numbers of their own.
    next_job_ = std::max(next_job_, core_.jobs().last().value + 1);
    submitted->job = mark.job = JobId{next_job_++};
    truth_.identify(submitted->job, *pending.submission);
  } else if (const auto* ended = std::get_if<TaskEnded>(&pending.body)) {
    mark.ended = TaskKey{ended->job, ended->attempt, ended->rank};
  } else if (const auto* probed = std::get_if<ReplicaProbed>(&pending.body)) {
    guard_.told(*probed, pending.honest);
  }
  uncommitted_.push_back(mark);
  return {last_stamp_, seq, std::move(pending.body)};
}

void ChaosWorld::committed(EventSeq seq) {
  if (server_disk_ && faults_[*server_disk_].kind == ChaosFault::Kind::SlowDisk) {
    pass_busy(now_ + draw(faults_[*server_disk_].more, network_));
  }
  batch_open_ = false;
  while (!uncommitted_.empty() && uncommitted_.front().seq <= seq) {
    const Uncommitted done = uncommitted_.front();
    uncommitted_.pop_front();
    if (done.ended) dispatcher_.committed(*done.ended);
    if (done.stop) clients_[*done.stop].stop_heard = true;
    if (done.owner) {
      Owner& owner = owners_[*done.owner];
      owner.heard = done.change;
      owner.asked = false;
      ask_for(*done.owner);
    }
    if (!done.submission) continue;
    clients_[*done.submission].submitted = true;
    clients_[*done.submission].job = done.job;
    try_stop(*done.submission);
  }
  collect();
}

void ChaosWorld::submit(const Command& command) {
  dispatcher_.submit(command);
  collect();
}

void ChaosWorld::collect() {
  for (Event::Body& body : dispatcher_.take_events()) post(std::move(body));
  for (const Dispatcher::Sent& sent : dispatcher_.take_orders()) send(sent.node, sent.order);
}

// --- clients, who ask until they are heard

void ChaosWorld::on(const Arrives& item) {
  Client& client = clients_[item.job];
  if (client.posted || client.submitted) return;
  client.posted = true;
  JobSubmitted submitted{{}, jobs_[item.job].spec, std::to_string(item.job)};
  pending_.push_back({std::move(submitted), item.job, {}});
}

void ChaosWorld::on(const StopAsked& item) {
  clients_[item.job].stop_asked = true;
  try_stop(item.job);
}

void ChaosWorld::try_stop(std::size_t job) {
  const Client& client = clients_[job];
  if (!client.stop_asked || client.stop_heard || !client.submitted) return;
  pending_.push_back({JobStopRequested{client.job}, {}, job});
}

/// Who was heard for good by the server's former life.
void ChaosWorld::take_up_clients() {
  for (Client& client : clients_) client.posted = false;
  for (Owner& owner : owners_) owner.asked = false;
  guard_.begin_anew(core_);
  core_.jobs().for_each([this](const Job& job) {
    if (!job.service.empty()) return look_after(job);
    std::size_t index = 0;
    const std::string& key = job.submission_key;
    std::from_chars(key.data(), key.data() + key.size(), index);
    clients_[index].submitted = true;
    clients_[index].job = job.id;
    truth_.identify(job.id, index);
  });
}

void ChaosWorld::ask_again() {
  for (std::size_t i = 0; i < jobs_.size(); ++i) {
    if (Time{} + jobs_[i].submit <= now_) on(Arrives{i});
    try_stop(i);
  }
  for (std::size_t i = 0; i < services_.size(); ++i) ask_for(i);
}

// --- between server and machines

void ChaosWorld::happen() {
  now_ = std::max(now_, agenda_.next());
  const Item item = agenda_.take();
  std::visit([this](const auto& one) { on(one); }, item);
}

void ChaosWorld::on(const WakeMachine& item) {
  wakes_[item.node] = Time::max();
  machines_[item.node].wake(now_);
  settle(item.node);
}

void ChaosWorld::settle(std::uint32_t node) {
  Machine& machine = machines_[node];
  const Links::Link& link = links_.at(node);
  for (const Report& report : machine.take_news()) {
    if (!link.session) continue;  // its next hello says it
    const bool again = chance(share(road(node).twice_percent), network_);
    if (loses_word(node, ChaosFault::Way::ToServer)) continue;
    const bool late = disks_[node] && faults_[*disks_[node]].kind == ChaosFault::Kind::SlowDisk;
    const Duration kept = late ? draw(faults_[*disks_[node]].more, network_) : Duration{0};
    agenda_.add(now_ + delay(node) + kept, ReportArrives{node, link.number, report});
    if (again) agenda_.add(now_ + delay(node) + kept, ReportArrives{node, link.number, report});
  }
  if (machine.take_reboot()) {
    ++links_.at(node).cuts;
    ++dark_[node];
    refresh(node);
    agenda_.add(now_ + draw(kBootTakes, network_), Booted{node});
  }
  const auto wakes_at = machine.next();
  if (!wakes_at || *wakes_at >= wakes_[node]) return;
  wakes_[node] = *wakes_at;
  agenda_.add(std::max(now_, *wakes_at), WakeMachine{node});
}

void ChaosWorld::send(std::uint32_t node, const Order& order) {
  Links::Link& link = links_.at(node);
  if (!link.session) return;  // what it must know it is told after its hello
  link.last_order = std::max(link.last_order, now_ + delay(node));
  const bool again = chance(share(road(node).twice_percent), network_);
  if (loses_word(node, ChaosFault::Way::ToNode)) return;
  agenda_.add(link.last_order, OrderArrives{node, link.number, order});
  if (again) agenda_.add(link.last_order, OrderArrives{node, link.number, order});
}

void ChaosWorld::on(const OrderArrives& item) {
  if (links_.at(item.node).number != item.number) return;
  machines_[item.node].obey(item.order, now_);
  settle(item.node);
}

void ChaosWorld::on(const ReportArrives& item) {
  if (links_.at(item.node).number != item.number) return;
  dispatcher_.report(item.node, item.report);
  collect();
}

void ChaosWorld::on(const HelloArrives& item) {
  Links::Link& link = links_.at(item.node);
  if (link.number != item.number || loses_word(item.node, ChaosFault::Way::ToServer)) return;
  link.session = true;
  link.heard_longer = Duration{0};
  machines_[item.node].wake(now_);  // a lease that is over is over
  machines_[item.node].grant_lease(Time::max());
  settle(item.node);
  dispatcher_.hello(item.node, machines_[item.node].hello());
  collect();
  tell_gpus(item.node);
}

void ChaosWorld::on(const Missed& item) {
  const Links::Link& link = links_.at(item.node);
  if (link.number != item.number || link.session || !server_up_) return;
  item.lost ? dispatcher_.lost(item.node) : dispatcher_.silent(item.node);
  collect();
}

void ChaosWorld::refresh(std::uint32_t node) {
  const bool had_session = links_.at(node).session;
  const Links::Change change = links_.refresh(node, server_up_);
  if (change == Links::Change::None) return;
  if (change == Links::Change::Connects) {
    const Duration dial = draw(kDialTakes, network_);
    agenda_.add(now_ + dial + delay(node), HelloArrives{node, links_.at(node).number});
    return;
  }
  if (had_session) {
    machines_[node].grant_lease(now_ + setting_.lease - draw(kBeatAge, network_));
    settle(node);
  }
  if (server_up_) expect_word_of(node);
}

void ChaosWorld::refresh_all() {
  for (std::uint32_t node = 0; node < links_.count(); ++node) refresh(node);
}

/// From now on its silence is noticed.
void ChaosWorld::expect_word_of(std::uint32_t node) {
  const Links::Link& link = links_.at(node);
  const Time heard_at = now_ + link.heard_longer;
  const Duration margin = setting_.lease / 100 * kLeaseMarginPercent + kLeaseMargin;
  agenda_.add(heard_at + kSilentAfter, Missed{node, link.number, false});
  agenda_.add(heard_at + setting_.lease + margin, Missed{node, link.number, true});
}

Duration ChaosWorld::delay(std::uint32_t node) {
  const ChaosNetwork& road = this->road(node);
  const Duration base = draw(road.delay, network_);
  const bool late = chance(share(road.late_percent), network_);
  const Duration more = draw(road.late_by, network_);
  return late ? base + more : base;
}

}  // namespace gyre::sim
