#include "base/utf8.h"

namespace gyre {

std::size_t utf8_size(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  // Overlong forms, surrogates, and what is beyond U+10FFFF.
  const unsigned second = byte(1);
  const bool wrong = (lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ||
                     (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f);
  return wrong ? 0 : size;
}

std::size_t valid_utf8_prefix(std::string_view text) {
  std::size_t used = 0;
  while (used < text.size()) {
    const std::size_t size = utf8_size(text.substr(used));
    if (size == 0) break;
    used += size;
  }
  return used;
}

std::size_t utf8_cut(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text.size();
  for (std::size_t back = 0; back < 4 && back <= bytes_max; ++back) {
    const auto next = static_cast<unsigned char>(text[bytes_max - back]);
    if ((next & 0xc0) != 0x80) return bytes_max - back;
  }
  return bytes_max;
}

}  // namespace gyre
