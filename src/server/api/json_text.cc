#include "server/api/json_text.h"

#include <array>
#include <cstdint>
#include <iterator>

#include "base/utf8.h"

namespace gyre::server {
namespace {

bool is_plain(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x20 && byte < 0x80 && c != '"' && c != '\\';
}

void append_escaped(std::string& out, char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
  }
}

}  // namespace

void JsonText::comma() {
  if (text_.empty()) return;
  const char last = text_.back();
  if (last != '{' && last != '[' && last != ':') text_ += ',';
}

JsonText& JsonText::raw(std::string_view text) {
  comma();
  text_ += text;
  return *this;
}

JsonText& JsonText::open(char bracket) {
  comma();
  text_ += bracket;
  return *this;
}

JsonText& JsonText::close(char bracket) {
  text_ += bracket;
  return *this;
}

JsonText& JsonText::key(std::string_view name) {
  comma();
  text_ += '"';
  text_ += name;
  text_ += "\":";
  return *this;
}

JsonText& JsonText::value(std::string_view text) {
  comma();
  text_ += '"';
  while (!text.empty()) {
    std::size_t plain = 0;
    while (plain < text.size() && is_plain(text[plain])) ++plain;
    text_.append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) break;
    const std::size_t size = utf8_size(text);
    if (size == 1) append_escaped(text_, text[0]);
    if (size > 1) text_.append(text.substr(0, size));
    if (size == 0) text_ += "\xef\xbf\xbd";
    text.remove_prefix(size == 0 ? 1 : size);
  }
  text_ += '"';
  return *this;
}

JsonText& JsonText::thousandths(std::int64_t number) {
  comma();
  const std::int64_t rest = number % 1000;
  fmt::format_to(std::back_inserter(text_), "{}", number / 1000);
  if (rest == 0) return *this;
  const std::string digits = fmt::format("{:03}", rest);
  text_ += '.';
  text_.append(digits, 0, digits.find_last_not_of('0') + 1);
  return *this;
}

}  // namespace gyre::server
