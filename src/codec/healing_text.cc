#include "codec/healing_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/units.h"
#include "codec/healing_fields.h"
#include "codec/known_fields.h"
#include "codec/printable.h"
#include "codec/spec_tree.h"

namespace gyre::codec {
namespace {

using Kind = SpecNode::Kind;

constexpr std::string_view kDefaultName = "default";

/// One playbook as it is written.
struct Playbook {
  struct Again {
    std::int32_t times = 2;
    Duration within = seconds(86'400);
    std::string playbook;
    int line = 0;
    int column = 0;
  };
  std::string name;
  int line = 0;
  int column = 0;
  std::optional<Symptom> on;
  std::int32_t xid = 0;
  std::int32_t times = 1;
  Duration within = seconds(86'400);
  std::optional<Remedy> then;
  Repair repair = Repair::None;
  bool burn_in = false;
  std::optional<Again> again;
};

class HealingReader {
 public:
  tl::expected<HealingSpec, std::vector<SpecProblem>> read(const SpecNode& root) {
    for (const std::string_view name : {"version", "name"}) require(root, name);
    table<HealingSpec>(root, spec_,
                       {{"version", &HealingReader::version},
                        {"name", &HealingReader::name},
                        {"playbooks", [](auto& r, auto& n, auto&) { r.playbooks(n); }},
                        {"quarantine", [](auto& r, auto& n, auto& s) { r.quarantine(n, s); }},
                        {"limits", [](auto& r, auto& n, auto& s) { r.limits(n, s); }},
                        {"remember", [](auto& r, auto& n, auto& s) { r.span(n, s.remember); }},
                        {"retry", [](auto& r, auto& n, auto& s) { r.retry(n, s); }}});
    if (problems_.empty() && books_.empty()) {
      problem(root,
              "there is no playbook: nodes that are out would stay out; to hold all back give "
              "playbooks and `limits: {nodes: 0%}`");
    }
    if (problems_.empty()) follow();
    if (problems_.empty()) judge(root);
    if (problems_.empty()) return std::move(spec_);
    return tl::unexpected(std::move(problems_));
  }

 private:
  template <class T>
  void table(const SpecNode& map, T& out,
             std::initializer_list<KnownField<HealingReader, T>> known) {
    read_table(*this, path_, map, out, known,
               [this](SpecProblem problem) { add(std::move(problem)); });
  }

  // --- the fields

