#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <initializer_list>
#include <iterator>
#include <utility>

#include "base/units.h"
#include "codec/known_fields.h"
#include "codec/printable.h"
#include "codec/service_spec_text.h"
#include "codec/spec_tree.h"

namespace gyre::codec {
namespace {

using Kind = SpecNode::Kind;

constexpr std::array<std::string_view, 5> kOwnFields{"kind", "replicas", "requests", "probes",
                                                     "rollout"};
/// What a job may say and a service decides.
constexpr std::array<std::string_view, 4> kJobFields{"retry", "deadline", "expected_duration",
                                                     "progress"};

class ServiceReader {
 public:
  tl::expected<ServiceSpec, std::vector<SpecProblem>> read(const SpecNode& root,
                                                           std::string_view image_base) {
    if (root.kind != Kind::Map) {
      problem(root, "expected fields, as in `name: value`");
      return tl::unexpected(std::move(problems_));
    }
    auto [own, job] = split(root);
    auto replica = parse_job_spec(job, image_base);
    if (!replica) {
      std::move(replica.error().begin(), replica.error().end(), std::back_inserter(problems_));
    }
    table<ServiceSpec>(own, spec_,
                       {{"kind", &ServiceReader::kind},
                        {"replicas", [](auto& r, auto& n, auto& s) { r.replicas(n, s.replicas); }},
                        {"requests", [](auto& r, auto& n, auto& s) { r.requests(n, s.requests); }},
                        {"probes", [](auto& r, auto& n, auto& s) { r.probes(n, s); }},
                        {"rollout", [](auto& r, auto& n, auto& s) { r.rollout(n, s.rollout); }}});
    if (replica) spec_.replica = std::move(*replica);
    if (!says_balance(job)) {
      if (!spec_.replica.placement) spec_.replica.placement.emplace();
      spec_.replica.placement->balance = Balance::Spread;
    }
    spec_.replica.retry = {true, true, true, kRetriesMax, seconds(1), seconds(30)};
    if (problems_.empty()) {
      if (const auto valid = validate(spec_); !valid) problem(root, valid.error().message);
    }
    if (problems_.empty()) return std::move(spec_);
    return tl::unexpected(std::move(problems_));
  }

 private:
  /// Whether the spec says how replicas are spread; else they are over nodes.
  static bool says_balance(const SpecNode& job) {
    for (std::size_t i = 0; i < job.keys.size(); ++i) {
      if (job.keys[i].name != "placement") continue;
      return has(job.items[i], "spread") || has(job.items[i], "pack");
    }
    return false;
  }

  /// What is said of the service, and the rest, which is said of its replicas.
  std::pair<SpecNode, SpecNode> split(const SpecNode& root) {
    SpecNode own;
    own.kind = Kind::Map;
    own.line = root.line;
    own.column = root.column;
    SpecNode job = own;
    for (std::size_t i = 0; i < root.keys.size(); ++i) {
      const SpecNode::Key& key = root.keys[i];
      if (std::find(kJobFields.begin(), kJobFields.end(), key.name) != kJobFields.end()) {
        add({ErrorKind::Invalid, key.name, key.line, key.column,
             "a service has none: its replicas run until it needs them no more, and are tried "
             "again however they end",
             ""});
        continue;
      }
      const bool ours =
          std::find(kOwnFields.begin(), kOwnFields.end(), key.name) != kOwnFields.end();
      SpecNode& to = ours ? own : job;
      to.keys.push_back(key);
      to.items.push_back(root.items[i]);
    }
    return {std::move(own), std::move(job)};
  }

  template <class T>
  void table(const SpecNode& map, T& out,
             std::initializer_list<KnownField<ServiceReader, T>> known) {
    read_table(*this, path_, map, out, known,
               [this](SpecProblem problem) { add(std::move(problem)); });
  }

  static void kind(ServiceReader& reader, const SpecNode& node, ServiceSpec&) {
    if (node.text != "service") reader.problem(node, "expected 'service'");
  }

