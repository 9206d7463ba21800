#include "codec/queue_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <string>
#include <utility>

#include "base/units.h"
#include "codec/printable.h"
#include "codec/spec_tree.h"
#include "domain/queue_problems.h"

namespace gyre::codec {
namespace {

using Kind = SpecNode::Kind;
constexpr std::int64_t kGpusMax = 10'000'000;
constexpr double kGpuHoursMax = 1e9;

class QueueReader {
 public:
  tl::expected<std::vector<QueueSpec>, std::vector<SpecProblem>> read(const SpecNode& root) {
    static constexpr std::array<Field<QueueReader>, 3> kFields{
        {{"version", &QueueReader::version},
         {"half_life", &QueueReader::half_life},
         {"queues", &QueueReader::queues}}};
    if (map(root, "", kFields)) {
      require(root, "", "version");
      require(root, "", "queues");
    }
    if (problems_.empty()) check_meaning();
    if (problems_.empty()) {
      for (QueueSpec& queue : queues_) queue.half_life = half_life_;
      parents_first();
    }
    if (problems_.empty()) return std::move(queues_);
    return tl::unexpected(std::move(problems_));
  }

 private:
  template <class Reader>
  struct Field {
    std::string_view name;
    void (Reader::*read)(const SpecNode&, const std::string& path);
  };

  template <std::size_t N>
  bool map(const SpecNode& node, const std::string& path,
           const std::array<Field<QueueReader>, N>& fields) {
    if (node.kind != Kind::Map) return problem(node, path, "expected a map"), false;
    for (std::size_t i = 0; i < node.keys.size(); ++i) {
      const SpecNode::Key& key = node.keys[i];
      const auto known = std::find_if(fields.begin(), fields.end(),
                                      [&](const auto& field) { return field.name == key.name; });
      if (known != fields.end()) {
        (this->*known->read)(node.items[i],
                             path.empty() ? key.name : fmt::format("{}.{}", path, key.name));
        continue;
      }
      std::vector<std::string> names;
      for (const auto& field : fields) names.emplace_back(field.name);
      const std::string near = key.name.size() > kNameBytesMax ? "" : nearest(key.name, names);
      problems_.push_back(
          {ErrorKind::Invalid,
           path.empty() ? printable(key.name) : path + "." + printable(key.name), key.line,
           key.column, fmt::format("no such setting; there are {}", fmt::join(names, ", ")), near});
    }
    return true;
  }

  void version(const SpecNode& node, const std::string& path) {
    if (node.text != "1") problem(node, path, "this Gyre reads version 1 of queue files");
  }
  void half_life(const SpecNode& node, const std::string& path) {
    half_life_at_ = &node;
    span(node, path, half_life_);
  }

  void check_meaning() {
    if (const auto fine = check_half_life(half_life_); !fine) {
      problem(*half_life_at_, "half_life", fine.error().message);
    }
    for (const QueueProblem& one : problems_of(queues_)) {
      const std::size_t place = std::min(one.queue, nodes_.size() - 1);
      problem(*nodes_[place], fmt::format("queues[{}]", place), one.message);
    }
  }

  void queues(const SpecNode& node, const std::string& path) {
    static constexpr std::array<Field<QueueReader>, 6> kFields{
        {{"name", &QueueReader::name},
         {"parent", &QueueReader::parent},
         {"partition", &QueueReader::partition},
         {"weight", &QueueReader::weight},
         {"guaranteed", &QueueReader::guaranteed},
         {"limits", &QueueReader::limits}}};
    if (node.kind != Kind::List || node.items.empty()) {
      return problem(node, path, "expected a list of queues, as in\n  - name: research");
    }
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      queue_ = {};
      const std::string at = fmt::format("{}[{}]", path, i);
      if (map(node.items[i], at, kFields)) require(node.items[i], at, "name");
      queues_.push_back(std::move(queue_));
      nodes_.push_back(&node.items[i]);
    }
  }

  void name(const SpecNode& node, const std::string& path) { word(node, path, queue_.name); }
  void parent(const SpecNode& node, const std::string& path) { word(node, path, queue_.parent); }
  void partition(const SpecNode& node, const std::string& path) {
    word(node, path, queue_.partition);
  }
  void weight(const SpecNode& node, const std::string& path) {
    queue_.weighted = true;
    if (const auto value = whole(node, path)) queue_.weight = *value;
  }
  void guaranteed(const SpecNode& node, const std::string& path) {
    static constexpr std::array<Field<QueueReader>, 3> kFields{
        {{"gpus", &QueueReader::guaranteed_gpus},
         {"cpu", &QueueReader::guaranteed_cpu},
         {"memory", &QueueReader::guaranteed_memory}}};
    map(node, path, kFields);
  }
  void guaranteed_gpus(const SpecNode& node, const std::string& path) {
    if (const auto value = gpus(node, path)) queue_.guaranteed.gpu_milli = *value;
  }
  void guaranteed_cpu(const SpecNode& node, const std::string& path) {
    const auto value = parse_cpu(printable(node.text));
    if (!is_scalar(node) || !value) return problem(node, path, "expected CPU cores, as in 64");
    queue_.guaranteed.cpu_milli = value->value;
  }
  void guaranteed_memory(const SpecNode& node, const std::string& path) {
    const auto value = parse_memory(printable(node.text));
    if (!is_scalar(node) || !value) return problem(node, path, "expected memory, as in 2TB");
    queue_.guaranteed.memory_mib = value->value;
  }

