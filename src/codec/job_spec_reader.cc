#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <cstring>
#include <optional>
#include <span>
#include <utility>

#include "base/units.h"
#include "codec/image_text.h"
#include "codec/job_spec_conflicts.h"
#include "codec/job_spec_text.h"
#include "codec/printable.h"
#include "codec/spec_tree.h"
#include "domain/launch_fields.h"

namespace gyre::codec {
namespace {

using Kind = SpecNode::Kind;

/// What this version does not do yet, though a job spec may say it.
constexpr std::array<std::string_view, 2> kLaterFields{"budget", "max_price"};

class SpecReader {
 public:
  explicit SpecReader(std::string_view image_base) : image_base_(image_base) {}

  tl::expected<JobSpec, std::vector<SpecProblem>> read(const SpecNode& root) {
    spec_.tasks.resize(1);
    const bool read = object(root, kFields);
    if (read && !has(root, "command") && spec_.launch.container.image.empty()) {
      problem(root, "'command' is missing: say what to run, as in command: python3 train.py");
    }
    for (SpecProblem& conflict : conflicts_of(root, spec_)) add(std::move(conflict));
    if (problems_.empty()) {
      if (const auto valid = validate(spec_); !valid) add(placed(root, valid.error()));
    }
    if (problems_.empty()) return std::move(spec_);
    if (unlisted_ > 0) problem(root, fmt::format("and {} problems more", unlisted_), true);
    return tl::unexpected(std::move(problems_));
  }

 private:
  using Reader = void (SpecReader::*)(const SpecNode&);
  struct KnownField {
    std::string_view name;
    Reader read;
  };
  using KnownFields = std::span<const KnownField>;

  // -- The fields ---------------------------------------------------------------------------------

  void name(const SpecNode& node) { name_into(node, spec_.name); }
  void queue(const SpecNode& node) { name_into(node, spec_.queue); }
  void tenant(const SpecNode& node) { name_into(node, spec_.tenant); }

  void image(const SpecNode& node) {
    if (node.kind != Kind::String) return expected(node, "an image, or the text 'host' for none");
    if (node.text == "host") return;
    take(node, image_named(node.text, image_base_), spec_.launch.container.image);
  }

  void command(const SpecNode& node) {
    std::vector<std::string>& argv = spec_.launch.command;
    if (node.kind == Kind::String) {
      if (node.text.find_first_not_of(" \t\r\n") == std::string::npos) {
        return problem(node, "the command is empty");
      }
      if (argument(node)) argv = {"/bin/sh", "-c", node.text};
      return;
    }
    if (node.kind != Kind::List) {
      return expected(node, "a text, which /bin/sh runs, or a list of a program and its arguments");
    }
    if (node.items.empty()) return problem(node, "the command is empty");
    if (node.items.size() > kArgumentsMax) {
      return problem(node,
                     fmt::format("{} arguments; at most {}", node.items.size(), kArgumentsMax));
    }
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      within(fmt::format("[{}]", i), [&] {
        const SpecNode& item = node.items[i];
        if (!is_scalar(item)) return expected(item, "a text");
        if (i == 0 && item.text.empty()) return problem(item, "the program's name is empty");
        if (argument(item)) argv.push_back(item.text);
      });
    }
  }

