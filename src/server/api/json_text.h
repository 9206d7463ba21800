#pragma once

#include <fmt/format.h>

#include <cmath>
#include <concepts>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace gyre::server {

/// Writes JSON from front to back, commas included. For lists of thousands of objects, where
/// building a tree first costs more than all the writing. Text that is no UTF-8 gets U+FFFD for
/// each wrong byte. Requires: open() and close() in pairs, key() before each member of an object.
class JsonText {
 public:
  JsonText& open(char bracket);
  JsonText& close(char bracket);
  JsonText& key(std::string_view name);  // a name that needs no escapes

  JsonText& value(std::string_view text);
  JsonText& value(const char* text) { return value(std::string_view(text)); }
  JsonText& value(bool truth) { return raw(truth ? "true" : "false"); }
  JsonText& null() { return raw("null"); }

  template <std::integral T>
  JsonText& value(T number) {
    const fmt::format_int digits(number);
    return raw({digits.data(), digits.size()});
  }
  /// The shortest text that reads back as the same; null for what JSON has no number for.
  template <std::floating_point T>
  JsonText& value(T number) {
    return std::isfinite(number) ? raw(fmt::format("{}", number)) : null();
  }
  template <class T>
  JsonText& value(const std::optional<T>& maybe) {
    return maybe ? value(*maybe) : null();
  }

  template <class T>
  JsonText& member(std::string_view name, const T& content) {
    return key(name).value(content);
  }

  /// Thousandths as a decimal number: 1500 as 1.5.
  JsonText& thousandths(std::int64_t number);

  /// A value that is JSON already.
  JsonText& json(std::string_view text) { return raw(text); }

  std::string take() { return std::move(text_); }
  std::size_t size() const { return text_.size(); }

 private:
  JsonText& raw(std::string_view text);
  void comma();

  std::string text_;
};

}  // namespace gyre::server
