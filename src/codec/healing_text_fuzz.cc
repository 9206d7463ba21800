// Any text is playbooks or has a problem; what it comes to is in bounds and reads back as the same.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "codec/healing_text.h"

namespace {

/// One to which several lead is written as several, of other names.
gyre::HealingSpec without_names(gyre::HealingSpec spec) {
  for (gyre::HealingRule& rule : spec.rules) rule.playbook.clear();
  return spec;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gyre;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto spec = codec::parse_healing(text);
  if (!spec) {
    GYRE_ASSERT(!spec.error().empty());
    return 0;
  }
  GYRE_ASSERT(review(*spec).has_value());
  const auto again = codec::parse_healing(codec::to_yaml(*spec));
  GYRE_ASSERT(again.has_value() && without_names(*again) == without_names(*spec));
  return 0;
}