  void nodes(const SpecNode& node) { integer(node, 1, kTasksPerJobMax, spec_.tasks[0].count); }
  void topology(const SpecNode& node) {
    if (!object(node, kTopology)) return;
    if (node.items.size() != 1) problem(node, "say one of required and preferred");
  }
  void topology_required(const SpecNode& node) { topology_level(node, true); }
  void topology_preferred(const SpecNode& node) { topology_level(node, false); }
  void topology_level(const SpecNode& node, bool required) {
    std::array<std::string_view, kTopologyLevels> levels;
    for (std::size_t i = 0; i < levels.size(); ++i) {
      levels[i] = to_string(static_cast<TopologyLevel>(i));
    }
    if (const auto level = one_of(node, levels)) {
      spec_.topology = Topology{static_cast<TopologyLevel>(*level), required};
    }
  }
  void placement(const SpecNode& node) {
    spec_.placement.emplace();
    if (!object(node, kPlacement)) return;
    if (has(node, "spread") && has(node, "pack")) {
      problem(node, "say one of spread and pack: tasks cannot be both");
    }
  }
  void placement_group(const SpecNode& node) { name_into(node, spec_.placement->group); }
  void placement_near(const SpecNode& node) { name_into(node, spec_.placement->near); }
  void placement_apart(const SpecNode& node) { name_into(node, spec_.placement->apart); }
  void placement_max_per_node(const SpecNode& node) {
    integer(node, 1, kTasksPerJobMax, spec_.placement->max_per_node);
  }
  void placement_spread(const SpecNode& node) { balance(node, Balance::Spread); }
  void placement_pack(const SpecNode& node) { balance(node, Balance::Pack); }
  void balance(const SpecNode& node, Balance balance) {
    std::array<std::string_view, kTopologyLevels + 2> levels;
    for (std::size_t i = 0; i <= kTopologyLevels; ++i) {
      levels[i] = to_string(static_cast<TopologyLevel>(i));
    }
    levels.back() = "none";
    const auto level = one_of(node, levels);
    if (!level || levels[*level] == "none") return;
    spec_.placement->balance = balance;
    spec_.placement->level = static_cast<TopologyLevel>(*level);
  }
  void resources(const SpecNode& node) {
    if (!object(node, kResources)) return;
    const Request& request = spec_.tasks[0].request;
    const bool share = request.gpus == 1 && request.gpu_milli < kWholeGpu;
    if (request.sharing == Sharing::Exclusive && share) {
      problem(node, "sharing: exclusive means whole GPUs, and a fraction of one is asked for");
    } else if (request.sharing > Sharing::Exclusive && !share) {
      problem(node, fmt::format("sharing: {} is for a fraction of one GPU, as in gpu: 0.5",
                                to_string(request.sharing)));
    }
  }
  void gpu(const SpecNode& node) {
    if (node.kind != Kind::Number && node.kind != Kind::String) {
      return expected(node, "a GPU request as in H100:80GB:8, or a number");
    }
    const auto done = parse_gpu(node.text, spec_.tasks[0].request);
    if (!done) problem(node, done.error());
  }
  void cpu(const SpecNode& node) {
    if (node.kind != Kind::Number && node.kind != Kind::String) {
      return expected(node, "a number of CPU cores");
    }
    take(node, parse_cpu(printable(node.text)), spec_.tasks[0].request.cpu);
  }
  void memory(const SpecNode& node) {
    if (with_unit(node, "a memory size with a unit, as in 16GB")) {
      take(node, parse_memory(printable(node.text)), spec_.tasks[0].request.memory);
    }
  }
  void sharing(const SpecNode& node) {
    std::array<std::string_view, kSharingCount> ways;
    for (std::size_t i = 0; i < ways.size(); ++i) ways[i] = to_string(static_cast<Sharing>(i));
    if (const auto way = one_of(node, ways)) {
      spec_.tasks[0].request.sharing = static_cast<Sharing>(*way);
    }
  }

  void priority(const SpecNode& node) { integer(node, kPriorityMin, kPriorityMax, spec_.priority); }
  void preemptible(const SpecNode& node) {
    if (const auto value = truth(node)) spec_.preemptible = *value;
  }
  void deadline(const SpecNode& node) { positive(node, spec_.deadline.emplace()); }
  void expected_duration(const SpecNode& node) {
    positive(node, spec_.expected_duration.emplace());
  }

  void checkpoint(const SpecNode& node) { object(node, kCheckpoint); }
  void checkpoint_path(const SpecNode& node) { path_into(node, spec_.checkpoint.path); }
  void checkpoint_interval(const SpecNode& node) {
    positive(node, spec_.checkpoint.interval.emplace());
  }
  void checkpoint_grace(const SpecNode& node) { duration(node, spec_.checkpoint.grace); }
  void checkpoint_signal(const SpecNode& node) {
    std::vector<std::string> names;
    for (int number = 1; number < 32; ++number) {
      const char* name = sigabbrev_np(number);
      if (name == nullptr || number == SIGKILL || number == SIGSTOP) continue;
      names.push_back(fmt::format("SIG{}", name));
      if (node.kind == Kind::String && node.text == names.back()) {
        spec_.checkpoint.signal = number;
        return;
      }
    }
    const std::string full = "SIG" + node.text;
    const bool short_form = std::find(names.begin(), names.end(), full) != names.end();
    expected(node, "a signal that a process can catch, as in SIGUSR1",
             short_form ? full : nearest(node.text, names));
  }

