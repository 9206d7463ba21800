#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <iostream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "base/units.h"
#include "cli/checks.h"
#include "cli/live_chaos.h"
#include "cli/progress_bar.h"
#include "cli/threads.h"
#include "cli/verbs.h"
#include "codec/chaos_text.h"
#include "sim/chaos/run.h"

namespace gyre::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t kFailuresMax = 10;  // then a swarm stops

struct ChaosFlags {
  std::string scenario;
  std::uint64_t seed = 1;
  std::uint64_t seeds = 1;
  unsigned threads = 0;  // 0: as many as the machine has
  bool plan = false;
  bool live = false;
  bool yes = false;
};

/// What many seeds came to.
struct Swarm {
  std::uint64_t done = 0;
  std::uint64_t events = 0;
  std::uint64_t recoveries = 0;
  std::uint64_t jobs = 0;
  std::uint64_t faults = 0;
  double wall_s = 0;
  std::vector<sim::ChaosReport> failures;  // by seed
};

std::uint64_t sum(const std::vector<std::uint64_t>& counts) {
  std::uint64_t total = 0;
  for (const std::uint64_t count : counts) total += count;
  return total;
}

/// Runs seeds on several threads; each run is a world of its own.
class SwarmRunner {
 public:
  SwarmRunner(const ChaosSpec& spec, const ChaosFlags& flags) : spec_(spec), flags_(flags) {}

  Swarm run() {
    const auto began = std::chrono::steady_clock::now();
    const std::uint64_t wanted = flags_.threads == 0 ? processors() : flags_.threads;
    on_threads(std::min(wanted, flags_.seeds), [this] { work(); });
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    swarm_.wall_s = took.count();
    std::sort(swarm_.failures.begin(), swarm_.failures.end(),
              [](const auto& a, const auto& b) { return a.seed < b.seed; });
    return std::move(swarm_);
  }

 private:
  void work() {
    for (std::uint64_t i = next_++; i < flags_.seeds; i = next_++) {
      sim::ChaosReport report = sim::run_chaos(spec_, flags_.seed + i);
      const std::lock_guard lock(mutex_);
      add(std::move(report));
      if (swarm_.failures.size() >= kFailuresMax) return;
    }
  }
  void add(sim::ChaosReport report) {
    ++swarm_.done;
    swarm_.events += report.events;
    swarm_.recoveries += report.recoveries;
    swarm_.jobs += report.jobs;
    swarm_.faults += sum(report.faults);
    if (!report.violations.empty()) swarm_.failures.push_back(std::move(report));
    bar_.show(static_cast<double>(swarm_.done) / static_cast<double>(flags_.seeds),
              fmt::format("{} of {} seeds, {} failed", swarm_.done, flags_.seeds,
                          swarm_.failures.size()));
  }

  const ChaosSpec& spec_;
  const ChaosFlags& flags_;
  std::atomic<std::uint64_t> next_{0};
  std::mutex mutex_;
  Swarm swarm_;
  ProgressBar bar_;
};

std::string replay_command(const ChaosFlags& flags, std::uint64_t seed) {
  return fmt::format("gyre chaos {} --seed {}", flags.scenario, seed);
}

Json to_json(const sim::ChaosReport& report, const ChaosFlags& flags) {
  Json faults = Json::object();
  for (std::size_t i = 0; i < report.faults.size(); ++i) {
    faults[std::string(chaos_fault_names()[i])] = report.faults[i];
  }
  Json violations = Json::array();
  for (const sim::Violation& violation : report.violations) {
    violations.push_back({{"invariant", sim::to_string(violation.invariant)},
                          {"at_s", (violation.at - Time{}).seconds()},
                          {"detail", violation.detail}});
  }
  return {{"seed", report.seed},
          {"nodes", report.nodes},
          {"policy", report.policy},
          {"faults", faults},
          {"recoveries", report.recoveries},
          {"repairs", report.repairs},
          {"replacements", report.replacements},
          {"events", report.events},
          {"commands", report.commands},
          {"jobs",
           {{"submitted", report.jobs},
            {"succeeded", report.succeeded},
            {"failed", report.failed},
            {"cancelled", report.cancelled}}},
          {"ended_at_s", (report.ended_at - Time{}).seconds()},
          {"digest", fmt::format("{:016x}", report.digest)},
          {"violations", violations},
          {"replay", replay_command(flags, report.seed)}};
}

void print_violations(const sim::ChaosReport& report, const ChaosFlags& flags) {
  const sim::Violation& first = report.violations.front();
  fmt::print(stderr, "seed {} broke '{}' after {}: {}\n  again: {}\n", report.seed,
             sim::to_string(first.invariant), format_duration(first.at - Time{}), first.detail,
             replay_command(flags, report.seed));
}

