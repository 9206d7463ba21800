#include "codec/chaos_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>

#include "base/units.h"
#include "codec/known_fields.h"
#include "codec/printable.h"
#include "codec/spec_tree.h"

namespace gyre::codec {
namespace {

using Kind = SpecNode::Kind;

class ChaosReader {
 public:
  Result<LiveChaos> read(const SpecNode& root) {
    ChaosSpec spec;
    require(root, "version");
    require(root, "name");
    table<ChaosSpec>(root, spec,
                     {{"version", &ChaosReader::version},
                      {"name", &ChaosReader::name},
                      {"lasts", [](auto& r, auto& n, auto& s) { r.span(n, s.lasts); }},
                      {"settles", [](auto& r, auto& n, auto& s) { r.span(n, s.settles); }},
                      {"policy", [](auto& r, auto& n, auto& s) { r.text(n, s.policy); }},
                      {"fleet", [](auto& r, auto& n, auto& s) { r.fleet(n, s.fleet); }},
                      {"jobs", [](auto& r, auto& n, auto& s) { r.jobs(n, s.jobs); }},
                      {"services", [](auto& r, auto& n, auto& s) { r.services(n, s.services); }},
                      {"network", [](auto& r, auto& n, auto& s) { r.network(n, s.network); }},
                      {"faults", [](auto& r, auto& n, auto& s) { r.faults(n, s.faults); }},
                      {"plant", [](auto& r, auto& n, auto& s) { r.plant(n, s.plant); }},
                      {"live", [](auto& r, auto& n, auto&) { r.live(n); }}});
    if (problems_.empty()) {
      if (auto good = validate(spec); !good) return tl::unexpected(good.error());
      if (auto good = validate(limits_); !good) return tl::unexpected(good.error());
      return LiveChaos{std::move(spec), std::move(limits_)};
    }
    return fail(ErrorKind::Invalid, "{}", fmt::join(problems_, "; "));
  }

 private:
  template <class T>
  void table(const SpecNode& map, T& out, std::initializer_list<KnownField<ChaosReader, T>> known) {
    if (map.kind != Kind::Map) return problem(map, "expected a map");
    read_fields(*this, path_, map, out, known,
                [this](const SpecNode::Key& key, const auto& names, const std::string& near) {
                  const std::string hint = near.empty()
                                               ? fmt::format("there are {}", fmt::join(names, ", "))
                                               : fmt::format("did you mean '{}'?", near);
                  add(key.line, key.column,
                      fmt::format("no such setting '{}'; {}", printable(key.name), hint));
                });
  }

  static void version(ChaosReader& reader, const SpecNode& node, ChaosSpec&) {
    if (node.text != "1") reader.problem(node, "this Gyre reads version 1 of scenarios");
  }
  static void name(ChaosReader& reader, const SpecNode& node, ChaosSpec& spec) {
    if (node.kind != Kind::String || !is_valid_name(node.text)) {
      return reader.problem(node,
                            "expected letters, digits, '.', '_' and '-', a letter or digit "
                            "first");
    }
    spec.name = node.text;
  }

