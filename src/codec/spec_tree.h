#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "codec/job_spec_text.h"

namespace gyre::codec {

/// A value of a YAML or JSON text, with its place. At most kSpecDepthMax deep.
struct SpecNode {
  enum class Kind : unsigned char { Null, Bool, Number, String, List, Map };
  struct Key;

  Kind kind = Kind::Null;
  std::string text;  // a scalar as it was written, quotes and escapes undone
  int line = 0;
  int column = 0;
  std::vector<SpecNode> items;  // of a list, or the values of a map
  std::vector<Key> keys;        // of a map; as many as items
};
struct SpecNode::Key {
  std::string name;
  int line = 0;
  int column = 0;
};

/// Whether a map has that field.
bool has(const SpecNode& map, std::string_view name);

/// Whether it is true or false, a number or a text.
bool is_scalar(const SpecNode& node);

/// What it is, for an error: "the number 5", "a list".
std::string found(const SpecNode& node);

/// Whether it is a text that a line of a log may have. What is expected else is kLineForm.
bool is_line(const SpecNode& node);
inline constexpr std::string_view kLineForm = "a text of one line, 128 bytes at most";

/// Whether a variable of the environment may be called so.
bool is_variable_name(std::string_view name);

/// Reads one document. Errors: not UTF-8, larger or deeper than the limits, not the format, a tag,
/// an anchor or an alias (which let a few lines stand for gigabytes), a key twice in one map.
tl::expected<SpecNode, SpecProblem> parse_spec_tree(std::string_view text, SpecFormat format);

/// Reads a job spec whose text was parsed already; see job_spec_text.h.
tl::expected<JobSpec, std::vector<SpecProblem>> parse_job_spec(const SpecNode& root,
                                                               std::string_view image_base);

/// What a plain YAML scalar means: null, true and false, a decimal number, else text.
SpecNode::Kind plain_scalar_kind(std::string_view text);

}  // namespace gyre::codec
