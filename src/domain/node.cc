#include "domain/node.h"

#include <algorithm>

namespace gyre {

Result<void> check_node_name(std::string_view name) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_';
  };
  if (!name.empty() && name.size() <= kNodeNameMax &&
      std::all_of(name.begin(), name.end(), plain)) {
    return {};
  }
  return fail(ErrorKind::Invalid,
              "'{}' cannot be a node's name: it has 1 to {} letters, digits, '.', '-' and '_'",
              name.substr(0, kNodeNameMax), kNodeNameMax);
}

}  // namespace gyre