  void progress(const SpecNode& node) {
    spec_.progress.emplace();
    if (object(node, kProgress) && !has(node, "heartbeat")) {
      problem(node, "'heartbeat' is missing: say how often there is a line, as in heartbeat: 10m");
    }
  }
  void progress_heartbeat(const SpecNode& node) { positive(node, spec_.progress->heartbeat); }
  void progress_line(const SpecNode& node) {
    if (!is_line(node)) return expected(node, kLineForm);
    spec_.progress->line = node.text;
  }

  void retry(const SpecNode& node) { object(node, kRetry); }
  void retry_on(const SpecNode& node) {
    constexpr std::array<std::string_view, 3> kCauses{"error", "interruption", "no-capacity"};
    if (node.kind != Kind::List)
      return expected(node, "a list of error, interruption, no-capacity");
    std::array<bool, 3> on{};
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      within(fmt::format("[{}]", i), [&] {
        const auto cause = one_of(node.items[i], kCauses);
        if (!cause) return;
        if (on[*cause]) problem(node.items[i], fmt::format("'{}' is given twice", kCauses[*cause]));
        on[*cause] = true;
      });
    }
    spec_.retry.on_error = on[0];
    spec_.retry.on_interruption = on[1];
    spec_.retry.on_no_capacity = on[2];
  }
  void retry_max(const SpecNode& node) { integer(node, 0, kRetriesMax, spec_.retry.retries_max); }
  void retry_on_node_loss(const SpecNode& node) {
    const auto answer = one_of(node, std::array<std::string_view, 2>{"gang", "task"});
    if (answer) spec_.retry.on_node_loss = NodeLossAnswer(*answer);
  }
  void retry_backoff(const SpecNode& node) {
    constexpr std::string_view kForm = "a time or a range of times with units, as in 10s..5m";
    if (!with_unit(node, kForm)) return;
    const std::size_t dots = node.text.find("..");
    SpecNode part = node;
    part.text = node.text.substr(0, dots);
    Duration low = spec_.retry.backoff;
    if (!duration(part, low)) return;
    Duration high = low;
    if (dots != std::string::npos) {
      part.text = node.text.substr(dots + 2);
      if (!duration(part, high)) return;
    }
    if (high < low) return problem(node, "the range ends before it begins");
    spec_.retry.backoff = low;
    spec_.retry.backoff_max = high;
  }