  static void version(HealingReader& reader, const SpecNode& node, HealingSpec&) {
    if (node.text != "1") reader.problem(node, "this Gyre reads version 1 of playbooks");
  }
  static void name(HealingReader& reader, const SpecNode& node, HealingSpec& out) {
    if (node.kind != Kind::String || !is_valid_name(node.text)) {
      return reader.problem(node,
                            "expected letters, digits, '.', '_' and '-', a letter or digit first");
    }
    out.name = node.text;
  }
  void quarantine(const SpecNode& node, HealingSpec& out) {
    table<HealingSpec>(
        node, out,
        {{"first", [](auto& r, auto& n, auto& s) { r.span(n, s.quarantine); }},
         {"longest", [](auto& r, auto& n, auto& s) { r.span(n, s.quarantine_max); }}});
  }
  void limits(const SpecNode& node, HealingSpec& out) {
    table<HealingSpec>(
        node, out,
        {{"nodes", [](auto& r, auto& n, auto& s) { r.percent(n, s.quarantined_percent_max); }},
         {"per_hour",
          [](auto& r, auto& n, auto& s) { r.number(n, 10'000, s.quarantines_per_hour_max); }},
         {"repair", [](auto& r, auto& n, auto& s) { r.span(n, s.repair_max); }}});
  }
  void retry(const SpecNode& node, HealingSpec& out) {
    table<HealingSpec>(
        node, out,
        {{"jitter", [](auto& r, auto& n, auto& s) { r.percent(n, s.backoff_jitter_percent); }}});
  }

  void playbooks(const SpecNode& node) {
    if (node.kind != Kind::Map) return problem(node, "expected playbooks, each by its name");
    if (node.keys.size() > kPlaybooksMax) {
      return problem(node,
                     fmt::format("{} playbooks; {} are the most", node.keys.size(), kPlaybooksMax));
    }
    for (std::size_t i = 0; i < node.keys.size(); ++i) {
      const SpecNode::Key& key = node.keys[i];
      if (!is_valid_name(key.name)) {
        add({ErrorKind::Invalid, path_, key.line, key.column,
             "a playbook's name has letters, digits, '.', '_' and '-', a letter or digit first",
             ""});
        continue;
      }
      const std::size_t length = path_.size();
      path_ += "." + key.name;
      playbook(key, node.items[i]);
      path_.resize(length);
    }
  }

  void playbook(const SpecNode::Key& key, const SpecNode& node) {
    Playbook book;
    book.name = key.name;
    book.line = key.line;
    book.column = key.column;
    table<Playbook>(node, book,
                    {{"on", [](auto& r, auto& n, auto& b) { r.symptom(n, b.on); }},
                     {"xid", [](auto& r, auto& n, auto& b) { r.number(n, 100'000, b.xid); }},
                     {"times", [](auto& r, auto& n, auto& b) { r.times(n, b.times); }},
                     {"within", [](auto& r, auto& n, auto& b) { r.span(n, b.within); }},
                     {"do", [](auto& r, auto& n, auto& b) { r.steps(n, b); }},
                     {"again", [](auto& r, auto& n, auto& b) { r.again(n, b.again); }}});
    if (node.kind == Kind::Map && !has(node, "do")) {
      problem(node, "'do' is missing: say what is done, as in do: [quarantine]");
    }
    for (const std::string_view name : {"xid", "times", "within"}) {
      if (has(node, "on") || !has(node, name)) continue;
      problem(node, fmt::format("'{}' goes with `on`: how often leads here is said by the `again` "
                                "that names it",
                                name));
    }
    books_.push_back(std::move(book));
  }

  void symptom(const SpecNode& node, std::optional<Symptom>& out) {
    constexpr auto& words = EnumNames<Symptom>::list;
    const auto at = std::find(words.begin(), words.end(), node.text);
    if (node.kind != Kind::String || at == words.end()) {
      return problem(node, fmt::format("expected one of {}", fmt::join(words, ", ")));
    }
    out = static_cast<Symptom>(at - words.begin());
  }

  void again(const SpecNode& node, std::optional<Playbook::Again>& out) {
    Playbook::Again& again = *(out = Playbook::Again{});
    again.line = node.line;
    again.column = node.column;
    table<Playbook::Again>(
        node, again,
        {{"times", [](auto& r, auto& n, auto& a) { r.times(n, a.times); }},
         {"within", [](auto& r, auto& n, auto& a) { r.span(n, a.within); }},
         {"playbook", [](auto&, auto& n, auto& a) { a.playbook = printable(n.text); }}});
    if (node.kind == Kind::Map) require(node, "playbook");
  }

  /// Steps together, each once; what cannot be together is said with the reason.
  void steps(const SpecNode& node, Playbook& out) {
    static constexpr std::array<std::string_view, 9> kSteps{
        "note", "quarantine", "move", "cordon", "drain", "reset", "reboot", "replace", "burn-in"};
    if (node.kind != Kind::List || node.items.empty()) {
      return problem(node, fmt::format("expected a list of {}", fmt::join(kSteps, ", ")));
    }
    std::array<bool, kSteps.size()> has{};
    for (const SpecNode& item : node.items) {
      const auto at = std::find(kSteps.begin(), kSteps.end(), item.text);
      if (at == kSteps.end()) {
        return problem(item, fmt::format("expected one of {}", fmt::join(kSteps, ", ")));
      }
      bool& known = has[static_cast<std::size_t>(at - kSteps.begin())];
      if (std::exchange(known, true)) {
        return problem(item, fmt::format("'{}' is there twice", item.text));
      }
    }
    const auto [note, quarantine, move, cordon, drain, reset, reboot, replace, burn_in] = has;
    if (note && node.items.size() > 1) {
      return problem(node, "'note' means that nothing is done: leave it out, or the rest");
    }
    if (quarantine && (cordon || drain)) {
      return problem(node,
                     "these contradict each other: 'quarantine' brings the node back by itself, "
                     "'cordon' and 'drain' leave that to a person; keep one");
    }
    if (move && !quarantine && !cordon && !drain) {
      return problem(node,
                     "this goes in a circle: what 'move' takes off the node would be put back on "
                     "it; add 'quarantine' or 'cordon'");
    }
    if (reset + reboot + replace > 1) {
      return problem(node,
                     "'reset', 'reboot' and 'replace' contain each other in this order: keep one; "
                     "what does not help leads to the next by `again`");
    }
    if ((reset || reboot || replace || burn_in) && !drain && !move) {
      return problem(node,
                     "the hardware is repaired and tested on a node where nothing runs: add "
                     "'quarantine' and 'move'");
    }
    if (burn_in && (cordon || drain)) {
      return problem(node,
                     "these contradict each other: 'burn-in' brings the node back when it passes, "
                     "'cordon' and 'drain' leave that to a person; keep one");
    }
    out.then = note                        ? Remedy::Note
               : drain || (cordon && move) ? Remedy::Drain
               : cordon                    ? Remedy::Cordon
               : quarantine && move        ? Remedy::Evacuate
                                           : Remedy::Quarantine;
    out.repair = reset     ? Repair::Reset
                 : reboot  ? Repair::Reboot
                 : replace ? Repair::Replace
                           : Repair::None;
    out.burn_in = burn_in;
  }

  // --- what they come to

  Playbook* find(const std::string& name) {
    const auto at = std::find_if(books_.begin(), books_.end(),
                                 [&name](const Playbook& book) { return book.name == name; });
    return at == books_.end() ? nullptr : &*at;
  }

  /// Each playbook that says when it begins, and those that it leads to.
  void follow() {
    std::map<std::string, bool> used;
    for (const Playbook& book : books_) {
      if (!book.on) continue;
      used[book.name] = true;
      add_rule(book, {*book.on, book.times, book.within, *book.then, book.xid, book.repair,
                      book.burn_in, book.name});
      follow(book, used);
    }
    for (const Playbook& book : books_) {
      if (used[book.name] || !problems_.empty()) continue;
      at(book, "nothing leads here: give it `on`, or name it in an `again`");
    }
  }

  void follow(const Playbook& first, std::map<std::string, bool>& used) {
    std::vector<std::string> way{first.name};
    for (const Playbook* book = &first; book->again;) {
      const Playbook::Again& again = *book->again;
      const Playbook* next = find(again.playbook);
      way.push_back(again.playbook);
      const auto wrong = [&](std::string message) {
        add({ErrorKind::Invalid, fmt::format("playbooks.{}.again", book->name), again.line,
             again.column, std::move(message), ""});
      };
      if (next == nullptr) return wrong(fmt::format("there is no playbook '{}'", again.playbook));
      if (std::count(way.begin(), way.end(), again.playbook) > 1) {
        return wrong(fmt::format("this goes in a circle: {}; end it with one that has no `again`",
                                 fmt::join(way, " -> ")));
      }
      used[next->name] = true;
      add_rule(*book, {*first.on, again.times, again.within, *next->then, first.xid, next->repair,
                       next->burn_in, next->name});
      book = next;
    }
  }

  void add_rule(const Playbook& from, const HealingRule& rule) {
    spec_.rules.push_back(rule);
    origins_.push_back(&from);
  }

  /// What the rules are, taken together. Rules have numbers, playbooks names.
  void judge(const SpecNode& root) {
    if (spec_.name == kDefaultName && spec_ != default_healing()) {
      return problem(root, "the name 'default' is that of the built-in playbooks: choose another");
    }
    const auto good = review(spec_);
    if (good) return;
    std::string message = good.error().message;
    const Playbook* first = nullptr;
    for (std::size_t i = 0; i < origins_.size(); ++i) {
      const std::string number = fmt::format("rules[{}]", i);
      if (message.starts_with(number)) first = origins_[i];
      for (auto at = message.find(number); at != message.npos; at = message.find(number)) {
        message.replace(at, number.size(), fmt::format("playbook '{}'", origins_[i]->name));
      }
    }
    first != nullptr ? at(*first, std::move(message)) : problem(root, std::move(message));
  }

  // --- values

  void times(const SpecNode& node, std::int32_t& out) {
    number(node, static_cast<std::int32_t>(kSightingsMax), out);
  }
  void number(const SpecNode& node, std::int32_t most, std::int32_t& out) {
    const auto value = whole(node.text);
    if (node.kind != Kind::Number || !value || *value < 1 || *value > most) {
      return problem(node, fmt::format("expected a whole number from 1 to {}", most));
    }
    out = *value;
  }
  void percent(const SpecNode& node, std::int32_t& out) {
    const bool sign = node.text.ends_with('%');
    const auto value = whole(std::string_view(node.text).substr(0, node.text.size() - sign));
    if (!sign || !value || *value < 0 || *value > 100) {
      return problem(node, "expected a share, as in 20%, of 0% to 100%");
    }
    out = *value;
  }
  static std::optional<std::int32_t> whole(std::string_view text) {
    std::int32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool good = error == std::errc{} && end == text.data() + text.size();
    return good ? std::optional(value) : std::nullopt;
  }
  void span(const SpecNode& node, Duration& out) {
    const auto value = parse_duration(printable(node.text));
    if (node.kind != Kind::String || !value || value->ns < 1'000'000) {
      return problem(node, "expected a time with a unit (ms, s, m, h, d, w), as in 30m");
    }
    out = *value;
    out.ns -= out.ns % 1'000'000;
  }

  void require(const SpecNode& map, std::string_view name) {
    if (!has(map, name)) problem(map, fmt::format("'{}' is missing", name));
  }
  void at(const Playbook& book, std::string message) {
    add({ErrorKind::Invalid, "playbooks." + book.name, book.line, book.column, std::move(message),
         ""});
  }
  void problem(const SpecNode& node, std::string message) {
    add({ErrorKind::Invalid, path_, node.line, node.column, std::move(message), ""});
  }
  void add(SpecProblem problem) {
    if (problems_.size() < kSpecProblemsMax) problems_.push_back(std::move(problem));
  }

  HealingSpec spec_;
  std::vector<Playbook> books_;
  std::vector<const Playbook*> origins_;  // of each rule
  std::string path_;
  std::vector<SpecProblem> problems_;
};

std::string steps_of(const HealingRule& rule) {
  static constexpr std::array<std::string_view, 5> kSteps{"note", "quarantine", "quarantine, move",
                                                          "cordon", "drain"};
  std::string steps(kSteps[static_cast<std::size_t>(rule.then)]);
  if (rule.repair != Repair::None) steps += fmt::format(", {}", to_string(rule.repair));
  return rule.burn_in ? steps + ", burn-in" : steps;
}

}  // namespace

tl::expected<HealingSpec, std::vector<SpecProblem>> parse_healing(std::string_view text) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    return tl::unexpected(
        std::vector<SpecProblem>{{ErrorKind::Invalid, "", 0, 0, "the file is empty", ""}});
  }
  const auto root = parse_spec_tree(text, SpecFormat::Auto);
  if (!root) return tl::unexpected(std::vector{root.error()});
  return HealingReader().read(*root);
}

std::string to_yaml(const HealingSpec& spec) {
  std::string out = fmt::format("version: 1\nname: {}\n", spec.name);
  if (!spec.rules.empty()) out += "playbooks:\n";
  std::set<std::string> taken;
  for (const HealingRule& rule : spec.rules) taken.insert(rule.playbook);
  std::set<std::string> written;
  for (const HealingRule& rule : spec.rules) {
    const std::string own = rule.playbook.empty() ? playbook_name(rule.on) : rule.playbook;
    std::string name = own;
    // One to which several lead is several rules.
    for (int count = 2; written.contains(name) || (name != rule.playbook && taken.contains(name));
         ++count) {
      name = fmt::format("{}-{}", own, count);
    }
    written.insert(name);
    out += fmt::format("  {}:\n    on: {}\n", name, to_string(rule.on));
    if (rule.xid != 0) out += fmt::format("    xid: {}\n", rule.xid);
    out += fmt::format("    times: {}\n    within: {}\n    do: [{}]\n", rule.times,
                       duration_text(rule.within), steps_of(rule));
  }
  out += fmt::format("quarantine: {{first: {}, longest: {}}}\n", duration_text(spec.quarantine),
                     duration_text(spec.quarantine_max));
  const std::string paced = spec.quarantines_per_hour_max == 0
                                ? ""
                                : fmt::format(", per_hour: {}", spec.quarantines_per_hour_max);
  const std::string repair = spec.repair_max == HealingSpec{}.repair_max
                                 ? ""
                                 : fmt::format(", repair: {}", duration_text(spec.repair_max));
  out += fmt::format("limits: {{nodes: {}%{}{}}}\nremember: {}\nretry: {{jitter: {}%}}\n",
                     spec.quarantined_percent_max, paced, repair, duration_text(spec.remember),
                     spec.backoff_jitter_percent);
  return out;
}

}  // namespace gyre::codec
