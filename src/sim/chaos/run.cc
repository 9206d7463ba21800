#include "sim/chaos/run.h"

#include <algorithm>
#include <utility>

#include "base/rng.h"
#include "control/driver.h"
#include "sim/chaos/memory_journal.h"
#include "sim/chaos/world.h"
#include "sim/check/checker.h"

namespace gyre::sim {
namespace {

constexpr std::int64_t kReplicasKept = 10'000;  // of one service, over its life

/// FNV-1a over integers.
class Digest {
 public:
  void add(std::uint64_t value) {
    hash_ ^= value;
    hash_ *= 0x100000001b3U;
  }
  std::uint64_t value() const { return hash_; }

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325U;
};

/// Checks and counts what is durable.
class Witness final : public control::Observer {
 public:
  Witness(ChaosWorld& world, ChaosReport& report, Checker& checker)
      : world_(world), report_(report), checker_(checker) {}

  void after(const Event& event, const control::Decisions& decisions,
             const control::Controller& core) override {
    if (world_.doomed()) return;
    checker_.after(event, decisions, core);
    ++report_.events;
    report_.commands += decisions.commands.size();
    digest_.add(static_cast<std::uint64_t>(event.at.ns));
    digest_.add(event.body.index());
    world_.answered(decisions);
    for (const Command& command : decisions.commands) add(command);
    for (const Transition& transition : decisions.transitions) count(transition, core);
  }

  std::uint64_t digest() const { return digest_.value(); }

 private:
  void add(const Command& command) {
    digest_.add(command.id.value);
    digest_.add(command.body.index());
    if (const auto* stop = std::get_if<StopGang>(&command.body))
      return digest_.add(stop->job.value);
    if (std::holds_alternative<RepairNode>(command.body)) ++report_.repairs;
    if (const auto* anew = std::get_if<ReplaceTask>(&command.body)) {
      ++report_.replacements;
      digest_.add(anew->job.value);
      digest_.add(anew->task.node.value);
      digest_.add(anew->task.allocation.devices);
    }
    const auto* start = std::get_if<StartGang>(&command.body);
    if (start == nullptr) return;
    digest_.add(start->job.value);
    for (const TaskPlacement& task : start->placement) {
      digest_.add(task.node.value);
      digest_.add(task.allocation.devices);
    }
  }

  void count(const Transition& transition, const control::Controller& core) {
    if (!is_final(transition.to)) return;
    if (const Job* job = core.jobs().find(transition.job)) world_.job_over(*job);
    if (transition.to == JobState::Succeeded) ++report_.succeeded;
    if (transition.to == JobState::Failed) ++report_.failed;
    if (transition.to == JobState::Cancelled) ++report_.cancelled;
  }