int print_one(const Session& session, const sim::ChaosReport& report, const ChaosFlags& flags) {
  const Format format = session.format();
  if (is_document(format)) {
    print_document(to_json(report, flags), format);
  } else {
    Table table({"FAULT", "TIMES"});
    for (std::size_t i = 0; i < report.faults.size(); ++i) {
      if (report.faults[i] == 0) continue;
      table.add({std::string(chaos_fault_names()[i]), std::to_string(report.faults[i])});
    }
    table.print();
    fmt::print("\n{} nodes, policy {}, seed {}; at rest after {}\n", report.nodes, report.policy,
               report.seed, format_duration(report.ended_at - Time{}));
    fmt::print("{} jobs: {} succeeded, {} failed, {} cancelled\n", report.jobs, report.succeeded,
               report.failed, report.cancelled);
    fmt::print("{} events, {} commands, {} recoveries from the journal; digest {:016x}\n",
               report.events, report.commands, report.recoveries, report.digest);
  }
  if (report.violations.empty()) return kOk;
  print_violations(report, flags);
  return kError;
}

int print_swarm(const Session& session, const Swarm& swarm, const ChaosFlags& flags) {
  const Format format = session.format();
  const double rate = static_cast<double>(swarm.done) / std::max(swarm.wall_s, 1e-9);
  if (is_document(format)) {
    Json failures = Json::array();
    for (const sim::ChaosReport& report : swarm.failures) {
      failures.push_back(to_json(report, flags));
    }
    print_document({{"first_seed", flags.seed},
                    {"seeds", swarm.done},
                    {"failed", swarm.failures.size()},
                    {"jobs", swarm.jobs},
                    {"faults", swarm.faults},
                    {"recoveries", swarm.recoveries},
                    {"events", swarm.events},
                    {"wall_s", swarm.wall_s},
                    {"seeds_per_s", rate},
                    {"failures", failures}},
                   format);
  } else {
    fmt::print("{} seeds from {} on, {} failed; {} jobs, {} faults, {} recoveries, {} events\n",
               swarm.done, flags.seed, swarm.failures.size(), swarm.jobs, swarm.faults,
               swarm.recoveries, swarm.events);
    fmt::print(stderr, "{:.1f} s, {:.2f} seeds a second\n", swarm.wall_s, rate);
  }
  for (const sim::ChaosReport& report : swarm.failures) print_violations(report, flags);
  return swarm.failures.empty() ? kOk : kError;
}

double in_seconds(Duration span) { return static_cast<double>(span.ns) / 1e9; }
Json in_seconds(const SpanRange& range) {
  return Json::array({in_seconds(range.min), in_seconds(range.max)});
}

Json to_json(const sim::ChaosJob& job) {
  const TaskGroup& tasks = job.spec.tasks.front();
  const auto& checkpoint = job.spec.checkpoint.interval;
  return {{"name", job.spec.name},
          {"submit_s", in_seconds(job.submit)},
          {"length_s", in_seconds(job.length)},
          {"nodes", tasks.count},
          {"gpus", tasks.request.gpus},
          {"gpu_milli", tasks.request.gpu_milli.value},
          {"priority", job.spec.priority},
          {"preemptible", job.spec.preemptible},
          {"checkpoint_s", checkpoint ? Json(in_seconds(*checkpoint)) : Json()},
          {"stop_s", job.stop_at ? Json(in_seconds(*job.stop_at)) : Json()}};
}

Json to_json(const sim::ChaosService& service) {
  const ServiceSpec& spec = service.changes.front().spec;
  return {{"name", spec.replica.name},
          {"replicas_min", spec.replicas.min},
          {"replicas_max", spec.replicas.max},
          {"gpus", spec.replica.tasks.front().request.gpus}};
}

Json to_json(const ChaosNetwork& network) {
  return {{"slow", network != ChaosNetwork{}},
          {"delay_s", in_seconds(network.delay)},
          {"late_percent", network.late_percent.min},
          {"late_by_s", in_seconds(network.late_by)},
          {"lost_percent", network.lost_percent.min}};
}

Json to_json(const sim::PlannedFault& fault) {
  Json json = {{"at_s", in_seconds(fault.at)},
               {"do", chaos_fault_names()[static_cast<std::size_t>(fault.kind)]},
               {"node", fault.node},
               {"for_s", in_seconds(fault.lasts)},
               {"by_s", in_seconds(fault.by)},
               {"way", codec::kChaosWays[static_cast<std::size_t>(fault.way)]},
               {"of", codec::kChaosOf[static_cast<std::size_t>(fault.of)]},
               {"which", fault.which}};
  if (fault.kind == ChaosFault::Kind::SlowNetwork) json["network"] = to_json(fault.network);
  return json;
}

