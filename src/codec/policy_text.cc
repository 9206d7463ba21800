#include "codec/policy_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <span>
#include <string>
#include <utility>

#include "base/units.h"
#include "codec/fields.h"
#include "codec/printable.h"
#include "codec/spec_tree.h"
#include "domain/policy_contradictions.h"

namespace gyre::codec {
namespace {

using Kind = SpecNode::Kind;

/// Whether jobs may be passed for ever, were it not for starve_after.
bool may_starve(const PolicySpec& policy) {
  return policy.order != PolicySpec::Order::Fifo || policy.preemption ||
         policy.backfill == PolicySpec::Backfill::Greedy;
}

/// A setting that only some policies go by.
struct Particular {
  std::string_view name;
  bool (*used)(const PolicySpec&);
  std::string_view belongs_to;
  /// Makes it of `policy` what it is of `other`. Returns whether it was that.
  bool (*take)(PolicySpec& policy, const PolicySpec& other);
};

template <auto Field>
bool take(PolicySpec& policy, const PolicySpec& other) {
  const bool same = policy.*Field == other.*Field;
  policy.*Field = other.*Field;
  return same;
}

constexpr std::array<Particular, 5> kParticular{{
    {"run_min", [](const PolicySpec& p) { return p.preemption; }, "'preemption: true'",
     take<&PolicySpec::run_min>},
    {"preemptions_max", [](const PolicySpec& p) { return p.preemption; }, "'preemption: true'",
     take<&PolicySpec::preemptions_max>},
    {"restart_cost", weighs_restarts, "'preemption: true' and the orders gyre and srtf",
     take<&PolicySpec::restart_cost>},
    {"gain_min_percent",
     [](const PolicySpec& p) { return p.preemption && p.order == PolicySpec::Order::Gyre; },
     "'preemption: true' and the order gyre", take<&PolicySpec::gain_min_percent>},
    {"level_gpu_seconds",
     [](const PolicySpec& p) { return p.order == PolicySpec::Order::Tiresias; },
     "the order tiresias", take<&PolicySpec::level_gpu_seconds>},
}};

/// What the file says of that setting; nullptr: nothing.
const SpecNode* find(const SpecNode& root, std::string_view name) {
  for (std::size_t i = 0; i < root.keys.size(); ++i) {
    if (root.keys[i].name == name) return &root.items[i];
  }
  return nullptr;
}

bool is_used(std::string_view name, const PolicySpec& policy) {
  return std::none_of(kParticular.begin(), kParticular.end(), [&](const Particular& particular) {
    return particular.name == name && !particular.used(policy);
  });
}

class PolicyReader {
 public:
  tl::expected<PolicySpec, std::vector<SpecProblem>> read(const SpecNode& root) {
    if (root.kind != Kind::Map) {
      problem(root, "", "expected a map, as in\n  version: 1\n  name: mine\n  base: gyre");
      return tl::unexpected(std::move(problems_));
    }
    require(root, "version");
    require(root, "name");
    // What the others differ from comes first, wherever it stands.
    for (const std::string_view first : {"version", "base"}) {
      for (std::size_t i = 0; i < root.keys.size(); ++i) {
        if (root.keys[i].name == first) field(root.keys[i], root.items[i]);
      }
    }
    for (std::size_t i = 0; i < root.keys.size(); ++i) {
      const std::string& name = root.keys[i].name;
      if (name != "version" && name != "base") field(root.keys[i], root.items[i]);
    }
    if (problems_.empty()) {
      if (!has(root, "starve_after") && policy_.starve_after.ns == 0 && may_starve(policy_)) {
        policy_.starve_after = named_policies().back().starve_after;
      }
      leave_out_unused(root);
      for (const PolicyContradiction& one : contradictions(policy_)) {
        const SpecNode* said = find(root, one.setting);
        problem(said != nullptr ? *said : root, one.setting, std::string(one.message));
      }
      std::stable_sort(problems_.begin(), problems_.end(), [](const auto& a, const auto& b) {
        return std::pair(a.line, a.column) < std::pair(b.line, b.column);
      });
    }
    if (problems_.empty()) return policy_;
    return tl::unexpected(std::move(problems_));
  }

