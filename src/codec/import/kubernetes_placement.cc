#include "codec/import/kubernetes_placement.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "codec/printable.h"

namespace gyre::codec::import {
namespace {

using Kind = SpecNode::Kind;

/// Whom a label selector names.
struct Selected {
  bool own = false;   // pods like this one
  std::string group;  // empty: of no one name
};

std::optional<TopologyLevel> level_of(std::string_view key) {
  if (key == "kubernetes.io/hostname") return TopologyLevel::Node;
  if (key.ends_with("/rack")) return TopologyLevel::Rack;
  if (key.ends_with("/zone")) return TopologyLevel::Zone;
  if (key.ends_with("/region")) return TopologyLevel::Region;
  return std::nullopt;
}

class Reader {
 public:
  Reader(Draft& draft, const PodPlacement& pod) : draft_(draft), pod_(pod) {}

  PlacementRules read() {
    if (pod_.affinity != nullptr) read_affinity(*pod_.affinity, "affinity");
    if (pod_.spreads != nullptr) read_spreads(*pod_.spreads, "topologySpreadConstraints");
    return std::move(rules_);
  }

 private:
  void read_affinity(const SpecNode& node, const std::string& path) {
    if (node.kind != Kind::Map) return draft_.wrong(node, path, "expected fields");
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      const std::string where = path + "." + node.keys[i].name;
      const bool anti = node.keys[i].name == "podAntiAffinity";
      if (anti || node.keys[i].name == "podAffinity") {
        read_terms(node.items[i], where, anti);
      } else {
        draft_.dropped(where, "Gyre chooses the nodes");
      }
    }
  }

  void read_terms(const SpecNode& node, const std::string& path, bool anti) {
    if (node.kind != Kind::Map) return draft_.wrong(node, path, "expected fields");
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      const bool required = node.keys[i].name.starts_with("required");
      const std::string where = path + (required ? ".required" : ".preferred");
      const SpecNode& list = node.items[i];
      if (list.kind != Kind::List) return draft_.wrong(list, where, "expected a list");
      for (std::size_t k = 0; k < list.items.size(); ++k) {
        const SpecNode* term = &list.items[k];
        if (const SpecNode* inner = child(*term, "podAffinityTerm")) term = inner;
        read_term(*term, fmt::format("{}[{}]", where, k), anti, required);
      }
    }
  }

  void read_term(const SpecNode& term, const std::string& path, bool anti, bool required) {
    const SpecNode* key = child(term, "topologyKey");
    const auto level = level_of(key == nullptr ? "" : key->text);
    if (!level) {
      return draft_.dropped(path, "its topologyKey is no level that Gyre knows: node, rack, zone");
    }
    const Selected whom = selected(term, path);
    if (!whom.own && whom.group.empty()) {
      return draft_.dropped(path, "a group is one name: one label with one value");
    }
    if (anti) return keep_apart(path, *level, whom, required);
    if (whom.own) {
      if (required) draft_.changed(path, "wished for, not required");
      return balance(path, Balance::Pack, *level, whom);
    }
    if (!rules_.near.empty()) return draft_.dropped(path, "a job is near to one group");
    if (whom.group == rules_.apart) return draft_.dropped(path, "it is apart from that group");
    if (required) draft_.changed(path, "near: wished for, not required");
    name_group(path, whom.group);
    rules_.near = whom.group;
  }

  void keep_apart(const std::string& path, TopologyLevel level, const Selected& whom,
                  bool required) {
    if (whom.own && !required) return balance(path, Balance::Spread, level, whom);
    if (!required) return draft_.dropped(path, "to be apart is not wished for but required");
    if (level != TopologyLevel::Node) {
      return draft_.dropped(path, "Gyre keeps nodes apart, and no wider domains");
    }
    if (whom.own) {
      if (be_in(path, whom)) rules_.max_per_node = 1;
      return;
    }
    if (!rules_.apart.empty()) return draft_.dropped(path, "a job is apart from one group");
    if (whom.group == rules_.near) return draft_.dropped(path, "it is near to that group");
    name_group(path, whom.group);
    rules_.apart = whom.group;
  }

