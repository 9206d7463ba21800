#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "codec/known_fields.h"
#include "codec/printable.h"
#include "codec/spec_tree.h"

namespace gyre::codec {

/// What the readers of an operator's short files share: `version: 1` and some settings. `Reader` is
/// the class that derives from it, T what it reads. All problems of form are found in one pass.
template <class Reader, class T>
class SettingReader {
 public:
  /// Reads and validates. Errors: Invalid, the problems joined by "; ", each as describe() prints
  /// it.
  static Result<T> read(std::string_view text) {
    if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
      return fail(ErrorKind::Invalid, "the file is empty");
    }
    Reader reader;
    T out{};
    const auto root = parse_spec_tree(text, SpecFormat::Auto);
    if (!root) return fail(ErrorKind::Invalid, "{}", describe(root.error()));
    reader.root(*root, out);
    if (reader.problems_.empty()) {
      auto valid = validate(out);
      if (!valid) return tl::unexpected(valid.error());
      return out;
    }
    std::vector<std::string> lines;
    for (const SpecProblem& problem : reader.problems_) lines.push_back(describe(problem));
    return fail(ErrorKind::Invalid, "{}", fmt::join(lines, "; "));
  }

 protected:
  using Kind = SpecNode::Kind;
  using Rows = std::initializer_list<KnownField<Reader, T>>;

  void table(const SpecNode& map, T& out, Rows known) {
    if (map.kind != Kind::Map) return problem(map, "expected settings, as in 'version: 1'");
    read_fields(static_cast<Reader&>(*this), path_, map, out, known,
                [this](const SpecNode::Key& key, const auto& names, const std::string& near) {
                  problems_.push_back(
                      {ErrorKind::Invalid, path_ + (path_.empty() ? "" : ".") + printable(key.name),
                       key.line, key.column,
                       fmt::format("no such setting; there are {}", fmt::join(names, ", ")), near});
                });
  }
  void require(const SpecNode& map, std::string_view name) {
    if (map.kind == Kind::Map && !has(map, name))
      problem(map, fmt::format("'{}' is missing", name));
  }
  static void version(Reader& reader, const SpecNode& node, T&) {
    if (node.text != "1") reader.problem(node, "this Gyre reads version 1 of such files");
  }
  void problem(const SpecNode& node, std::string message) {
    problems_.push_back(
        {ErrorKind::Invalid, path_, node.line, node.column, std::move(message), ""});
  }

  std::string path_;  // of what is being read
  std::vector<SpecProblem> problems_;
};

}  // namespace gyre::codec
