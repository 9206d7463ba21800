#include "domain/trace_context.h"

#include <fmt/format.h>

namespace gyre {
namespace {

/// The next `digits` lower-case hexadecimal digits of `text`, which they are taken off; nullopt
/// where others stand.
std::optional<std::uint64_t> take_hex(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text.substr(0, digits)) {
    const bool number = c >= '0' && c <= '9';
    if (!number && (c < 'a' || c > 'f')) return std::nullopt;
    value = value << 4 | static_cast<std::uint64_t>(number ? c - '0' : c - 'a' + 10);
  }
  text.remove_prefix(digits);
  return value;
}

bool take_dash(std::string_view& text) {
  if (!text.starts_with('-')) return false;
  text.remove_prefix(1);
  return true;
}

/// The finalizer of SplitMix64 (Steele, Lea, Flood: OOPSLA 2014).
std::uint64_t mixed(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
  value = (value ^ value >> 27) * 0x94d049bb133111eb;
  return value ^ value >> 31;
}

}  // namespace

std::optional<TraceContext> parse_trace_parent(std::string_view text) {
  const auto version = take_hex(text, 2);
  if (!version || *version == 0xff || !take_dash(text)) return std::nullopt;
  const auto high = take_hex(text, 16);
  const auto low = take_hex(text, 16);
  if (!high || !low || (*high | *low) == 0 || !take_dash(text)) return std::nullopt;
  const auto span = take_hex(text, 16);
  if (!span || *span == 0 || !take_dash(text)) return std::nullopt;
  const auto flags = take_hex(text, 2);
  if (!flags) return std::nullopt;
  const bool more_may_follow = *version != 0 && text.starts_with('-');
  if (!text.empty() && !more_may_follow) return std::nullopt;
  return TraceContext{*high, *low, *span, static_cast<std::uint8_t>(*flags)};
}

std::string to_string(const TraceContext& context) {
  return fmt::format("00-{}-{}-{:02x}", trace_id_text(context), span_id_text(context.span),
                     context.flags);
}

std::string trace_id_text(const TraceContext& context) {
  return fmt::format("{:016x}{:016x}", context.trace_high, context.trace_low);
}

std::string span_id_text(std::uint64_t span) { return fmt::format("{:016x}", span); }

std::uint64_t derived_span(const TraceContext& context, std::string_view what, std::int32_t attempt,
                           std::int32_t rank) {
  std::uint64_t value = mixed(context.trace_high) ^ context.trace_low;
  value = mixed(value) ^ context.span;
  for (const char c : what) value = mixed(value) ^ static_cast<unsigned char>(c);
  value = mixed(value) ^ static_cast<std::uint32_t>(attempt);
  value = mixed(mixed(value) ^ static_cast<std::uint32_t>(rank));
  return value == 0 ? 1 : value;
}

}  // namespace gyre