  void limits(const SpecNode& node, const std::string& path) {
    static constexpr std::array<Field<QueueReader>, 4> kFields{
        {{"gpus", &QueueReader::limit_gpus},
         {"jobs", &QueueReader::limit_jobs},
         {"gpu_hours", &QueueReader::limit_gpu_hours},
         {"per", &QueueReader::per}}};
    map(node, path, kFields);
  }
  void limit_gpus(const SpecNode& node, const std::string& path) {
    if (const auto value = gpus(node, path)) queue_.gpu_milli_max = *value;
  }
  void limit_jobs(const SpecNode& node, const std::string& path) {
    if (const auto value = whole(node, path)) queue_.jobs_max = *value;
  }
  void limit_gpu_hours(const SpecNode& node, const std::string& path) {
    const auto value = number(node, path, "GPU hours, as in 1000", kGpuHoursMax);
    if (value) queue_.gpu_seconds_max = static_cast<std::int64_t>(std::llround(*value * 3600));
  }
  void per(const SpecNode& node, const std::string& path) {
    span(node, path, queue_.gpu_time_window);
  }

  static bool is_scalar(const SpecNode& node) {
    return node.kind == Kind::Number || node.kind == Kind::String;
  }

  void word(const SpecNode& node, const std::string& path, std::string& out) {
    if (node.kind != Kind::String || !is_valid_name(node.text)) {
      return problem(node, path,
                     "expected letters, digits, '.', '_' and '-', a letter or digit first");
    }
    out = node.text;
  }
  void span(const SpecNode& node, const std::string& path, Duration& out) {
    const auto value = parse_duration(printable(node.text));
    if (node.kind != Kind::String || !value || *value > kSpecDurationMax) {
      return problem(node, path, "expected a time with a unit (s, m, h, d, w), as in 7d");
    }
    out = *value;
  }
  std::optional<double> number(const SpecNode& node, const std::string& path, std::string_view what,
                               double max) {
    double value = 0;
    const char* end = node.text.data() + node.text.size();
    const auto [at, error] = std::from_chars(node.text.data(), end, value);
    if (node.kind == Kind::Number && error == std::errc{} && at == end && value >= 0 &&
        value <= max) {
      return value;
    }
    problem(node, path, fmt::format("expected {}", what));
    return std::nullopt;
  }
  std::optional<std::int64_t> gpus(const SpecNode& node, const std::string& path) {
    const auto value = number(node, path, "a number of GPUs, as in 8 or 0.5", kGpusMax);
    if (!value) return std::nullopt;
    return std::llround(*value * 1000);
  }
  std::optional<std::int64_t> whole(const SpecNode& node, const std::string& path) {
    std::int64_t value = 0;
    const char* end = node.text.data() + node.text.size();
    const auto [at, error] = std::from_chars(node.text.data(), end, value);
    if (node.kind == Kind::Number && error == std::errc{} && at == end) return value;
    problem(node, path, "expected a whole number");
    return std::nullopt;
  }

  /// Requires: each parent is there, and none is below itself.
  void parents_first() {
    std::vector<QueueSpec> ordered;
    std::map<std::string, std::vector<std::size_t>> children;
    std::vector<std::size_t> next;
    for (std::size_t i = queues_.size(); i-- > 0;) {
      if (queues_[i].parent.empty()) {
        next.push_back(i);
      } else {
        children[queues_[i].parent].push_back(i);
      }
    }
    while (!next.empty()) {
      const std::size_t i = next.back();
      next.pop_back();
      ordered.push_back(queues_[i]);
      const auto below = children.find(queues_[i].name);
      if (below != children.end()) {
        next.insert(next.end(), below->second.begin(), below->second.end());
      }
    }
    queues_ = std::move(ordered);
  }

  void require(const SpecNode& node, const std::string& path, std::string_view name) {
    if (!has(node, name)) problem(node, path, fmt::format("'{}' is missing", name));
  }
  void problem(const SpecNode& node, const std::string& path, std::string message) {
    problems_.push_back({ErrorKind::Invalid, path, node.line, node.column, std::move(message), ""});
  }

  Duration half_life_{0};
  const SpecNode* half_life_at_ = nullptr;  // where it is given
  QueueSpec queue_;
  std::vector<QueueSpec> queues_;
  std::vector<const SpecNode*> nodes_;  // of each queue
  std::vector<SpecProblem> problems_;
};

}  // namespace

tl::expected<std::vector<QueueSpec>, std::vector<SpecProblem>> parse_queues(std::string_view text) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    return tl::unexpected(
        std::vector<SpecProblem>{{ErrorKind::Invalid, "", 0, 0, "the queue file is empty", ""}});
  }
  const auto root = parse_spec_tree(text, SpecFormat::Auto);
  if (!root) return tl::unexpected(std::vector{root.error()});
  return QueueReader().read(*root);
}

Result<std::vector<QueueSpec>> read_queues(std::string_view text) {
  auto queues = parse_queues(text);
  if (queues) return std::move(*queues);
  std::vector<std::string> lines;
  for (const SpecProblem& problem : queues.error()) lines.push_back(describe(problem));
  return fail(ErrorKind::Invalid, "{}", fmt::join(lines, "; "));
}

}  // namespace gyre::codec