 private:
  using Reader = void (PolicyReader::*)(const SpecNode&);
  struct KnownField {
    std::string_view name;
    Reader read;
  };

  void field(const SpecNode::Key& key, const SpecNode& value) {
    for (const KnownField& known : kFields) {
      if (known.name != key.name) continue;
      path_ = key.name;
      return (this->*known.read)(value);
    }
    std::vector<std::string> names;
    for (const KnownField& known : kFields) names.emplace_back(known.name);
    const std::string near = key.name.size() > kNameBytesMax ? "" : nearest(key.name, names);
    problems_.push_back({ErrorKind::Invalid, printable(key.name), key.line, key.column,
                         fmt::format("no such setting; there are {}", fmt::join(names, ", ")),
                         near});
  }

  /// What neither order nor preemption goes by is no mistake where it says what holds anyhow, or
  /// comes from the base.
  void leave_out_unused(const SpecNode& root) {
    for (const Particular& setting : kParticular) {
      if (setting.used(policy_) || setting.take(policy_, PolicySpec{})) continue;
      const SpecNode* said = find(root, setting.name);
      if (said == nullptr) continue;
      problem(*said, setting.name,
              fmt::format("this policy does not go by it: it belongs to {}; leave it out",
                          setting.belongs_to));
    }
  }

  void version(const SpecNode& node) {
    if (node.text != "1") problem(node, path_, "this Gyre reads version 1 of policy files");
  }
  void name(const SpecNode& node) {
    const bool built_in = policy_by_name(printable(node.text)).has_value();
    if (node.kind != Kind::String || (!is_valid_name(node.text) && !built_in)) {
      return problem(node, path_,
                     "expected letters, digits, '.', '_' and '-', a letter or digit first");
    }
    policy_.name = node.text;
  }
  void base(const SpecNode& node) {
    auto named = policy_by_name(printable(node.text));
    if (!named) return problem(node, path_, named.error().message);
    policy_ = std::move(*named);
  }
  void order(const SpecNode& node) { word(node, policy_.order); }
  void backfill(const SpecNode& node) { word(node, policy_.backfill); }
  void durations(const SpecNode& node) { word(node, policy_.durations); }
  void placement(const SpecNode& node) {
    std::vector<std::string> names;
    for (const PlacementName& known : placement_names()) {
      if (known.name == node.text) policy_.placement = known.placement;
      names.emplace_back(known.name);
    }
    if (std::find(names.begin(), names.end(), node.text) != names.end()) return;
    problem(node, path_, fmt::format("expected one of {}", fmt::join(names, ", ")));
  }
  void preemption(const SpecNode& node) {
    if (node.kind != Kind::Bool) return problem(node, path_, "expected true or false");
    policy_.preemption = node.text == "true" || node.text == "True" || node.text == "TRUE";
  }
  void run_min(const SpecNode& node) { span(node, policy_.run_min); }
  void preemptions_max(const SpecNode& node) { whole(node, policy_.preemptions_max); }
  void restart_cost(const SpecNode& node) { span(node, policy_.restart_cost); }
  void gain_min_percent(const SpecNode& node) { whole(node, policy_.gain_min_percent); }
  void starve_after(const SpecNode& node) { span(node, policy_.starve_after); }
  void level_gpu_seconds(const SpecNode& node) { whole(node, policy_.level_gpu_seconds); }

  template <class Enum>
  void word(const SpecNode& node, Enum& out) {
    constexpr auto& words = EnumNames<Enum>::list;
    const auto at = std::find(words.begin(), words.end(), node.text);
    if (node.kind == Kind::String && at != words.end()) {
      out = static_cast<Enum>(at - words.begin());
      return;
    }
    problem(node, path_, fmt::format("expected one of {}", fmt::join(words, ", ")));
  }