  void fleet(const SpecNode& node, ChaosSpec::Fleet& out) {
    table<ChaosSpec::Fleet>(node, out,
                            {{"nodes", [](auto& r, auto& n, auto& f) { r.count(n, f.nodes); }},
                             {"gpus", [](auto& r, auto& n, auto& f) { r.count(n, f.gpus); }},
                             {"lease", [](auto& r, auto& n, auto& f) { r.span(n, f.lease); }}});
  }
  void jobs(const SpecNode& node, ChaosSpec::Jobs& out) {
    table<ChaosSpec::Jobs>(
        node, out,
        {{"count", [](auto& r, auto& n, auto& j) { r.count(n, j.count); }},
         {"nodes", [](auto& r, auto& n, auto& j) { r.count(n, j.nodes); }},
         {"gpus", [](auto& r, auto& n, auto& j) { r.count(n, j.gpus); }},
         {"length", [](auto& r, auto& n, auto& j) { r.span(n, j.length); }},
         {"checkpoint", [](auto& r, auto& n, auto& j) { r.span(n, j.checkpoint); }},
         {"preemptible", [](auto& r, auto& n, auto& j) { r.share(n, j.preemptible_percent); }},
         {"fail", [](auto& r, auto& n, auto& j) { r.share(n, j.fail_percent); }},
         {"stop", [](auto& r, auto& n, auto& j) { r.share(n, j.stop_percent); }}});
  }
  void services(const SpecNode& node, ChaosSpec::Services& out) {
    table<ChaosSpec::Services>(
        node, out,
        {{"count", [](auto& r, auto& n, auto& s) { r.count(n, s.count); }},
         {"replicas", [](auto& r, auto& n, auto& s) { r.count(n, s.replicas); }},
         {"gpus", [](auto& r, auto& n, auto& s) { r.count(n, s.gpus); }},
         {"warm_up", [](auto& r, auto& n, auto& s) { r.span(n, s.warm_up); }},
         {"update", [](auto& r, auto& n, auto& s) { r.span(n, s.update); }},
         {"bad", [](auto& r, auto& n, auto& s) { r.share(n, s.bad_percent); }}});
  }
  void network(const SpecNode& node, ChaosNetwork& out) {
    table<ChaosNetwork>(node, out,
                        {{"delay", [](auto& r, auto& n, auto& w) { r.span(n, w.delay); }},
                         {"late", [](auto& r, auto& n, auto& w) { r.share(n, w.late_percent); }},
                         {"late_by", [](auto& r, auto& n, auto& w) { r.span(n, w.late_by); }},
                         {"twice", [](auto& r, auto& n, auto& w) { r.share(n, w.twice_percent); }},
                         {"lost", [](auto& r, auto& n, auto& w) { r.share(n, w.lost_percent); }}});
  }
  void faults(const SpecNode& node, std::vector<ChaosFault>& out) {
    if (node.kind != Kind::List) return problem(node, "expected a list of faults");
    const std::string path = path_;
    for (std::size_t i = 0; i < node.items.size() && i <= kChaosFaultsMax; ++i) {
      path_ = fmt::format("{}[{}]", path, i);
      fault(node.items[i], out.emplace_back());
    }
    path_ = path;
  }
  void fault(const SpecNode& node, ChaosFault& out) {
    require(node, "do");
    table<ChaosFault>(
        node, out,
        {{"do", [](auto& r, auto& n, auto& f) { r.word(n, chaos_fault_names(), f.kind); }},
         {"at", [](auto& r, auto& n, auto& f) { r.span(n, f.at.emplace()); }},
         {"every", [](auto& r, auto& n, auto& f) { r.span(n, f.every.emplace()); }},
         {"for", [](auto& r, auto& n, auto& f) { r.span(n, f.lasts); }},
         {"node", [](auto& r, auto& n, auto& f) { r.node(n, f.node); }},
         {"way",
          [](auto& r, auto& n, auto& f) {
            r.word(n, {kChaosWays.begin(), kChaosWays.end()}, f.way);
          }},
         {"of",
          [](auto& r, auto& n, auto& f) {
            r.word(n, {kChaosOf.begin(), kChaosOf.end()}, f.of);
          }},
         {"by", [](auto& r, auto& n, auto& f) { r.span(n, f.by); }},
         {"network", [](auto& r, auto& n, auto& f) { r.network(n, f.network); }},
         {"chance", [](auto& r, auto& n, auto& f) { r.percent(n, n.text, f.chance_percent); }}});
  }
  void node(const SpecNode& node, std::optional<std::int32_t>& out) {
    std::int64_t value = -1;
    whole(node, node.text, value);
    out = static_cast<std::int32_t>(std::clamp<std::int64_t>(value, -1, kChaosNodesMax));
  }
  void live(const SpecNode& node) {
    table<LiveLimits>(
        node, limits_,
        {{"hours", [](auto& r, auto& n, auto& l) { r.hours(n, l); }},
         {"days", [](auto& r, auto& n, auto& l) { r.days(n, l.days); }},
         {"nodes_at_once", [](auto& r, auto& n, auto& l) { r.whole(n, n.text, l.nodes_at_once); }},
         {"faults_a_day", [](auto& r, auto& n, auto& l) { r.whole(n, n.text, l.faults_a_day); }},
         {"calm", [](auto& r, auto& n, auto& l) { r.span(n, l.calm); }},
         {"recovers_within", [](auto& r, auto& n, auto& l) { r.span(n, l.recovers_within); }},
         {"nodes", [](auto& r, auto& n, auto& l) { r.names(n, l.nodes); }},
         {"queues", [](auto& r, auto& n, auto& l) { r.names(n, l.queues); }},
         {"tenants", [](auto& r, auto& n, auto& l) { r.names(n, l.tenants); }}});
  }
  /// "09:00..17:30".
  void hours(const SpecNode& node, LiveLimits& out) {
    const auto [low, high] = ends(node);
    const auto from = clock(low);
    const auto to = clock(high);
    if (!from || !to || node.text.find("..") == std::string::npos) {
      return problem(node, "expected two times of a day in UTC, as in 09:00..17:00");
    }
    out.from = *from;
    out.to = *to;
  }
  static std::optional<Duration> clock(std::string_view text) {
    if (text.size() != 5 || text[2] != ':') return std::nullopt;
    int hour = -1;
    int minute = -1;
    const auto [hour_end, one] = std::from_chars(text.data(), text.data() + 2, hour);
    const auto [minute_end, two] = std::from_chars(text.data() + 3, text.data() + 5, minute);
    const bool whole = hour_end == text.data() + 2 && minute_end == text.data() + 5;
    const bool day = hour >= 0 && minute >= 0 && minute < 60 && hour * 60 + minute <= 24 * 60;
    if (one != std::errc{} || two != std::errc{} || !whole || !day) return std::nullopt;
    return seconds((hour * 60LL + minute) * 60);
  }
  /// "mon..fri", "sat", or a list of such.
  void days(const SpecNode& node, unsigned& out) {
    out = 0;
    if (node.kind == Kind::List) {
      for (const SpecNode& item : node.items) add_days(item, out);
    } else {
      add_days(node, out);
    }
  }
  void add_days(const SpecNode& node, unsigned& out) {
    const auto& names = weekday_names();
    const auto [low, high] = ends(node);
    const auto first = std::find(names.begin(), names.end(), low);
    const auto last = std::find(names.begin(), names.end(), high);
    if (first == names.end() || last == names.end()) {
      return problem(node, "expected a day of the week or a range of them, as in mon..fri");
    }
    for (auto day = first;; day = day + 1 == names.end() ? names.begin() : day + 1) {
      out |= 1U << static_cast<unsigned>(day - names.begin());
      if (day == last) return;
    }
  }
  void names(const SpecNode& node, std::vector<std::string>& out) {
    if (node.kind != Kind::List) return problem(node, "expected a list of names");
    for (const SpecNode& item : node.items) {
      const bool word = item.kind == Kind::String || item.kind == Kind::Number;
      if (!word || item.text.empty() || out.size() > kLiveNamesMax) {
        return problem(item, fmt::format("expected a name, {} at most", kLiveNamesMax));
      }
      out.push_back(item.text);
    }
  }
  void plant(const SpecNode& node, ChaosPlant& out) { word(node, chaos_plant_names(), out); }

