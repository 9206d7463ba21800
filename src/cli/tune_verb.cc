#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/print.h"
#include "cli/progress_bar.h"
#include "cli/simulation.h"
#include "cli/threads.h"
#include "cli/verbs.h"
#include "codec/policy_text.h"
#include "sim/tune/tune.h"

namespace gyre::cli {
namespace {

using Json = nlohmann::ordered_json;

struct TuneFlags {
  std::vector<std::string> traces;
  std::string nodes, format = "auto", policy = "gyre", queues, objective, out;
  std::uint64_t evaluations = 100;
  std::uint32_t windows = 8;
  std::uint32_t kept = 3;
};

/// The trials of a search, in a file that grows by a line each: the search goes on after them.
class TrialFile {
 public:
  /// Reads what is there; a last line that was cut is left out. Errors: it is of a search with
  /// other inputs, or nothing that a search wrote.
  static Outcome<std::unique_ptr<TrialFile>> open(const std::string& folder,
                                                  const std::string& inputs, std::size_t settings) {
    const std::string path = folder + "/trials.jsonl";
    std::string text;
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (std::filesystem::exists(path, error)) {
      auto read = read_input(path);
      if (!read) return tl::unexpected(read.error());
      text = std::move(*read);
    }
    const std::size_t whole = text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1;
    auto file = std::unique_ptr<TrialFile>(new TrialFile(path));
    if (auto known = file->read(std::string_view(text).substr(0, whole), inputs, settings);
        !known) {
      return tl::unexpected(known.error());
    }
    file->descriptor_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (file->descriptor_ < 0 || ::ftruncate(file->descriptor_, static_cast<off_t>(whole)) != 0 ||
        ::lseek(file->descriptor_, 0, SEEK_END) < 0) {
      return give_up(kError, "cannot write {}: {}", path, std::strerror(errno));
    }
    if (whole == 0) {
      if (auto wrote = file->append(Json{{"tune", 1}, {"inputs", inputs}}); !wrote) {
        return give_up(kError, "{}", wrote.error().message);
      }
    }
    return file;
  }
  ~TrialFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  TrialFile(const TrialFile&) = delete;
  TrialFile& operator=(const TrialFile&) = delete;

  const std::vector<sim::Trial>& known() const { return known_; }

  Result<void> add(const sim::Trial& trial) {
    return append({{"settings", trial.settings}, {"ratio", trial.ratio}});
  }

 private:
  explicit TrialFile(std::string path) : path_(std::move(path)) {}

  Outcome<void> read(std::string_view text, const std::string& inputs, std::size_t settings) {
    for (std::size_t line = 1; !text.empty(); ++line) {
      const std::size_t end = text.find('\n');
      const Json json = Json::parse(text.substr(0, end), nullptr, false);
      text.remove_prefix(end + 1);
      if (line == 1 && json.is_object() && json.value("tune", Json()) == 1) {
        if (json.value("inputs", Json()) == inputs) continue;
        return give_up(kUsage,
                       "{} is of a search with other inputs: take another folder for --out, or "
                       "remove it\n  there: {}\n  here:  {}",
                       path_, json.value("inputs", Json()).dump(), Json(inputs).dump());
      }
      sim::Trial trial;
      if (line == 1 || !read_trial(json, settings, trial)) {
        return give_up(kUsage, "{}: line {} is nothing that a search wrote: remove the file", path_,
                       line);
      }
      known_.push_back(std::move(trial));
    }
    return {};
  }

  static bool read_trial(const Json& json, std::size_t settings, sim::Trial& trial) {
    if (!json.is_object()) return false;
    const auto values = json.find("settings");
    const auto ratio = json.find("ratio");
    if (values == json.end() || !values->is_array() || values->size() != settings) return false;
    for (const Json& value : *values) {
      if (!value.is_number_integer()) return false;
      trial.settings.push_back(value.get<std::int64_t>());
    }
    // JSON has no infinity: what never finished is null.
    if (ratio == json.end() || !(ratio->is_number() || ratio->is_null())) return false;
    trial.ratio = ratio->is_null() ? std::numeric_limits<double>::infinity() : ratio->get<double>();
    return trial.ratio >= 0;
  }

  Result<void> append(const Json& json) {
    const std::string line = json.dump() + '\n';
    if (::write(descriptor_, line.data(), line.size()) == static_cast<ssize_t>(line.size())) {
      return {};
    }
    return fail(ErrorKind::NoRoom, "cannot write {}: {}", path_, std::strerror(errno));
  }

