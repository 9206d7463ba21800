#include "codec/printable.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <array>
#include <iterator>

namespace gyre::codec {

std::string printable(std::string_view text) {
  constexpr std::size_t kBytesMax = 60;
  const bool cut = text.size() > kBytesMax;
  if (cut) {
    std::size_t end = kBytesMax;
    while (end > kBytesMax - 4 && (text[end] & 0xc0) == 0x80) --end;
    text = text.substr(0, end);
  }
  const bool utf8 = simdjson::validate_utf8(text.data(), text.size());
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !utf8)) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return cut ? out + "..." : out;
}

std::string duration_text(Duration duration) {
  duration.ns -= duration.ns % 1'000'000;
  struct Unit {
    std::int64_t ns;
    const char* name;
  };
  constexpr std::array<Unit, 5> kUnits{{{86'400'000'000'000, "d"},
                                        {3'600'000'000'000, "h"},
                                        {60'000'000'000, "m"},
                                        {1'000'000'000, "s"},
                                        {1'000'000, "ms"}}};
  for (const auto& [ns, name] : kUnits) {
    if (duration.ns != 0 && duration.ns % ns == 0)
      return fmt::format("{}{}", duration.ns / ns, name);
  }
  return "0s";
}

}  // namespace gyre::codec