  void replicas(const SpecNode& node, ReplicaCount& out) {
    if (node.kind == Kind::Number) {
      number(node, 0, kReplicasMax, out.min);
      out.max = std::max(1, out.min);
      return;
    }
    table<ReplicaCount>(
        node, out,
        {{"min", [](auto& r, auto& n, auto& c) { r.number(n, 0, kReplicasMax, c.min); }},
         {"max", [](auto& r, auto& n, auto& c) { r.number(n, 1, kReplicasMax, c.max); }},
         {"target_in_flight",
          [](auto& r, auto& n, auto& c) { r.number(n, 1, 1'000'000, c.target_in_flight); }},
         {"target_queue_time", [](auto& r, auto& n, auto& c) { r.span(n, c.target_queue_time); }},
         {"target_gpu_activity",
          [](auto& r, auto& n, auto& c) { r.number(n, 1, 100, c.target_gpu_activity); }},
         {"frozen", [](auto& r, auto& n, auto& c) { r.number(n, 0, kReplicasMax, c.frozen_max); }},
         {"scale_down_after", [](auto& r, auto& n, auto& c) { r.span(n, c.scale_down_after); }},
         {"idle", [](auto& r, auto& n, auto& c) { r.span(n, c.idle); }}});
    if (!has(node, "max")) out.max = std::max(1, out.min);
  }

  void requests(const SpecNode& node, RequestLimits& out) {
    table<RequestLimits>(
        node, out,
        {{"queue", [](auto& r, auto& n, auto& c) { r.number(n, 0, 1'000'000, c.queue_max); }},
         {"queue_timeout", [](auto& r, auto& n, auto& c) { r.span(n, c.queue_timeout); }},
         {"in_flight_max",
          [](auto& r, auto& n, auto& c) { r.number(n, 0, 1'000'000, c.in_flight_max); }},
         {"silence_max", [](auto& r, auto& n, auto& c) { r.span(n, c.silence_max); }}});
  }

  void rollout(const SpecNode& node, Rollout& out) {
    table<Rollout>(
        node, out,
        {{"progress_deadline", [](auto& r, auto& n, auto& c) { r.span(n, c.progress_deadline); }},
         {"crashes", [](auto& r, auto& n, auto& c) { r.number(n, 1, 1'000'000, c.crashes_max); }},
         {"drain", [](auto& r, auto& n, auto& c) { r.span(n, c.drain); }}});
  }

  void probes(const SpecNode& node, ServiceSpec& out) {
    table<ServiceSpec>(
        node, out,
        {{"startup", [](auto& r, auto& n, auto& s) { r.probe(n, s.startup.emplace()); }},
         {"readiness", [](auto& r, auto& n, auto& s) { r.probe(n, s.readiness); }},
         {"liveness", &ServiceReader::liveness}});
  }

  static void liveness(ServiceReader& reader, const SpecNode& node, ServiceSpec& out) {
    reader.probe(node, out.liveness.emplace());
    if (out.liveness->kind == Probe::Kind::Log) {
      reader.problem(node,
                     "what was said once is no sign of life: use tcp, http, exec or heartbeat");
    }
  }