  void read_spreads(const SpecNode& node, const std::string& path) {
    if (node.kind != Kind::List) return draft_.wrong(node, path, "expected a list");
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      const SpecNode& spread = node.items[i];
      const std::string where = fmt::format("{}[{}]", path, i);
      const SpecNode* key = child(spread, "topologyKey");
      const auto level = level_of(key == nullptr ? "" : key->text);
      if (!level) {
        draft_.dropped(where, "its topologyKey is no level that Gyre knows: node, rack, zone");
        continue;
      }
      const Selected whom = selected(spread, where);
      if (!whom.own) {
        draft_.dropped(where, "a job spreads the tasks of its own group");
        continue;
      }
      const SpecNode* otherwise = child(spread, "whenUnsatisfiable");
      if (otherwise == nullptr || otherwise->text != "ScheduleAnyway") {
        draft_.changed(where, "wished for, not required; maxSkew is left out");
      }
      balance(where, Balance::Spread, *level, whom);
    }
  }

  void balance(const std::string& path, Balance balance, TopologyLevel level,
               const Selected& whom) {
    if (rules_.balance != Balance::None) {
      return draft_.dropped(path, "one of spread and pack, once");
    }
    if (!be_in(path, whom)) return;
    rules_.balance = balance;
    rules_.level = level;
  }

  /// The job is in that group. False, and noted, if it is in another.
  bool be_in(const std::string& path, const Selected& whom) {
    const std::string& own = rules_.group.empty() ? draft_.spec.name : rules_.group;
    if (whom.group.empty() && own.empty()) {
      draft_.dropped(path, "the job has no name that its group could have");
      return false;
    }
    if (whom.group.empty() || whom.group == own) return true;
    if (named_ || whom.group == rules_.near || whom.group == rules_.apart) {
      draft_.dropped(path, "a job is in one group");
      return false;
    }
    rules_.group = whom.group;
    named_ = true;
    return true;
  }

  void name_group(const std::string& path, const std::string& group) {
    draft_.changed(path,
                   fmt::format("the group '{}': jobs with placement rules that are named so, or "
                               "say 'group'",
                               printable(group)));
  }

  /// Every pair that the selector asks for; nullopt, if it asks for something else too.
  std::optional<std::vector<std::pair<std::string, std::string>>> pairs_of(const SpecNode& term) {
    std::vector<std::pair<std::string, std::string>> pairs;
    const SpecNode* selector = child(term, "labelSelector");
    if (selector == nullptr) return std::nullopt;
    if (const SpecNode* labels = child(*selector, "matchLabels")) {
      for (std::size_t i = 0; i < labels->keys.size(); ++i) {
        pairs.emplace_back(labels->keys[i].name, labels->items[i].text);
      }
    }
    const SpecNode* expressions = child(*selector, "matchExpressions");
    if (expressions == nullptr) return pairs;
    for (const SpecNode& expression : expressions->items) {
      const SpecNode* key = child(expression, "key");
      const SpecNode* by = child(expression, "operator");
      const SpecNode* values = child(expression, "values");
      const bool one = key != nullptr && by != nullptr && by->text == "In" && values != nullptr &&
                       values->items.size() == 1;
      if (!one) return std::nullopt;
      pairs.emplace_back(key->text, values->items[0].text);
    }
    return pairs;
  }

  Selected selected(const SpecNode& term, const std::string& path) {
    for (const char* wider : {"namespaces", "namespaceSelector"}) {
      if (child(term, wider) != nullptr) {
        draft_.dropped(path + "." + wider, "groups are a tenant's own");
      }
    }
    const auto pairs = pairs_of(term);
    if (!pairs || pairs->empty()) return {};
    const auto& labels = pod_.labels;
    Selected whom;
    whom.own = std::all_of(pairs->begin(), pairs->end(), [&](const auto& pair) {
      return std::find(labels.begin(), labels.end(), pair) != labels.end();
    });
    if (pairs->size() == 1) whom.group = pairs->front().second;
    return whom;
  }

  Draft& draft_;
  const PodPlacement& pod_;
  PlacementRules rules_;
  bool named_ = false;
};

}  // namespace

void read_placement(Draft& draft, const PodPlacement& pod) {
  PlacementRules rules = Reader(draft, pod).read();
  const std::string& own = rules.group.empty() ? draft.spec.name : rules.group;
  for (std::string* other : {&rules.near, &rules.apart}) {
    if (other->empty() || *other != own) continue;
    draft.dropped("affinity", fmt::format("'{}' is the job's own group here", printable(own)));
    other->clear();
  }
  if (rules != PlacementRules{}) draft.spec.placement = std::move(rules);
}

}  // namespace gyre::codec::import
