#include <fmt/format.h>

#include <optional>

#include "base/units.h"
#include "cli/checks.h"
#include "cli/experiment.h"
#include "cli/serve_options.h"
#include "cli/simulation.h"
#include "cli/verbs.h"
#include "domain/policy.h"
#include "live/playback.h"
#include "sim/report/comparison.h"
#include "sim/simulate.h"

namespace gyre::cli {
namespace {

struct SimulateFlags {
  std::vector<std::string> traces;
  std::string experiment, nodes, format = "auto", policies, queues, out, journal;
  std::string mtbf, mttr, fault_trace, start_latency, stop_latency, restart_overhead, checkpoint;
  std::uint64_t seed = 1;
  std::optional<std::uint64_t> limit;
  bool skip_bad_rows = false;
  bool check = false;
  std::uint64_t starts_told = 0;
  std::optional<std::uint32_t> seeds;
  std::string resample;
  std::optional<std::string> serve;  // empty: at the default address
  std::optional<double> speed;
};

Outcome<void> read_duration(const char* flag, const std::string& text, Duration& duration) {
  if (text.empty()) return {};
  const auto parsed = parse_duration(text);
  if (!parsed) return give_up(kUsage, "{}: {}", flag, parsed.error().message);
  duration = *parsed;
  return {};
}

Outcome<void> read_duration(const char* flag, const std::string& text,
                            std::optional<Duration>& duration) {
  Duration value;
  if (const auto read = read_duration(flag, text, value); !read) return read;
  if (!text.empty()) duration = value;
  return {};
}

Outcome<sim::SimulateOptions> read_flags(const SimulateFlags& flags) {
  sim::SimulateOptions options;
  auto policies = read_policies(flags.policies);
  if (!policies) return tl::unexpected(policies.error());
  options.policies = std::move(*policies);
  if (!flags.queues.empty()) {
    auto queues = read_queue_file(flags.queues);
    if (!queues) return tl::unexpected(queues.error());
    options.queues = std::move(*queues);
  }
  options.trace_path = flags.traces.front();
  options.nodes = flags.nodes;
  options.format = flags.format;
  options.seed = flags.seed;
  options.limit = flags.limit;
  options.skip_bad_rows = flags.skip_bad_rows;
  options.check = flags.check;
  options.keep_jobs = !flags.out.empty();
  options.starts_told_one_in = flags.starts_told;
  options.faults.trace_path = flags.fault_trace;
  sim::ExecutionOptions& execution = options.execution;
  for (const auto& read :
       {read_duration("--mtbf", flags.mtbf, options.faults.mtbf),
        read_duration("--mttr", flags.mttr, options.faults.mttr),
        read_duration("--resample", flags.resample, options.resample),
        read_duration("--start-latency", flags.start_latency, execution.start_latency),
        read_duration("--stop-latency", flags.stop_latency, execution.stop_latency),
        read_duration("--restart-overhead", flags.restart_overhead, execution.restart_overhead),
        read_duration("--checkpoint-interval", flags.checkpoint, execution.checkpoint_interval)}) {
    if (!read) return tl::unexpected(read.error());
  }
  if (!flags.journal.empty() && options.policies.size() != 1) {
    return give_up(kUsage, "--journal keeps one run: give one policy, found {}",
                   options.policies.size());
  }
  if (const auto valid = sim::validate(options); !valid) {
    return give_up(kUsage, "{}", valid.error().message);
  }
  return options;
}

/// Plays the trace in the browser; what writes a report has nothing to say there.
Outcome<int> serve(const Session& session, const SimulateFlags& flags,
                   sim::SimulateOptions options) {
  if (options.policies.size() != 1) {
    return give_up(kUsage, "--serve plays one run: give one policy, found {}",
                   options.policies.size());
  }
  if (!flags.out.empty() || !flags.journal.empty() || flags.check) {
    return give_up(kUsage, "--serve writes nothing: --out, --journal and --check go without it");
  }
  ServeOptions play{std::move(options), flags.serve->empty() ? UpOptions{}.listen : *flags.serve};
  if (flags.speed) play.speed = *flags.speed;
  return session.ports.serve_simulation(play);
}

/// The same with several seeds: means, intervals, differences.
Outcome<int> compare(const Session& session, const SimulateFlags& flags,
                     sim::SimulateOptions& options) {
  if (const auto fine = sim::check_seeds(options, *flags.seeds); !fine) {
    return give_up(kUsage, "{}", fine.error().message);
  }
  const auto comparison = watched<sim::Comparison>(
      options.surroundings, [&] { return sim::compare(options, *flags.seeds); });
  if (!comparison) return give_up(kError, "{}", comparison.error().message);
  return show(session, *comparison, flags.out);
}

Outcome<int> simulate(const Session& session, const SimulateFlags& flags) {
  if (!flags.experiment.empty()) {
    return run_experiment(session, {flags.traces, flags.nodes, flags.format, flags.policies});
  }
  if (flags.traces.size() > 1) {
    return give_up(kUsage, "one trace is replayed at a time, found {}; --experiment takes more",
                   flags.traces.size());
  }
  auto options = read_flags(flags);
  if (!options) return tl::unexpected(options.error());
  if (flags.serve) return serve(session, flags, std::move(*options));
  if (flags.speed) return give_up(kUsage, "--speed is for --serve");
  if (flags.seeds) return compare(session, flags, *options);
  if (!flags.journal.empty()) {
    options->surroundings.open_journal = [&](const PolicySpec&) {
      return session.ports.create_journal(flags.journal);
    };
  }
  const auto report = watched<sim::SimulationReport>(options->surroundings,
                                                     [&] { return sim::simulate(*options); });
  // A wrong trace is no wrong command line.
  if (!report) return give_up(kError, "{}", report.error().message);
  return show(session, *report, flags.out);
}

std::string policy_help() {
  std::string text = "\n\nPolicies (the last one is the default):\n";
  for (const PolicySpec& policy : named_policies()) {
    text += fmt::format("  {:<14} {}\n", policy.name, describe(policy));
  }
  text += "\nNAME+PLACEMENT chooses nodes in another way:\n";
  for (const PlacementName& placement : placement_names()) {
    text += fmt::format("  +{:<18} {}\n", placement.name, placement.description);
  }
  return text;
}

/// What breaks, and what starts and stops cost.
void add_world_flags(CLI::App& verb, SimulateFlags& flags) {
  verb.add_option("--mtbf", flags.mtbf,
                  "nodes fail: mean time between failures of one; the run is ended after 100 for "
                  "each node, 20000 at least")
      ->type_name("DURATION");
  verb.add_option("--mttr", flags.mttr, "mean time to repair one; else 1h")->type_name("DURATION");
  verb.add_option("--fault-trace", flags.fault_trace, "nodes fail as this trace says")
      ->type_name("FILE");
  verb.add_option("--start-latency", flags.start_latency, "from a start to running")
      ->type_name("DURATION");
  verb.add_option("--stop-latency", flags.stop_latency, "from a stop to the end")
      ->type_name("DURATION");
  verb.add_option("--restart-overhead", flags.restart_overhead, "work that each restart adds")
      ->type_name("DURATION");
  verb.add_option("--checkpoint-interval", flags.checkpoint, "of jobs whose trace gives none")
      ->type_name("DURATION");
}

}  // namespace

void add_simulate_verb(CLI::App& app, Session& session) {
  auto* verb =
      add_verb(app, "simulate", "Replay a trace of jobs on a fleet, under one policy or more",
               "  gyre simulate jobs.csv --nodes 32x8:V100\n"
               "  gyre simulate pods.csv.gz --format openb --nodes nodes.csv --policy fifo,easy\n"
               "  zcat jobs.csv.gz | gyre simulate - --nodes 4x8 -o json\n"
               "  gyre simulate --experiment fgd openb_pod_list_*.csv --nodes nodes.csv" +
                   policy_help());
  auto flags = std::make_shared<SimulateFlags>();
  verb->add_option("TRACE", flags->traces, "a trace, plain or .gz; '-' for stdin")->required();
  verb->add_option("--nodes", flags->nodes, "a node list, or NODESxGPUS[:MODEL]")
      ->required()
      ->type_name("FILE|SHAPE");
  verb->add_option("--format", flags->format, "the trace's format")
      ->check(CLI::IsMember({"auto", "openb", "philly", "csv"}))
      ->capture_default_str()
      ->type_name("auto|openb|philly|csv");
  verb->add_option("--policy", flags->policies,
                   "policies to compare: names, or policy files (.yaml)")
      ->type_name("A[,B...]");
  verb->add_option("--queues", flags->queues, "quotas, limits and weights of the trace's queues")
      ->type_name("FILE");
  verb->add_option("--seed", flags->seed, "the same seed gives the same run")
      ->check(at_least(0))
      ->capture_default_str();
  auto* seeds =
      verb->add_option("--seeds", flags->seeds,
                       "compare policies over N seeds, from --seed on: means with intervals")
          ->check(at_least(1))
          ->type_name("N");
  verb->add_option("--resample", flags->resample,
                   "draw the trace anew from its parts of this length, another way each seed")
      ->type_name("DURATION");
  verb->add_option("--limit", flags->limit, "read so many rows at most")->check(at_least(1));
  verb->add_flag("--skip-bad-rows", flags->skip_bad_rows,
                 "count malformed rows, do not refuse them");
  verb->add_flag("--check", flags->check, "verify every invariant after every event");
  auto* tell_starts =
      verb->add_option(
              "--tell-starts", flags->starts_told,
              "tell one in N of the jobs that wait when they will start, and see if they do")
          ->check(at_least(1))
          ->type_name("N");
  verb->add_option("--out", flags->out, "write tables, series and plots there")->type_name("DIR");
  verb->add_option("--journal", flags->journal, "keep the run's journal, for 'gyre replay'")
      ->type_name("FILE");
  add_world_flags(*verb, *flags);
  verb->add_option("--serve", flags->serve, "play it in the browser instead, there")
      ->expected(0, 1)
      ->type_name("[ADDRESS]");
  seeds->excludes("--serve", "--tell-starts", "--journal");
  tell_starts->excludes("--serve");
  verb->add_option("--speed", flags->speed, "of --serve: simulated seconds per second; else 60")
      ->check(CLI::Range(live::PlayHead::kSpeedMin, live::PlayHead::kSpeedMax))
      ->type_name("N");
  verb->add_option(
          "--experiment", flags->experiment,
          "FGD's inflation experiment: all placements (or those of --policy) on each trace")
      ->check(CLI::IsMember({"fgd"}))
      ->type_name("fgd")
      ->excludes("--seed", "--limit", "--skip-bad-rows", "--check", "--out", "--journal", "--mtbf")
      ->excludes("--tell-starts", "--seeds", "--resample")
      ->excludes("--mttr", "--fault-trace", "--start-latency", "--stop-latency")
      ->excludes("--restart-overhead", "--checkpoint-interval", "--serve", "--speed", "--queues");
  add_output_flag(*verb, session);
  on_verb(verb, session, [&session, flags] { return simulate(session, *flags); });
}

}  // namespace gyre::cli