  void probe(const SpecNode& node, Probe& out) {
    static constexpr std::array<std::string_view, 5> kWays{"tcp", "http", "exec", "log",
                                                           "heartbeat"};
    const auto is_way = [](const SpecNode::Key& key) {
      return std::find(kWays.begin(), kWays.end(), key.name) != kWays.end();
    };
    if (std::count_if(node.keys.begin(), node.keys.end(), is_way) != 1) {
      return problem(node,
                     "say one of `tcp: true`, `http: /PATH`, `exec: COMMAND`, `log: TEXT` and "
                     "`heartbeat: DURATION`");
    }
    if (has(node, "line") && !has(node, "heartbeat")) {
      return problem(node, "`line` says which lines are a heartbeat: it goes with `heartbeat`");
    }
    table<Probe>(
        node, out,
        {{"tcp", &ServiceReader::tcp},
         {"http", &ServiceReader::http},
         {"exec", &ServiceReader::exec},
         {"log", &ServiceReader::log},
         {"heartbeat", &ServiceReader::heartbeat},
         {"line", &ServiceReader::line},
         {"period", [](auto& r, auto& n, auto& p) { r.span(n, p.period); }},
         {"timeout", [](auto& r, auto& n, auto& p) { r.span(n, p.timeout); }},
         {"failure_threshold",
          [](auto& r, auto& n, auto& p) { r.number(n, 1, kThresholdMax, p.failure_threshold); }},
         {"success_threshold",
          [](auto& r, auto& n, auto& p) { r.number(n, 1, kThresholdMax, p.success_threshold); }}});
  }
  static void tcp(ServiceReader& reader, const SpecNode& node, Probe& out) {
    out.kind = Probe::Kind::Tcp;
    if (node.text != "true") reader.problem(node, "expected true");
  }
  static void http(ServiceReader& reader, const SpecNode& node, Probe& out) {
    out.kind = Probe::Kind::Http;
    if (node.kind == Kind::String && node.text.size() <= kPathBytesMax) {
      out.path = node.text;
    } else {
      reader.problem(node, "expected a path, as in /health");
    }
  }
  static void log(ServiceReader& reader, const SpecNode& node, Probe& out) {
    out.kind = Probe::Kind::Log;
    line(reader, node, out);
  }
  static void heartbeat(ServiceReader& reader, const SpecNode& node, Probe& out) {
    out.kind = Probe::Kind::Heartbeat;
    reader.span(node, out.interval);
  }
  static void line(ServiceReader& reader, const SpecNode& node, Probe& out) {
    if (!is_line(node)) return reader.problem(node, fmt::format("expected {}", kLineForm));
    out.pattern = node.text;
  }
  /// As a job's command is said.
  static void exec(ServiceReader& reader, const SpecNode& node, Probe& out) {
    out.kind = Probe::Kind::Exec;
    SpecNode job;
    job.kind = Kind::Map;
    job.keys = {{"command", node.line, node.column}};
    job.items = {node};
    auto spec = parse_job_spec(job, "");
    if (spec) {
      out.command = std::move(spec->launch.command);
      return;
    }
    for (SpecProblem& one : spec.error()) {
      constexpr std::string_view kField = "command";
      one.path = reader.path_ + one.path.substr(std::min(one.path.size(), kField.size()));
      reader.add(std::move(one));
    }
  }

  void number(const SpecNode& node, std::int32_t least, std::int32_t most, std::int32_t& out) {
    std::int32_t value = 0;
    const char* end = node.text.data() + node.text.size();
    const auto read = std::from_chars(node.text.data(), end, value);
    if (node.kind != Kind::Number || read.ec != std::errc{} || read.ptr != end || value < least ||
        value > most) {
      return problem(node, fmt::format("expected a whole number from {} to {}", least, most));
    }
    out = value;
  }

  void span(const SpecNode& node, Duration& out) {
    const bool unit = node.kind == Kind::String;
    const auto value = parse_duration(printable(node.text));
    if (!unit || !value || *value > kSpecDurationMax) {
      return problem(node,
                     "expected a time with a unit (ms, s, m, h, d, w), as in 90s or 1h30m, of ten "
                     "years at most");
    }
    out = *value;
    out.ns -= out.ns % 1'000'000;
  }

  void problem(const SpecNode& node, std::string_view message) {
    add({ErrorKind::Invalid, path_, node.line, node.column, std::string(message), ""});
  }
  void add(SpecProblem problem) {
    if (problems_.size() < kSpecProblemsMax) problems_.push_back(std::move(problem));
  }

  ServiceSpec spec_;
  std::string path_;
  std::vector<SpecProblem> problems_;
};

}  // namespace

tl::expected<ServiceSpec, std::vector<SpecProblem>> parse_service_spec(
    std::string_view text, SpecFormat format, std::string_view image_base) {
  const auto root = parse_spec_tree(text, format);
  if (!root) return tl::unexpected(std::vector{root.error()});
  return ServiceReader().read(*root, image_base);
}

}  // namespace gyre::codec