  ChaosWorld& world_;
  ChaosReport& report_;
  Checker& checker_;
  Digest digest_;
};

void draw_share(CountRange& share, Rng& rng) {
  share.min = draw(share, rng);
  share.max = share.min;
}

void draw_network(ChaosNetwork& network, Rng& rng) {
  draw_share(network.late_percent, rng);
  draw_share(network.twice_percent, rng);
  draw_share(network.lost_percent, rng);
}

/// Half of the playbooks have steps for the hardware.
void draw_repairs(HealingSpec& healing, Rng rng) {
  if (rng.below(2) == 0) return;
  for (HealingRule& rule : healing.rules) {
    if (rule.on != Symptom::DeviceFault) continue;
    rule.repair = static_cast<Repair>(rng.below(3));
    rule.burn_in = rng.below(2) == 0;
  }
}

ChaosSetting draw_setting(const ChaosSpec& spec, Rng rng) {
  ChaosSetting setting;
  setting.nodes = static_cast<std::uint32_t>(draw(spec.fleet.nodes, rng));
  setting.gpus = static_cast<std::int32_t>(draw(spec.fleet.gpus, rng));
  setting.lease = draw(spec.fleet.lease, rng);
  const auto& policies = named_policies();
  const std::uint64_t any = rng.below(policies.size());
  setting.policy = spec.policy == "any" ? policies[any] : *policy_by_name(spec.policy);
  // Small fleets would never lose a node to healing otherwise, and the story ends when all is
  // forgotten.
  setting.healing = default_healing();
  setting.healing.rules.push_back({Symptom::TaskStalled, 2, seconds(3600), Remedy::Quarantine});
  setting.healing.quarantined_percent_max = static_cast<std::int32_t>(rng.below(51));
  setting.healing.remember = seconds(86'400);
  draw_repairs(setting.healing, rng.stream("repairs"));
  return setting;
}

/// The server's next life. `before`: the core that died, if it had seen all that is durable.
control::Controller recover(const MemoryJournal& journal, const control::Config& config,
                            const control::Controller& before, const ChaosSpec& spec,
                            ChaosWorld& world) {
  const std::size_t left_out = spec.plant == ChaosPlant::JournalTailIgnored ? 3 : 0;
  auto recovery = journal.recover(config, left_out);
  if (!recovery) {
    world.truth().report(Invariant::RecoversAlike, world.now(), recovery.error().message);
    return before;
  }
  const bool same = before.last_event() == journal.last_event();
  if (recovery->difference.empty() && same && recovery->core.state() != before.state()) {
    recovery->difference = "the recovered state is another one";
  }
  if (!recovery->difference.empty()) {
    world.truth().report(Invariant::RecoversAlike, world.now(), recovery->difference);
    return before;
  }
  return std::move(recovery->core);
}

}  // namespace

ChaosSpec draw_shares(const ChaosSpec& scenario, std::uint64_t seed) {
  Rng rng = Rng(seed).stream("shares");
  ChaosSpec spec = scenario;
  for (CountRange* share : {&spec.jobs.preemptible_percent, &spec.jobs.fail_percent,
                            &spec.jobs.stop_percent, &spec.services.bad_percent}) {
    draw_share(*share, rng);
  }
  draw_network(spec.network, rng);
  for (ChaosFault& fault : spec.faults) draw_network(fault.network, rng);
  return spec;
}

ChaosPlan plan_chaos(const ChaosSpec& scenario, std::uint64_t seed) {
  const Rng rng(seed);
  const ChaosSpec spec = draw_shares(scenario, seed);
  const ChaosSetting setting = draw_setting(spec, rng.stream("setting"));
  return {
      setting.nodes,
      setting.gpus,
      setting.lease,
      make_jobs(spec.jobs, spec.lasts, {1, setting.nodes}, setting.gpus, rng.stream("jobs")),
      make_services(spec.services, spec.lasts, setting.nodes, setting.gpus, rng.stream("services")),
      spec.network,
      plan_faults(spec, setting.nodes, rng.stream("faults"))};
}

ChaosReport run_chaos(const ChaosSpec& scenario, std::uint64_t seed) {
  const Rng rng(seed);
  const ChaosSpec spec = draw_shares(scenario, seed);
  Rng sizes = rng.stream("sizes");
  const ChaosSetting setting = draw_setting(spec, rng.stream("setting"));
  MemoryJournal journal;
  control::Config config;
  config.jobs_finished_kept_max =
      static_cast<std::size_t>(spec.jobs.count.max + spec.services.count.max * kReplicasKept) + 1;
  control::Controller core(config);
  ChaosWorld world(spec, setting, core, journal, rng);
  Checker checker;
  ChaosReport report;
  Witness witness(world, report, checker);
  control::DriverOptions options;
  options.events_per_commit_max = 1 + sizes.below(200);
  options.events_per_snapshot = 1 + sizes.below(5000);
  for (;;) {
    const auto done = control::run(core, world, journal, witness, options);
    if (!world.server_killed()) break;
    ++report.recoveries;
    world.rest();
    core = recover(journal, config, core, spec, world);
    world.return_to_life();
    if (!world.truth().violations().empty()) break;
  }
  if (world.truth().violations().empty()) world.finish();
  checker.finish(core);
  report.seed = seed;
  report.nodes = setting.nodes;
  report.policy = setting.policy.name;
  report.faults = world.faults_done();
  report.ended_at = world.now();
  report.digest = witness.digest();
  report.jobs = core.jobs().last().value;
  report.violations = world.truth().violations();
  const auto& seen = checker.violations();
  report.violations.insert(report.violations.end(), seen.begin(), seen.end());
  return report;
}

}  // namespace gyre::sim