  void env(const SpecNode& node) {
    if (node.kind != Kind::Map) return expected(node, "a map of names and values");
    if (node.items.size() > kEnvMax) {
      return problem(node, fmt::format("{} variables; at most {}", node.items.size(), kEnvMax));
    }
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      const SpecNode::Key& key = node.keys[i];
      within("." + printable(key.name), [&] { variable(key, node.items[i]); });
    }
  }
  void variable(const SpecNode::Key& key, const SpecNode& node) {
    if (!is_variable_name(key.name)) {
      return problem(key.line, key.column,
                     fmt::format("'{}' is no name of a variable: use letters, digits and '_', no "
                                 "digit first, at most {}",
                                 printable(key.name), kNameBytesMax));
    }
    if (!is_scalar(node)) return expected(node, "a text (\"\" for an empty one)");
    if (argument(node)) spec_.launch.env.emplace_back(key.name, node.text);
  }
  void user(const SpecNode& node) {
    if (!is_scalar(node)) return expected(node, "a user's number or name");
    if (fits(node, check_user(printable(node.text)))) spec_.launch.container.user = node.text;
  }
  void read_only(const SpecNode& node) {
    if (const auto value = truth(node)) spec_.launch.container.writable_root = !*value;
  }
  void network(const SpecNode& node) {
    constexpr std::array<std::string_view, 2> kNetworks{"host", "none"};
    const auto which = one_of(node, kNetworks);
    if (which) spec_.launch.container.network = static_cast<ContainerSpec::Network>(*which);
  }
  void volumes(const SpecNode& node) {
    texts(node, kMountsPerContainerMax, [&](const SpecNode& item) {
      ContainerSpec::Volume volume;
      if (take(item, parse_volume(item.text), volume) && fits(item, check_mount(volume, mounts_))) {
        spec_.launch.container.volumes.push_back(std::move(volume));
      }
    });
  }
  void tmpfs(const SpecNode& node) {
    texts(node, kMountsPerContainerMax, [&](const SpecNode& item) {
      ContainerSpec::Tmpfs tmpfs;
      if (take(item, parse_tmpfs(item.text), tmpfs) && fits(item, check_mount(tmpfs, mounts_))) {
        spec_.launch.container.tmpfs.push_back(std::move(tmpfs));
      }
    });
  }
  void secrets(const SpecNode& node) {
    texts_into(node, kSecretsPerContainerMax, check_secret_name, spec_.launch.container.secrets);
  }
  void registry_login(const SpecNode& node) {
    if (!is_scalar(node)) return expected(node, "a secret's name");
    if (!fits(node, check_secret_name(printable(node.text)))) return;
    spec_.launch.container.registry_login = node.text;
  }
  void devices(const SpecNode& node) {
    texts_into(node, kDevicesPerContainerMax, check_device, spec_.launch.container.devices);
  }
  void artifacts(const SpecNode& node) {
    const auto check = [](std::string_view path) { return check_artifact(path, true); };
    texts_into(node, kArtifactsPerJobMax, check, spec_.launch.artifacts);
  }
  void ports(const SpecNode& node) {
    std::vector<std::string>& ports = spec_.launch.ports;
    const auto check = [&](std::string_view name) { return check_port(name, ports); };
    texts_into(node, kPortsPerTaskMax, check, ports);
  }
  void working_directory(const SpecNode& node) { path_into(node, spec_.launch.working_directory); }

  // -- What fields are made of --------------------------------------------------------------------

  bool object(const SpecNode& node, KnownFields known) {
    if (node.kind != Kind::Map) {
      expected(node, "fields, as in `name: value`");
      return false;
    }
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      const SpecNode::Key& key = node.keys[i];
      const auto field = std::find_if(known.begin(), known.end(),
                                      [&](const KnownField& it) { return it.name == key.name; });
      within((path_.empty() ? "" : ".") + printable(key.name), [&] {
        if (field == known.end()) return unknown(key, known);
        if (node.items[i].kind == Kind::Null) {
          return problem(node.items[i], "has no value: give one, or leave the field out");
        }
        (this->*field->read)(node.items[i]);
      });
    }
    return true;
  }

  void unknown(const SpecNode::Key& key, KnownFields known) {
    if (known.data() == kFields.data() &&
        std::find(kLaterFields.begin(), kLaterFields.end(), key.name) != kLaterFields.end()) {
      add({ErrorKind::Unsupported, path_, key.line, key.column,
           "is not supported yet by this version: leave it out", ""});
      return;
    }
    std::vector<std::string> names;
    for (const KnownField& field : known) names.emplace_back(field.name);
    add({ErrorKind::Invalid, path_, key.line, key.column,
         fmt::format("there is no such field; there are {}", fmt::join(names, ", ")),
         nearest(key.name, names)});
  }

  template <class Int>
  void integer(const SpecNode& node, Int least, Int most, Int& out) {
    Int number = 0;
    const char* end = node.text.data() + node.text.size();
    const auto read = std::from_chars(node.text.data(), end, number);
    if (node.kind != Kind::Number || read.ec != std::errc{} || read.ptr != end || number < least ||
        number > most) {
      return expected(node, fmt::format("a whole number from {} to {}", least, most));
    }
    out = number;
  }

  void name_into(const SpecNode& node, std::string& out) {
    if (node.kind != Kind::String) return expected(node, "a name (in quotes if it is a number)");
    if (!is_valid_name(node.text)) {
      return expected(node, fmt::format("a name of letters, digits, '.', '_' and '-', a letter or "
                                        "digit first, at most {} long",
                                        kNameBytesMax));
    }
    out = node.text;
  }

  void path_into(const SpecNode& node, std::string& out) {
    const bool fits = node.kind == Kind::String && node.text.size() <= kPathBytesMax &&
                      node.text.starts_with('/') && node.text.find('\0') == std::string::npos;
    if (!fits) {
      return expected(node, fmt::format("an absolute path of at most {} bytes", kPathBytesMax));
    }
    out = node.text;
  }

  /// What the kernel passes to a program: not endless, and without NUL.
  bool argument(const SpecNode& node) {
    if (node.text.size() > kArgumentBytesMax) {
      problem(node, fmt::format("{} bytes long; at most {}", node.text.size(), kArgumentBytesMax));
      return false;
    }
    if (node.text.find('\0') == std::string::npos) return true;
    problem(node, "contains a NUL character, which no program can be given");
    return false;
  }

  std::optional<bool> truth(const SpecNode& node) {
    if (node.kind == Kind::Bool) return node.text[0] == 't' || node.text[0] == 'T';
    expected(node, "true or false");
    return std::nullopt;
  }

  /// Calls `read` for each text of a list of `most` at most.
  template <class Read>
  void texts(const SpecNode& node, std::size_t most, Read read) {
    if (node.kind != Kind::List) return expected(node, "a list of texts");
    if (node.items.size() > most) {
      return problem(node, fmt::format("{} of them; at most {}", node.items.size(), most));
    }
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      within(fmt::format("[{}]", i), [&] {
        const bool plain = node.items[i].kind == Kind::String &&
                           std::none_of(node.items[i].text.begin(), node.items[i].text.end(),
                                        [](unsigned char c) { return c < 0x20 || c == 0x7f; });
        if (!plain) return expected(node.items[i], "a text without control characters");
        read(node.items[i]);
      });
    }
  }

  template <class Check>
  void texts_into(const SpecNode& node, std::size_t most, Check check,
                  std::vector<std::string>& out) {
    texts(node, most, [&](const SpecNode& item) {
      if (fits(item, check(item.text))) out.push_back(item.text);
    });
  }

  bool with_unit(const SpecNode& node, std::string_view what) {
    if (node.kind == Kind::String && plain_scalar_kind(node.text) != Kind::Number) return true;
    expected(node, what);
    return false;
  }

  bool duration(const SpecNode& node, Duration& out) {
    if (!with_unit(node, "a time with a unit (ms, s, m, h, d, w), as in 90s or 1h30m"))
      return false;
    if (!take(node, parse_duration(printable(node.text)), out)) return false;
    out.ns -= out.ns % 1'000'000;  // what the text form can give back exactly
    if (out <= kSpecDurationMax) return true;
    problem(node, "longer than ten years");
    return false;
  }

  void positive(const SpecNode& node, Duration& out) {
    if (duration(node, out) && out == Duration{}) problem(node, "must be longer than nothing");
  }

  template <class T>
  bool take(const SpecNode& node, Result<T> result, T& out) {
    if (!result) {
      problem(node, result.error());
      return false;
    }
    out = *result;
    return true;
  }

  bool fits(const SpecNode& node, const Result<void>& result) {
    if (!result) problem(node, result.error());
    return result.has_value();
  }

  std::optional<std::size_t> one_of(const SpecNode& node, std::span<const std::string_view> words) {
    const auto at = std::find(words.begin(), words.end(), node.text);
    if (node.kind == Kind::String && at != words.end()) {
      return static_cast<std::size_t>(at - words.begin());
    }
    expected(node, fmt::format("one of {}", fmt::join(words, ", ")),
             nearest(node.text, std::vector<std::string>(words.begin(), words.end())));
    return std::nullopt;
  }

  // -- Problems -----------------------------------------------------------------------------------

  template <class Work>
  void within(const std::string& step, Work work) {
    const std::size_t length = path_.size();
    path_ += step;
    work();
    path_.resize(length);
  }

  void expected(const SpecNode& node, std::string_view what, std::string suggestion = "") {
    add({ErrorKind::Invalid, path_, node.line, node.column,
         fmt::format("expected {}, found {}", what, found(node)), std::move(suggestion)});
  }
  void unsupported(const SpecNode& node, std::string message) {
    add({ErrorKind::Unsupported, path_, node.line, node.column, std::move(message), ""});
  }
  void problem(const SpecNode& node, const Error& error) {
    add({error.kind, path_, node.line, node.column, error.message, ""});
  }
  void problem(int line, int column, std::string message) {
    add({ErrorKind::Invalid, path_, line, column, std::move(message), ""});
  }
  void problem(const SpecNode& node, std::string message, bool beyond_limit = false) {
    add({ErrorKind::Invalid, path_, node.line, node.column, std::move(message), ""}, beyond_limit);
  }
  void add(SpecProblem problem, bool beyond_limit = false) {
    if (problems_.size() < kSpecProblemsMax || beyond_limit) {
      problems_.push_back(std::move(problem));
    } else {
      ++unlisted_;
    }
  }

  static constexpr std::array<KnownField, 28> kFields{{
      {"name", &SpecReader::name},
      {"image", &SpecReader::image},
      {"command", &SpecReader::command},
      {"nodes", &SpecReader::nodes},
      {"topology", &SpecReader::topology},
      {"placement", &SpecReader::placement},
      {"resources", &SpecReader::resources},
      {"priority", &SpecReader::priority},
      {"preemptible", &SpecReader::preemptible},
      {"checkpoint", &SpecReader::checkpoint},
      {"progress", &SpecReader::progress},
      {"retry", &SpecReader::retry},
      {"deadline", &SpecReader::deadline},
      {"expected_duration", &SpecReader::expected_duration},
      {"queue", &SpecReader::queue},
      {"tenant", &SpecReader::tenant},
      {"env", &SpecReader::env},
      {"working_directory", &SpecReader::working_directory},
      {"user", &SpecReader::user},
      {"read_only", &SpecReader::read_only},
      {"network", &SpecReader::network},
      {"volumes", &SpecReader::volumes},
      {"tmpfs", &SpecReader::tmpfs},
      {"secrets", &SpecReader::secrets},
      {"registry_login", &SpecReader::registry_login},
      {"devices", &SpecReader::devices},
      {"artifacts", &SpecReader::artifacts},
      {"ports", &SpecReader::ports},
  }};
  static constexpr std::array<KnownField, 2> kTopology{{
      {"required", &SpecReader::topology_required},
      {"preferred", &SpecReader::topology_preferred},
  }};
  static constexpr std::array<KnownField, 6> kPlacement{{
      {"max_per_node", &SpecReader::placement_max_per_node},
      {"spread", &SpecReader::placement_spread},
      {"pack", &SpecReader::placement_pack},
      {"near", &SpecReader::placement_near},
      {"apart", &SpecReader::placement_apart},
      {"group", &SpecReader::placement_group},
  }};
  static constexpr std::array<KnownField, 2> kProgress{{
      {"heartbeat", &SpecReader::progress_heartbeat},
      {"line", &SpecReader::progress_line},
  }};
  static constexpr std::array<KnownField, 4> kResources{{
      {"gpu", &SpecReader::gpu},
      {"cpu", &SpecReader::cpu},
      {"memory", &SpecReader::memory},
      {"sharing", &SpecReader::sharing},
  }};
  static constexpr std::array<KnownField, 4> kCheckpoint{{
      {"path", &SpecReader::checkpoint_path},
      {"interval", &SpecReader::checkpoint_interval},
      {"signal", &SpecReader::checkpoint_signal},
      {"grace", &SpecReader::checkpoint_grace},
  }};
  static constexpr std::array<KnownField, 4> kRetry{{
      {"on", &SpecReader::retry_on},
      {"max", &SpecReader::retry_max},
      {"backoff", &SpecReader::retry_backoff},
      {"on_node_loss", &SpecReader::retry_on_node_loss},
  }};

  const std::string_view image_base_;
  JobSpec spec_;
  MountTargets mounts_;
  std::string path_;
  std::vector<SpecProblem> problems_;
  std::size_t unlisted_ = 0;
};

}  // namespace

tl::expected<JobSpec, std::vector<SpecProblem>> parse_job_spec(const SpecNode& root,
                                                               std::string_view image_base) {
  return SpecReader(image_base).read(root);
}

}  // namespace gyre::codec