  void span(const SpecNode& node, Duration& out) {
    if (node.kind != Kind::String) {
      return problem(node, path_, "expected a time with a unit (ms, s, m, h, d, w), as in 90s");
    }
    const auto value = parse_duration(printable(node.text));
    if (!value) return problem(node, path_, value.error().message);
    if (*value > kSpecDurationMax) return problem(node, path_, "longer than ten years");
    out = *value;
  }

  template <class Integer>
  void whole(const SpecNode& node, Integer& out) {
    Integer value = 0;
    const char* end = node.text.data() + node.text.size();
    const auto [at, error] = std::from_chars(node.text.data(), end, value);
    if (node.kind != Kind::Number || error != std::errc{} || at != end) {
      return problem(node, path_, "expected a whole number");
    }
    out = value;
  }

  void require(const SpecNode& root, std::string_view name) {
    if (!has(root, name)) problem(root, "", fmt::format("'{}' is missing", name));
  }
  void problem(const SpecNode& node, std::string_view path, std::string message) {
    problems_.push_back(
        {ErrorKind::Invalid, std::string(path), node.line, node.column, std::move(message), ""});
  }

  static constexpr std::array<KnownField, 14> kFields{{
      {"version", &PolicyReader::version},
      {"name", &PolicyReader::name},
      {"base", &PolicyReader::base},
      {"order", &PolicyReader::order},
      {"backfill", &PolicyReader::backfill},
      {"preemption", &PolicyReader::preemption},
      {"placement", &PolicyReader::placement},
      {"durations", &PolicyReader::durations},
      {"run_min", &PolicyReader::run_min},
      {"preemptions_max", &PolicyReader::preemptions_max},
      {"restart_cost", &PolicyReader::restart_cost},
      {"gain_min_percent", &PolicyReader::gain_min_percent},
      {"starve_after", &PolicyReader::starve_after},
      {"level_gpu_seconds", &PolicyReader::level_gpu_seconds},
  }};

  PolicySpec policy_;
  std::string path_;
  std::vector<SpecProblem> problems_;
};

}  // namespace

tl::expected<PolicySpec, std::vector<SpecProblem>> parse_policy(std::string_view text) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    return tl::unexpected(
        std::vector<SpecProblem>{{ErrorKind::Invalid, "", 0, 0, "the policy file is empty", ""}});
  }
  const auto root = parse_spec_tree(text, SpecFormat::Auto);
  if (!root) return tl::unexpected(std::vector{root.error()});
  return PolicyReader().read(*root);
}

Result<PolicySpec> read_policy(std::string_view text) {
  auto policy = parse_policy(text);
  if (policy) return *policy;
  std::vector<std::string> lines;
  for (const SpecProblem& problem : policy.error()) lines.push_back(describe(problem));
  return fail(ErrorKind::Invalid, "{}", fmt::join(lines, "; "));
}

std::string to_yaml(const PolicySpec& policy) {
  const auto word = [](auto value) {
    return EnumNames<decltype(value)>::list[static_cast<std::size_t>(value)];
  };
  std::string text = fmt::format(
      "version: 1\nname: {}\norder: {}\nbackfill: {}\npreemption: {}\nplacement: {}\n"
      "durations: {}\nstarve_after: {}\n",
      policy.name, word(policy.order), word(policy.backfill), policy.preemption,
      placement_names()[static_cast<std::size_t>(policy.placement)].name, word(policy.durations),
      duration_text(policy.starve_after));
  const auto setting = [&](std::string_view name, const auto& value) {
    if (is_used(name, policy)) text += fmt::format("{}: {}\n", name, value);
  };
  setting("run_min", duration_text(policy.run_min));
  setting("preemptions_max", policy.preemptions_max);
  setting("restart_cost", duration_text(policy.restart_cost));
  setting("gain_min_percent", policy.gain_min_percent);
  setting("level_gpu_seconds", policy.level_gpu_seconds);
  return text;
}

}  // namespace gyre::codec
