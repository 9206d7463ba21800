#include "domain/placement_rules.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "base/fnv.h"

namespace gyre {

namespace {

std::string_view trimmed(std::string_view text) {
  const std::size_t from = text.find_first_not_of(' ');
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(' ') + 1 - from);
}

bool read_balance(std::string_view word, Balance balance, PlacementRules& rules) {
  if (rules.balance != Balance::None) return false;
  for (std::size_t i = 0; i <= kTopologyLevels; ++i) {
    if (word != to_string(static_cast<TopologyLevel>(i))) continue;
    rules.balance = balance;
    rules.level = static_cast<TopologyLevel>(i);
    return true;
  }
  return false;
}

bool read_rule(std::string_view key, std::string_view value, PlacementRules& rules) {
  if (value.empty()) return false;
  if (key == "spread") return read_balance(value, Balance::Spread, rules);
  if (key == "pack") return read_balance(value, Balance::Pack, rules);
  if (key == "max_per_node") {
    const char* end = value.data() + value.size();
    const bool first = rules.max_per_node == 0;
    const auto read = std::from_chars(value.data(), end, rules.max_per_node);
    return first && read.ec == std::errc{} && read.ptr == end && rules.max_per_node > 0;
  }
  std::string* name = key == "group"   ? &rules.group
                      : key == "near"  ? &rules.near
                      : key == "apart" ? &rules.apart
                                       : nullptr;
  if (name == nullptr || !name->empty()) return false;
  *name = value;
  return true;
}

}  // namespace

GroupId group_id(std::string_view tenant, std::string_view name) {
  if (name.empty()) return {};
  const std::uint64_t hash = fnv1a(name, fnv1a(std::string_view("", 1), fnv1a(tenant)));
  return {hash == 0 ? 1 : hash};
}

std::string to_string(const PlacementRules& rules) {
  std::vector<std::string> parts;
  if (!rules.group.empty()) parts.push_back("group: " + rules.group);
  if (rules.max_per_node > 0) {
    parts.push_back(fmt::format("max_per_node: {}", rules.max_per_node));
  }
  if (rules.balance != Balance::None) {
    parts.push_back(fmt::format("{}: {}", rules.balance == Balance::Spread ? "spread" : "pack",
                                to_string(rules.level)));
  }
  if (!rules.near.empty()) parts.push_back("near: " + rules.near);
  if (!rules.apart.empty()) parts.push_back("apart: " + rules.apart);
  return fmt::format("{}", fmt::join(parts, ", "));
}

Result<PlacementRules> parse_placement_rules(std::string_view text) {
  PlacementRules rules;
  while (!trimmed(text).empty()) {
    const std::size_t end = std::min(text.find_first_of(",;"), text.size());
    const std::string_view part = text.substr(0, end);
    const std::size_t colon = std::min(part.find(':'), part.size());
    const std::string_view value = part.substr(std::min(colon + 1, part.size()));
    if (!read_rule(trimmed(part.substr(0, colon)), trimmed(value), rules)) {
      return fail(ErrorKind::Invalid,
                  "'{}' is no placement rule: write max_per_node: 2, spread: rack, pack: node, "
                  "near: NAME, apart: NAME or group: NAME, each once",
                  trimmed(part));
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return rules;
}

}  // namespace gyre
