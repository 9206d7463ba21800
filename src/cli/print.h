#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/outcome.h"

namespace gyre::cli {

enum class Format : unsigned char { Table, Wide, Json, Yaml };

/// Whether it is one that programs read.
constexpr bool is_document(Format format) {
  return format == Format::Json || format == Format::Yaml;
}

/// Text for a terminal: control characters shown as '?'.
std::string terminal_safe(std::string_view text);

/// Whether stdout (1) or stderr (2) is a terminal that wants colours (https://no-color.org).
bool wants_colour(int descriptor);

/// A job's state, coloured where stdout is a terminal.
std::string paint_state(const std::string& state);

/// Rows under a heading, in columns as wide as their widest cell. Cells are made safe for a
/// terminal; a cell painted by paint_state() keeps its colour.
class Table {
 public:
  explicit Table(std::vector<std::string> heading);
  void add(std::vector<std::string> row);
  void print() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

/// A value as a cell: "-" where there is none.
std::string text_or_dash(const nlohmann::ordered_json& value);
/// Milliseconds as a cell: "4.2s", or "-".
std::string span_or_dash(const nlohmann::ordered_json& ms);

/// JSON on stdout as it is, or the same as YAML.
void print_document(const nlohmann::ordered_json& document, Format format);

/// The same where the format is one of these. Returns whether it is.
bool print_as_document(const nlohmann::ordered_json& document, Format format);

/// "gyre: MESSAGE" on stderr.
void complain(std::string_view message);

/// All of `bytes` to a descriptor, whatever they are.
void write_all(int descriptor, std::string_view bytes);

/// Why something that this process wrote to stdout has not arrived, as on a full disk; none: all
/// has, or whoever reads it has gone.
std::optional<std::string> lost_output();

}  // namespace gyre::cli
