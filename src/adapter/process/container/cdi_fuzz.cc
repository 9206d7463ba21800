#include <cstddef>
#include <cstdint>
#include <string_view>

#include "adapter/process/container/cdi.h"
#include "adapter/process/container/image_users.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gyre::process;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  ContainerPlan plan;
  static_cast<void>(apply_cdi_file(text, {"a.b/c=d"}, plan));
  const std::size_t cut = text.find('\n');
  if (cut != std::string_view::npos) {
    static_cast<void>(find_user(text.substr(0, cut), text.substr(cut), text.substr(cut)));
  }
  return 0;
}
