#pragma once

#include <fmt/ranges.h>

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "codec/printable.h"
#include "codec/spec_tree.h"
#include "domain/job_spec.h"

namespace gyre::codec {

/// A field that a map may have, and what reads its value.
template <class Reader, class T>
struct KnownField {
  std::string_view name;
  void (*read)(Reader&, const SpecNode&, T&);
};

/// Reads each key of a map by the row that has its name; meanwhile `path`, the fields from the root
/// to there, has it too. Calls `unknown(key, names, nearest)` for a key without a row.
template <class Reader, class T, class Unknown>
void read_fields(Reader& reader, std::string& path, const SpecNode& map, T& out,
                 std::initializer_list<KnownField<Reader, T>> known, Unknown&& unknown) {
  for (std::size_t i = 0; i < map.keys.size(); ++i) {
    const SpecNode::Key& key = map.keys[i];
    const auto row = std::find_if(known.begin(), known.end(),
                                  [&](const auto& one) { return one.name == key.name; });
    if (row == known.end()) {
      std::vector<std::string> names;
      for (const auto& one : known) names.emplace_back(one.name);
      unknown(key, names, key.name.size() > kNameBytesMax ? "" : nearest(key.name, names));
      continue;
    }
    const std::size_t length = path.size();
    path += (path.empty() ? "" : ".") + key.name;
    row->read(reader, map.items[i], out);
    path.resize(length);
  }
}

/// The same, of what must be a map of such fields. Calls `add(SpecProblem)` for what is wrong.
template <class Reader, class T, class Add>
void read_table(Reader& reader, std::string& path, const SpecNode& map, T& out,
                std::initializer_list<KnownField<Reader, T>> known, Add&& add) {
  if (map.kind != SpecNode::Kind::Map) {
    return add(SpecProblem{ErrorKind::Invalid, path, map.line, map.column,
                           "expected fields, as in `name: value`", ""});
  }
  read_fields(
      reader, path, map, out, known,
      [&](const SpecNode::Key& key, const auto& names, const std::string& near) {
        add(SpecProblem{ErrorKind::Invalid, path + (path.empty() ? "" : ".") + printable(key.name),
                        key.line, key.column,
                        fmt::format("there is no such field; there are {}", fmt::join(names, ", ")),
                        near});
      });
}

}  // namespace gyre::codec
