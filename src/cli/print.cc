#include "cli/print.h"

#include <fmt/format.h>
#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/units.h"

namespace gyre::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kReset = "\x1b[0m";

std::atomic<int> lost = 0;  // the errno of the first write to stdout that failed

/// Who closes a pipe wants no more.
void note_lost(int error) {
  int none = 0;
  if (error != EPIPE) lost.compare_exchange_strong(none, error);
}

/// Characters, without the colours around them.
std::size_t width_of(std::string_view cell) {
  std::size_t width = 0;
  for (std::size_t i = 0; i < cell.size(); ++i) {
    if (cell[i] == '\x1b') {
      i = cell.find('m', i);
      continue;
    }
    if ((static_cast<unsigned char>(cell[i]) & 0xc0) != 0x80) ++width;
  }
  return width;
}

/// A plain YAML scalar that no reader takes for anything but text.
bool is_plain_word(const std::string& text) {
  static constexpr std::array<std::string_view, 9> kOther = {"true", "false", "null", "yes", "no",
                                                             "on",   "off",   "y",    "n"};
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (text.empty() || !letter(text[0])) return false;
  std::string lower = text;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  if (std::find(kOther.begin(), kOther.end(), lower) != kOther.end()) return false;
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.' || c == '/';
  });
}

void emit(YAML::Emitter& out, const Json& value) {
  if (value.is_object()) {
    if (value.empty()) out << YAML::Flow;
    out << YAML::BeginMap;
    for (const auto& [key, member] : value.items()) {
      out << YAML::Key << key << YAML::Value;
      emit(out, member);
    }
    out << YAML::EndMap;
  } else if (value.is_array()) {
    if (value.empty()) out << YAML::Flow;
    out << YAML::BeginSeq;
    for (const Json& member : value) emit(out, member);
    out << YAML::EndSeq;
  } else if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    if (!is_plain_word(text)) out << YAML::DoubleQuoted;
    out << text;
  } else if (value.is_null()) {
    out << YAML::Null;
  } else {
    out << value.dump();
  }
}

}  // namespace

std::string text_or_dash(const Json& value) {
  if (value.is_null()) return "-";
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string span_or_dash(const Json& ms) {
  return ms.is_null() ? "-" : format_duration(milliseconds(ms.get<std::int64_t>()));
}

std::string terminal_safe(std::string_view text) {
  std::string safe(text);
  for (std::size_t i = 0; i < safe.size(); ++i) {
    const auto byte = static_cast<unsigned char>(safe[i]);
    // C1 controls are two bytes in UTF-8.
    const bool c1 =
        byte == 0xc2 && i + 1 < safe.size() && static_cast<unsigned char>(safe[i + 1]) < 0xa0;
    if (byte < 0x20 || byte == 0x7f || c1) safe[i] = '?';
    if (c1) safe.erase(i + 1, 1);
  }
  return safe;
}

bool wants_colour(int descriptor) {
  const char* none = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  const bool dumb = terminal == nullptr || std::string_view(terminal) == "dumb";
  return isatty(descriptor) == 1 && (none == nullptr || *none == '\0') && !dumb;
}

std::string paint_state(const std::string& state) {
  static const bool colour = wants_colour(STDOUT_FILENO);
  if (!colour) return state;
  std::string_view code = "\x1b[33m";  // on its way: yellow
  if (state == "running" || state == "succeeded" || state == "up") code = "\x1b[32m";
  if (state == "failed" || state == "down") code = "\x1b[31m";
  if (state == "cancelled" || state == "queued") code = "\x1b[2m";
  return fmt::format("{}{}{}", code, state, kReset);
}

Table::Table(std::vector<std::string> heading) { rows_.push_back(std::move(heading)); }

void Table::add(std::vector<std::string> row) {
  for (std::string& cell : row) {
    if (!cell.ends_with(kReset)) cell = terminal_safe(cell);
  }
  rows_.push_back(std::move(row));
}

void Table::print() const {
  std::vector<std::size_t> widths(rows_.front().size(), 0);
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  }
  std::string text;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      line.append(widths[i] - width_of(row[i]) + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  write_all(STDOUT_FILENO, text);
}

void print_document(const Json& document, Format format) {
  if (format == Format::Yaml) {
    YAML::Emitter out;
    emit(out, document);
    return write_all(STDOUT_FILENO, std::string(out.c_str()) + "\n");
  }
  write_all(STDOUT_FILENO, document.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

bool print_as_document(const Json& document, Format format) {
  if (!is_document(format)) return false;
  print_document(document, format);
  return true;
}

void complain(std::string_view message) { fmt::print(stderr, "gyre: {}\n", message); }

std::optional<std::string> lost_output() {
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) note_lost(errno);
  const int error = lost;
  if (error == 0) return std::nullopt;
  return std::generic_category().message(error);
}

void write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      if (descriptor == STDOUT_FILENO) note_lost(errno);
      return;
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace gyre::cli