  std::string path_;
  int descriptor_ = -1;
  std::vector<sim::Trial> known_;
};

void for_each(std::size_t count, const std::function<void(std::size_t)>& body) {
  std::atomic<std::size_t> next{0};
  on_threads(std::min(count, processors()), [&] {
    for (std::size_t i = next++; i < count; i = next++) body(i);
  });
}

Outcome<sim::TuneOptions> read_flags(const TuneFlags& flags) {
  sim::TuneOptions options;
  auto policies = read_policies(flags.policy);
  if (!policies) return tl::unexpected(policies.error());
  options.simulation.policies = std::move(*policies);
  if (!flags.queues.empty()) {
    auto queues = read_queue_file(flags.queues);
    if (!queues) return tl::unexpected(queues.error());
    options.simulation.queues = std::move(*queues);
  }
  options.simulation.nodes = flags.nodes;
  options.simulation.format = flags.format;
  options.traces = flags.traces;
  options.evaluations = flags.evaluations;
  options.windows = flags.windows;
  options.kept = flags.kept;
  for (const sim::Objective& objective : sim::objectives()) {
    if (objective.name == flags.objective) options.objective = objective;
  }
  options.for_each = for_each;
  if (const auto valid = sim::validate(options); !valid) {
    return give_up(kUsage, "{}", valid.error().message);
  }
  return options;
}

Outcome<int> tune(const Session& session, const TuneFlags& flags) {
  if (!session.ports.minimise) {
    return give_up(kError,
                   "this Gyre was built without NLopt, which searches: install libnlopt-cxx-dev, "
                   "and build it again");
  }
  auto options = read_flags(flags);
  if (!options) return tl::unexpected(options.error());
  options->minimise = session.ports.minimise;

  std::unique_ptr<TrialFile> trials;
  std::optional<Failure> refused;
  if (!flags.out.empty()) {
    const std::size_t settings = sim::tunables(options->simulation.policies.front()).size();
    options->resume = [&](const std::string& inputs) -> Result<std::vector<sim::Trial>> {
      auto opened = TrialFile::open(flags.out, inputs, settings);
      if (!opened) {
        refused = opened.error();
        return fail(ErrorKind::Conflict, "{}", refused->message);
      }
      trials = std::move(*opened);
      return trials->known();
    };
    options->tried = [&](const sim::Trial& trial) { return trials->add(trial); };
  }
  const auto report = [&] {
    ProgressBar bar;
    options->progress = [&](const sim::TuneProgress& progress) {
      bar.show(static_cast<double>(progress.tried) / static_cast<double>(progress.evaluations),
               fmt::format("{} of {}; best {:+.1f} %", progress.tried, progress.evaluations,
                           100 * (progress.best - 1)));
    };
    return sim::tune(*options);
  }();
  if (refused) return tl::unexpected(*refused);
  if (!report) return give_up(kError, "{}", report.error().message);
  if (!flags.out.empty()) {
    const auto wrote = write_files(flags.out, {{"policy.yaml", codec::to_yaml(report->chosen())},
                                               {"report.json", sim::to_json(*report)}});
    if (!wrote) return tl::unexpected(wrote.error());
  }
  return show_json_or(session, sim::to_json(*report), sim::to_table(*report));
}

}  // namespace

void add_tune_verb(CLI::App& app, Session& session) {
  auto* verb = add_verb(app, "tune", "Search a policy's settings over traces, and see if they hold",
                        "  gyre tune jobs.csv --nodes 32x8:V100 --out tuned\n"
                        "  gyre simulate jobs.csv --nodes 32x8:V100 --policy "
                        "gyre,tuned/policy.yaml\n"
                        "  gyre tune a.csv b.csv.gz --nodes nodes.csv --policy tiresias "
                        "--objective slowdown\n"
                        "\nA search that was interrupted goes on where it was, with the same "
                        "--out.\n");
  auto flags = std::make_shared<TuneFlags>();
  verb->add_option("TRACE", flags->traces, "traces, plain or .gz")->required();
  verb->add_option("--nodes", flags->nodes, "a node list, or NODESxGPUS[:MODEL]")
      ->required()
      ->type_name("FILE|SHAPE");
  verb->add_option("--format", flags->format, "the traces' format")
      ->check(CLI::IsMember({"auto", "openb", "philly", "csv"}))
      ->capture_default_str()
      ->type_name("auto|openb|philly|csv");
  verb->add_option("--policy", flags->policy, "what is searched from: a name, or a policy file")
      ->capture_default_str()
      ->type_name("NAME|FILE");
  verb->add_option("--queues", flags->queues, "quotas, limits and weights of the traces' queues")
      ->type_name("FILE");
  std::vector<std::string> names;
  for (const sim::Objective& objective : sim::objectives()) names.emplace_back(objective.name);
  flags->objective = names.front();
  verb->add_option("--objective", flags->objective, "what is to be small")
      ->check(CLI::IsMember(names))
      ->capture_default_str()
      ->type_name(fmt::format("{}", fmt::join(names, "|")));
  verb->add_option("--evaluations", flags->evaluations, "policies to look at, at most")
      ->capture_default_str()
      ->type_name("N");
  verb->add_option("--windows", flags->windows, "parts that each trace is cut into, by jobs")
      ->capture_default_str()
      ->type_name("N");
  verb->add_option("--keep", flags->kept,
                   "the last parts, which no search sees: they tell whether it holds")
      ->capture_default_str()
      ->type_name("N");
  verb->add_option("--out", flags->out, "write the policy and the report there; a search goes on")
      ->type_name("DIR");
  add_output_flag(*verb, session);
  on_verb(verb, session, [&session, flags] { return tune(session, *flags); });
}

}  // namespace gyre::cli