int print_plan(const ChaosSpec& spec, std::uint64_t seed) {
  const sim::ChaosPlan plan = sim::plan_chaos(spec, seed);
  Json jobs = Json::array();
  for (const sim::ChaosJob& job : plan.jobs) jobs.push_back(to_json(job));
  Json services = Json::array();
  for (const sim::ChaosService& service : plan.services) services.push_back(to_json(service));
  Json faults = Json::array();
  for (const sim::PlannedFault& fault : plan.faults) faults.push_back(to_json(fault));
  const Json road = to_json(plan.network);
  print_document({{"name", spec.name},
                  {"seed", seed},
                  {"lasts_s", in_seconds(spec.lasts)},
                  {"nodes", plan.nodes},
                  {"gpus", plan.gpus},
                  {"lease_s", in_seconds(plan.lease)},
                  {"jobs", jobs},
                  {"services", services},
                  {"network", road},
                  {"faults", faults}},
                 Format::Json);
  return kOk;
}

/// Whether a person at the terminal means it; a program says so by --yes.
Outcome<void> confirm(const Session& session, const ChaosFlags& flags) {
  if (flags.yes) return {};
  auto client = session.connect();
  if (!client) return tl::unexpected(client.error());
  const std::string url = client->address().text();
  if (isatty(STDIN_FILENO) == 0) {
    return give_up(kUsage, "--live breaks what runs at {}: say --yes where nobody can be asked",
                   url);
  }
  fmt::print(stderr, "This breaks what runs at {}, on purpose. Type 'yes' to go on: ", url);
  std::string answer;
  std::getline(std::cin, answer);
  if (answer == "yes") return {};
  return give_up(kError, "nothing is broken");
}

/// `any_seed`: none was named.
Outcome<int> chaos_live(const Session& session, const ChaosFlags& flags, const std::string& text,
                        bool any_seed) {
  if (flags.seeds != 1 || flags.plan) {
    return give_up(kUsage, "--live lives one scenario through: without --seeds and --plan");
  }
  const auto live = codec::read_live_chaos(text);
  if (!live) return give_up(kUsage, "{}: {}", flags.scenario, live.error().message);
  if (auto meant = confirm(session, flags); !meant) return tl::unexpected(meant.error());
  std::random_device chance;
  return break_fleet(session, *live, {flags.scenario, any_seed ? chance() : flags.seed});
}

Outcome<int> chaos(const Session& session, const ChaosFlags& flags, bool any_seed) {
  if (flags.scenario.empty()) {
    return give_up(kUsage,
                   "name a scenario's file, or 'status', 'on' or 'off'; see 'gyre chaos -h'");
  }
  const auto text = read_input(flags.scenario);
  if (!text) return tl::unexpected(text.error());
  if (flags.live) return chaos_live(session, flags, *text, any_seed);
  const auto spec = codec::read_chaos(*text);
  if (!spec) return give_up(kUsage, "{}: {}", flags.scenario, spec.error().message);
  if (flags.plan) return print_plan(*spec, flags.seed);
  if (flags.seeds == 1) return print_one(session, sim::run_chaos(*spec, flags.seed), flags);
  return print_swarm(session, SwarmRunner(*spec, flags).run(), flags);
}

}  // namespace

void add_chaos_verb(CLI::App& app, Session& session) {
  auto* verb = add_verb(app, "chaos",
                        "Break a simulated fleet, or a running one, and check that nothing is lost",
                        "  gyre chaos data/chaos/day.yaml\n"
                        "  gyre chaos data/chaos/day.yaml --seeds 1000\n"
                        "  gyre chaos scenario.yaml --seed 17 -o json\n"
                        "  gyre chaos data/chaos/weekdays.yaml --live\n"
                        "  gyre chaos status\n"
                        "  gyre chaos off");
  auto flags = std::make_shared<ChaosFlags>();
  verb->add_option("SCENARIO", flags->scenario, "a file; '-' for stdin");
  auto* seed = verb->add_option("--seed", flags->seed,
                                "the same seed gives the same run; with --live any by chance")
                   ->check(at_least(0))
                   ->capture_default_str();
  verb->add_option("--seeds", flags->seeds, "so many seeds, from --seed on")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1'000'000'000}))
      ->capture_default_str();
  verb->add_option("--threads", flags->threads, "at once; else one a core")
      ->check(CLI::Range(1U, 1024U));
  verb->add_flag("--plan", flags->plan,
                 "only print what the seed comes to, as JSON: jobs, services and faults");
  auto* live = verb->add_flag("--live", flags->live,
                              "break the server's running fleet, within the bounds that the file "
                              "sets in 'live:'");
  verb->add_flag("--yes", flags->yes, "with --live: do not ask whether that is meant")->needs(live);
  add_server_flags(*verb, session);
  add_output_flag(*verb, session);
  add_chaos_switch(*verb, session);
  verb->callback([&session, verb, flags, seed] {
    if (!verb->get_subcommands().empty()) return;  // theirs is set
    session.action = [&session, flags, seed] { return chaos(session, *flags, seed->count() == 0); };
  });
}

}  // namespace gyre::cli
