#include "codec/image_text.h"

#include <fmt/format.h>

#include <filesystem>

#include "domain/image_ref.h"

namespace gyre::codec {

Result<std::string> image_named(std::string_view text, std::string_view base) {
  std::string whole(text);
  if (!base.empty() && is_image_path(text) && !text.starts_with('/')) {
    whole = std::filesystem::path(fmt::format("{}/{}", base, text)).lexically_normal().string();
    if (whole.ends_with('/')) whole.pop_back();
  }
  if (const auto image = parse_image_ref(whole); !image) {
    const std::string_view hint = base.empty() ? "" : "; a relative path begins with ./";
    return fail(image.error().kind, "{}{}", image.error().message, hint);
  }
  return whole;
}

}  // namespace gyre::codec