  void text(const SpecNode& node, std::string& out) {
    if (node.kind != Kind::String) return problem(node, "expected a word");
    out = printable(node.text);
  }
  template <class Enum>
  void word(const SpecNode& node, const std::vector<std::string_view>& words, Enum& out) {
    const auto at = std::find(words.begin(), words.end(), node.text);
    if (at != words.end()) {
      out = static_cast<Enum>(at - words.begin());
      return;
    }
    problem(node, fmt::format("expected one of {}", fmt::join(words, ", ")));
  }
  template <class Number>
  void percent(const SpecNode& node, std::string_view text, Number& out) {
    std::int64_t value = 0;
    if (!text.ends_with('%')) return problem(node, "expected a share, as in 5%");
    text.remove_suffix(1);
    whole(node, text, value);
    out = static_cast<Number>(std::clamp<std::int64_t>(value, -1, 101));
  }
  void share(const SpecNode& node, CountRange& out) {
    const auto [low, high] = ends(node);
    percent(node, low, out.min);
    percent(node, high, out.max);
  }
  void whole(const SpecNode& node, std::string_view text, std::int64_t& out) {
    const char* end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, out);
    if (text.empty() || error != std::errc{} || at != end) problem(node, "expected a whole number");
  }
  void count(const SpecNode& node, CountRange& out) {
    const auto [low, high] = ends(node);
    whole(node, low, out.min);
    whole(node, high, out.max);
  }
  void span(const SpecNode& node, SpanRange& out) {
    const auto [low, high] = ends(node);
    span(node, low, out.min);
    span(node, high, out.max);
  }
  void span(const SpecNode& node, Duration& out) { span(node, node.text, out); }
  void span(const SpecNode& node, std::string_view text, Duration& out) {
    const bool negative = text.starts_with('-');
    if (negative) text.remove_prefix(1);
    const bool unit = !text.empty() && text.back() >= 'a' && text.back() <= 'z';
    const auto value = parse_duration(printable(text));
    if (!unit || !value) {
      return problem(node,
                     "expected a time with a unit (ms, s, m, h, d, w) or a range of them, "
                     "as in 30s or 1m..2h");
    }
    out = negative ? Duration{-value->ns} : *value;
  }
  /// "A..B" as (A, B), any other text twice.
  static std::pair<std::string_view, std::string_view> ends(const SpecNode& node) {
    const std::string_view text = node.text;
    const std::size_t dots = text.find("..");
    if (dots == std::string_view::npos) return {text, text};
    return {text.substr(0, dots), text.substr(dots + 2)};
  }

  void require(const SpecNode& map, std::string_view name) {
    if (!has(map, name)) problem(map, fmt::format("'{}' is missing", name));
  }
  void problem(const SpecNode& node, std::string_view message) {
    add(node.line, node.column,
        path_.empty() ? std::string(message) : fmt::format("{}: {}", path_, message));
  }
  void add(int line, int column, std::string message) {
    if (problems_.size() >= kSpecProblemsMax) return;
    problems_.push_back(fmt::format("line {}, column {}: {}", line, column, message));
  }

  std::string path_;
  LiveLimits limits_;
  std::vector<std::string> problems_;
};

Result<LiveChaos> read_both(std::string_view text) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    return fail(ErrorKind::Invalid, "the scenario is empty");
  }
  const auto root = parse_spec_tree(text, SpecFormat::Auto);
  if (!root) return fail(ErrorKind::Invalid, "{}", describe(root.error()));
  return ChaosReader().read(*root);
}

}  // namespace

Result<ChaosSpec> read_chaos(std::string_view text) {
  return read_both(text).map([](LiveChaos&& chaos) { return std::move(chaos.scenario); });
}

Result<LiveChaos> read_live_chaos(std::string_view text) {
  auto chaos = read_both(text);
  if (!chaos) return chaos;
  if (auto good = validate(*chaos); !good) return tl::unexpected(good.error());
  return chaos;
}

}  // namespace gyre::codec
